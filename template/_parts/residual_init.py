"""First values of the weights of a residual transformer."""

import math

import torch
from torch import Tensor, nn

from .config import Config


def fill_weight(name: str, weight: Tensor, config: Config, generator: torch.Generator) -> None:
    """Fill the weight called `name`; those that write to the residual stream start smaller.

    Scaling them by depth keeps the stream's variance (Radford et al. 2019, section 2.3).
    """
    std = config.init_std
    if name.endswith("bias"):
        nn.init.zeros_(weight)
    elif "norm" in name:
        nn.init.ones_(weight)
    elif name.endswith(("o_proj.weight", "down_proj.weight")):
        std = std / math.sqrt(2 * config.n_layers)
        nn.init.normal_(weight, std=std, generator=generator)
    else:
        nn.init.normal_(weight, std=std, generator=generator)
