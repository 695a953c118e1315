"""First values of the weights that set a state-space layer's time scales."""

import math

import torch
from torch import Tensor, nn

TIMING = ("A_log", ".D", "dt_bias", "dt_proj.bias", "dt_proj.weight", "conv.weight")
SHORTEST, LONGEST = 1e-3, 0.1  # first step sizes: the range that Gu and Dao (2023) draw from


@torch.no_grad()
def fill_ssm(name: str, weight: Tensor, generator: torch.Generator) -> None:
    """Fill decay rates, skips, step sizes or a convolution, whichever `name` says."""
    if name.endswith("A_log"):  # rates 1 ... N for each channel, or 1 ... H
        rates = torch.arange(1, weight.size(-1) + 1, dtype=torch.float32, device=weight.device)
        weight.copy_(rates.log().expand_as(weight))
    elif name.endswith(".D"):
        nn.init.ones_(weight)
    elif name.endswith("bias"):  # log-uniform after the softplus
        drawn = torch.rand(weight.shape, generator=generator, device=weight.device)
        dt = (drawn * math.log(LONGEST / SHORTEST) + math.log(SHORTEST)).exp()
        weight.copy_(dt + (-torch.expm1(-dt)).log())
    else:  # dt_proj.weight (E, R) and conv.weight (W, 1, K), by their inputs
        nn.init.uniform_(weight, -(weight.size(-1) ** -0.5), weight.size(-1) ** -0.5, generator)
