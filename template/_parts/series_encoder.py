"""Series as patches: every variable is standardised, cut, and read by the same blocks."""

import math

import torch
from torch import Tensor, nn

from .config import Config
from .norms import RMSNorm
from .series_block import SeriesBlock
from .ssm_block import SSMBlock
from .ssm_init import TIMING, fill_ssm

SMALLEST = 1e-5  # added to variances, so that constant series have a scale


class SeriesEncoder(nn.Module):
    """Patches of each variable, positions, and a stack of blocks (Nie et al. 2023, figure 1)."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        if config.pos == "learned":
            self.positions = nn.Parameter(torch.empty(patch_count(config), config.d_model))
        elif config.pos == "sincos":
            table = torch.empty(patch_count(config), config.d_model)
            self.positions = nn.Parameter(table, requires_grad=False)
        if config.masked:
            self.mask_token = nn.Parameter(torch.empty(config.d_model))
        self.embed = nn.Linear(config.patch_length, config.d_model)
        if config.backbone == "state_space":
            self.blocks = nn.ModuleList(SSMBlock(config, i) for i in range(config.n_layers))
            self.norm = RMSNorm(config.d_model, config.norm_eps)
        else:
            self.blocks = nn.ModuleList(SeriesBlock(config) for _ in range(config.n_layers))
            if config.final_norm:
                self.norm = nn.LayerNorm(config.d_model, config.norm_eps)

    def init_weights(self, generator: torch.Generator) -> None:
        """Draw every weight afresh."""
        for name, parameter in self.named_parameters():
            self.init_weight(name, parameter, generator)

    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight or the batch statistic called `name`.

        Weights are as small as their inputs are many. Those that write to the residual stream
        start smaller, by depth, which keeps its variance (Radford et al. 2019, section 2.3), and
        so does the head: a fresh model answers little but the mean.
        """
        if self.config.backbone == "state_space" and name.endswith(TIMING):
            fill_ssm(name, weight, generator)
        elif self.config.pos == "sincos" and name == "positions":
            fill_waves(weight)
        elif name.endswith(("bias", "running_mean", "num_batches_tracked")):
            nn.init.zeros_(weight)
        elif "norm" in name:
            nn.init.ones_(weight)
        elif name in ("mask_token", "head.weight"):
            nn.init.normal_(weight, std=self.config.init_std, generator=generator)
        else:
            std = weight.size(-1) ** -0.5
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                std = std / math.sqrt(2 * self.config.n_layers)
            nn.init.normal_(weight, std=std, generator=generator)

    def standardise(self, values: Tensor, known: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Each variable with mean 0 and variance 1, its mean, its deviation (Kim et al. 2022).

        Unknown values count neither in mean nor in variance and become 0. Shapes: (B, T, M), and
        (B, 1, M) twice.
        """
        values = torch.where(known, values.float(), 0.0)
        count = known.sum(dim=1, keepdim=True).clamp(min=1)
        centre = values.sum(dim=1, keepdim=True) / count
        apart = torch.where(known, values - centre, 0.0)
        scale = (apart.square().sum(dim=1, keepdim=True) / count + SMALLEST).sqrt()
        return apart / scale, centre, scale

    def patches(self, values: Tensor) -> Tensor:
        """Windows of P steps, S apart, the last ending with the series: (B, T, M) to (B, M, N, P).

        What the windows leave over is cut from the beginning.
        """
        config = self.config
        reach = config.patch_length + (patch_count(config) - 1) * config.patch_stride
        recent = values[:, values.size(1) - reach :].transpose(1, 2)  # (B, M, reach)
        return recent.unfold(2, config.patch_length, config.patch_stride)

    def embedded(self, values: Tensor) -> Tensor:
        """Vectors of the patches of standardised values, (B, T, M) -> (B, M, N, D)."""
        return self.embed(self.patches(values).to(self.embed.weight.dtype))

    def read(self, x: Tensor) -> Tensor:
        """Patches that know of each other, (B, M, N, D) -> (B, M, N, D)."""
        if self.config.pos != "none":
            x = x + self.positions
        variables = x.size(1)
        x = x.flatten(0, 1)  # (B, M, N, D) -> (B * M, N, D)
        for block in self.blocks:
            x = block(x)
        if self.config.final_norm:
            x = self.norm(x)
        return x.unflatten(0, (-1, variables))


def patch_count(config: Config) -> int:
    """Patches of a series of `lookback` steps."""
    return (config.lookback - config.patch_length) // config.patch_stride + 1


@torch.no_grad()
def fill_waves(table: Tensor) -> None:
    """Fill positions, (N, D), with sines and cosines (Vaswani et al. 2017), of deviation 0.1."""
    rows, width = table.shape
    place = torch.arange(rows, device=table.device).unsqueeze(1)
    even = torch.arange(0, width, 2, device=table.device)
    angle = place * torch.exp(even * -(math.log(10_000.0) / width))  # (N, D / 2)
    table[:, 0::2] = angle.sin()
    table[:, 1::2] = angle.cos()[:, : width // 2]
    table -= table.mean()
    table /= table.std() * 10
