"""The U-Net that denoises: residual blocks and attention at halving resolution, and back.

Shapes are written in letters:

    B  pictures in the batch         H  attention heads
    C  channels of a level           K  features of a head
    Y  rows, X  columns              N  positions of a map, Y * X
    S  tokens of the prompt          P  features of a prompt's token
    E  features of the time
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config


class VectorMLP(nn.Module):
    """Two layers over one vector for each picture."""

    def __init__(self, in_features: int, width: int):
        super().__init__()
        self.up_proj = nn.Linear(in_features, width)
        self.down_proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.up_proj(x)))


class ResnetBlock(nn.Module):
    """Two convolutions, with the time added between them (Ho et al. 2020, appendix B)."""

    def __init__(self, config: Config, in_channels: int, channels: int):
        super().__init__()
        self.norm1 = nn.GroupNorm(config.norm_groups, in_channels, config.norm_eps)
        self.conv1 = nn.Conv2d(in_channels, channels, 3, padding=1)
        self.time_proj = nn.Linear(config.time_dim, channels)
        self.norm2 = nn.GroupNorm(config.norm_groups, channels, config.norm_eps)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        if in_channels != channels:
            self.shortcut = nn.Conv2d(in_channels, channels, 1)
        else:
            self.shortcut = nn.Identity()

    def forward(self, x: Tensor, time: Tensor) -> Tensor:
        y = self.conv1(F.silu(self.norm1(x)))
        y = y + self.time_proj(F.silu(time))[:, :, None, None]  # (B, E) -> (B, C, 1, 1)
        y = self.conv2(F.silu(self.norm2(y)))
        return self.shortcut(x) + y


class Attention(nn.Module):
    """Attention of positions to one another, or to a context of other features."""

    def __init__(self, width: int, context: int, n_heads: int, bias: bool):
        super().__init__()
        self.n_heads = n_heads
        self.q_proj = nn.Linear(width, width, bias=bias)
        self.k_proj = nn.Linear(context, width, bias=bias)
        self.v_proj = nn.Linear(context, width, bias=bias)
        self.o_proj = nn.Linear(width, width)

    def forward(self, x: Tensor, context: Tensor) -> Tensor:
        q, k, v = (
            y.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)  # (B, H, N or S, K)
            for y in (self.q_proj(x), self.k_proj(context), self.v_proj(context))
        )
        y = F.scaled_dot_product_attention(q, k, v)
        return self.o_proj(y.transpose(1, 2).flatten(2))  # (B, H, N, K) -> (B, N, C)


class AttentionBlock(nn.Module):
    """Every position of a map attends to every other."""

    def __init__(self, config: Config, channels: int, n_heads: int):
        super().__init__()
        self.norm = nn.GroupNorm(config.norm_groups, channels, config.norm_eps)
        self.attn = Attention(channels, channels, n_heads, bias=True)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x).flatten(2).transpose(1, 2)  # (B, C, Y, X) -> (B, N, C)
        y = self.attn(y, y)
        return x + y.transpose(1, 2).reshape(x.shape)


class GatedMLP(nn.Module):
    """GEGLU (Shazeer 2020): both halves of the hidden layer in one matrix."""

    def __init__(self, width: int):
        super().__init__()
        self.up_proj = nn.Linear(width, 8 * width)
        self.down_proj = nn.Linear(4 * width, width)

    def forward(self, x: Tensor) -> Tensor:
        hidden, gate = self.up_proj(x).chunk(2, dim=-1)
        return self.down_proj(hidden * F.gelu(gate))


class TransformerBlock(nn.Module):
    """Self-attention, attention to the prompt, and a gated MLP (Rombach et al. 2022)."""

    def __init__(self, config: Config, width: int, n_heads: int):
        super().__init__()
        self.self_norm = nn.LayerNorm(width)
        self.self_attn = Attention(width, width, n_heads, bias=False)
        self.cross_norm = nn.LayerNorm(width)
        self.cross_attn = Attention(width, config.text_d_model, n_heads, bias=False)
        self.mlp_norm = nn.LayerNorm(width)
        self.mlp = GatedMLP(width)

    def forward(self, x: Tensor, prompt: Tensor) -> Tensor:
        y = self.self_norm(x)
        x = x + self.self_attn(y, y)
        x = x + self.cross_attn(self.cross_norm(x), prompt)
        return x + self.mlp(self.mlp_norm(x))


class SpatialTransformer(nn.Module):
    """Transformer blocks over the positions of a map, added to it."""

    def __init__(self, config: Config, channels: int, depth: int, n_heads: int):
        super().__init__()
        self.config = config
        self.norm = nn.GroupNorm(config.norm_groups, channels, eps=1e-6)
        if config.linear_projections:
            self.proj_in = nn.Linear(channels, channels)
        else:
            self.proj_in = nn.Conv2d(channels, channels, 1)
        self.blocks = nn.ModuleList(
            TransformerBlock(config, channels, n_heads) for _ in range(depth)
        )
        if config.linear_projections:
            self.proj_out = nn.Linear(channels, channels)
        else:
            self.proj_out = nn.Conv2d(channels, channels, 1)

    def forward(self, x: Tensor, prompt: Tensor) -> Tensor:
        if self.config.linear_projections:
            y = self.proj_in(self.norm(x).flatten(2).transpose(1, 2))
        else:
            y = self.proj_in(self.norm(x)).flatten(2).transpose(1, 2)  # (B, C, Y, X) -> (B, N, C)
        for block in self.blocks:
            y = block(y, prompt)
        if self.config.linear_projections:
            return x + self.proj_out(y).transpose(1, 2).reshape(x.shape)
        else:
            return x + self.proj_out(y.transpose(1, 2).reshape(x.shape))


class Downsample(nn.Conv2d):
    """Half as many rows and columns."""

    def __init__(self, config: Config, channels: int):
        padding = 1 if config.padding == "symmetric" else 0
        super().__init__(channels, channels, 3, stride=2, padding=padding)
        self.config = config

    def forward(self, x: Tensor) -> Tensor:
        if self.config.padding == "asymmetric":
            x = F.pad(x, (0, 1, 0, 1))
        return super().forward(x)


class Level(nn.Module):
    """The blocks at one resolution, and the convolution between it and the next one."""

    def __init__(
        self,
        config: Config,
        widths: list[tuple[int, int]],
        depth: int,
        n_heads: int,
        attentions: int,
        resample: nn.Module | None = None,
    ):
        super().__init__()
        self.config = config
        self.resnets = nn.ModuleList(ResnetBlock(config, *pair) for pair in widths)
        self.attentions = nn.ModuleList()
        for _ in range(attentions if depth else 0):
            if config.condition == "text":
                block = SpatialTransformer(config, widths[-1][1], depth, n_heads)
            else:
                block = AttentionBlock(config, widths[-1][1], n_heads)
            self.attentions.append(block)
        self.resample = resample

    def step(self, i: int, x: Tensor, time: Tensor, prompt: Tensor | None) -> Tensor:
        """Residual block `i`, and the attention that follows it, if this level has any."""
        x = self.resnets[i](x, time)
        if i >= len(self.attentions):
            return x
        if self.config.condition == "text":
            return self.attentions[i](x, prompt)
        else:
            return self.attentions[i](x)


class UNet(nn.Module):
    """Noisy pictures at their times to what is to be predicted of them.

    From `channels_in` channels to `channels_out`; sides may be odd.
    """

    def __init__(self, config: Config, channels_in: int, channels_out: int):
        super().__init__()
        self.config = config
        widths, layers, time_dim = config.unet_channels, config.layers_per_block, config.time_dim
        depths, heads = config.transformer_layers, config.unet_heads
        last = len(widths) - 1
        self.conv_in = nn.Conv2d(channels_in, widths[0], 3, padding=1)
        self.time_embed = VectorMLP(widths[0], time_dim)
        if config.condition == "class":  # the last row stands for no class
            self.class_embed = nn.Embedding(config.num_classes + 1, time_dim)
        if config.pooled_prompt:
            self.pooled_embed = VectorMLP(config.text_d_model, time_dim)
        self.down = nn.ModuleList()
        kept, width = [widths[0]], widths[0]  # channels of the maps that the way up takes in
        for i, channels in enumerate(widths):
            pairs = [(width, channels)] + [(channels, channels)] * (layers - 1)
            width = channels
            resample = Downsample(config, width) if i < last else None
            self.down.append(Level(config, pairs, depths[i], heads[i], layers, resample))
            kept += [width] * (layers if i == last else layers + 1)
        pairs = [(width, width)] * 2
        self.mid = Level(config, pairs, config.mid_layers, heads[-1], 1)
        self.up = nn.ModuleList()
        for i in reversed(range(len(widths))):
            pairs = []
            for _ in range(layers + 1):
                pairs.append((width + kept.pop(), widths[i]))
                width = widths[i]
            resample = nn.Conv2d(width, width, 3, padding=1) if i else None
            self.up.append(Level(config, pairs, depths[i], heads[i], layers + 1, resample))
        self.norm_out = nn.GroupNorm(config.norm_groups, width, config.norm_eps)
        self.conv_out = nn.Conv2d(width, channels_out, 3, padding=1)

    @property
    def blocks(self) -> list[nn.Module]:
        """Every residual and every attention block."""
        levels = [*self.down, self.mid, *self.up]
        return [block for level in levels for block in (*level.resnets, *level.attentions)]

    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight called `name`; residual blocks and the output begin as zeros.

        Other weights keep the variance of what passes through them (LeCun et al. 1998).
        """
        silent = ("conv2.weight", "o_proj.weight", "proj_out.weight", "conv_out.weight")
        if name.endswith(("bias", *silent)):
            nn.init.zeros_(weight)
        elif "norm" in name:
            nn.init.ones_(weight)
        elif self.config.condition == "class" and name.startswith("class_embed"):
            nn.init.normal_(weight, std=0.5, generator=generator)
        else:
            nn.init.normal_(weight, std=1 / math.sqrt(weight[0].numel()), generator=generator)

    def forward(self, noisy: Tensor, times: Tensor, *given: Tensor) -> Tensor:
        """Predict, (B, C, Y, X) and (B,) -> (B, C', Y, X).

        `given` are the states of the prompt and their mean, (B, S, P) and (B, P), or the labels of
        the wanted classes, (B,), where there are such.
        """
        x = self.conv_in(noisy)
        features = time_features(self.config, times, self.conv_in.out_channels)
        time = self.time_embed(features.to(x.dtype))  # (B,) -> (B, E)
        if self.config.condition == "class":
            time = time + self.class_embed(given[0])
        if self.config.pooled_prompt:
            time = time + self.pooled_embed(given[1])
        if self.config.condition == "text":
            prompt = given[0]
        else:
            prompt = None
        kept = [x]
        for level in self.down:
            for i in range(len(level.resnets)):
                x = level.step(i, x, time, prompt)
                kept.append(x)
            if level.resample is not None:
                x = level.resample(x)
                kept.append(x)
        x = self.mid.resnets[1](self.mid.step(0, x, time, prompt), time)
        for level in self.up:
            for i in range(len(level.resnets)):
                x = level.step(i, torch.cat((x, kept.pop()), dim=1), time, prompt)
            if level.resample is not None:
                x = level.resample(F.interpolate(x, size=kept[-1].shape[2:]))
        return self.conv_out(F.silu(self.norm_out(x)))


def time_features(config: Config, times: Tensor, width: int) -> Tensor:
    """Sines and cosines of a time at falling frequencies (Vaswani et al. 2017), (B,) -> (B, C)."""
    half = width // 2
    if config.time_order == "sin_cos":
        shares = torch.arange(half, device=times.device) / (half - 1)
    else:
        shares = torch.arange(half, device=times.device) / half
    angles = times.float()[:, None] * torch.exp(-math.log(10_000) * shares)  # (B, C / 2)
    if config.time_order == "sin_cos":
        return torch.cat((angles.sin(), angles.cos()), dim=1)
    else:
        return torch.cat((angles.cos(), angles.sin()), dim=1)
