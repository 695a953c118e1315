"""A SegFormer (Xie et al. 2021): mix transformer stages, and a decoder of linear layers.

Shapes are written in letters:

    B  pictures in the batch         C  channels of a picture
    Y  rows of a feature map         N  positions of a feature map, Y * X
    X  its columns                   M  positions that keys and values keep
    D  features of a stage           H  attention heads
    E  features of the decoder       K  features of a head
    V  classes                       F  hidden features of the MLP
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config

IGNORED = -1  # the label of pixels that are neither learned nor scored


class SegFormer(nn.Module):
    """Stages of falling resolution, and scores for each position of the first one."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.stages = nn.ModuleList(Stage(config, i) for i in range(len(config.depths)))
        self.decoder = Decoder(config)

    @property
    def blocks(self) -> list[nn.Module]:
        """The layers of all stages."""
        return [block for stage in self.stages for block in stage.blocks]

    def init_weights(self, generator: torch.Generator) -> None:
        """Draw every weight afresh."""
        for name, parameter in self.named_parameters():
            self.init_weight(name, parameter, generator)

    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight or buffer called `name`; convolutions keep the variance of gradients."""
        if name.endswith(("bias", "running_mean", "num_batches_tracked")):
            nn.init.zeros_(weight)
        elif weight.dim() == 1:
            nn.init.ones_(weight)
        elif weight.dim() == 4 and not name.endswith("head.weight"):
            depthwise = weight.size(1) == 1
            fan_out = weight[0, 0].numel() * (1 if depthwise else weight.size(0))
            nn.init.normal_(weight, std=math.sqrt(2 / fan_out), generator=generator)
        else:
            nn.init.normal_(weight, std=self.config.init_std, generator=generator)

    def forward(self, images: Tensor) -> Tensor:
        """Class scores at the first stage's resolution, (B, C, side, side) -> (B, V, Y, X)."""
        features, x = [], images
        for stage in self.stages:
            x = stage(x)  # (B, D, Y, X), smaller with every stage
            features.append(x)
        return self.decoder(features)

    def scores(self, images: Tensor) -> Tensor:
        """Class scores of every pixel, (B, C, side, side) -> (B, V, side, side)."""
        return F.interpolate(self(images).float(), images.shape[-2:], mode="bilinear")

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """Mean cross-entropy in nats per labelled pixel; `batch["mask"]` is (B, side, side)."""
        scores = self.scores(batch["images"])  # (B, V, side, side)
        return F.cross_entropy(scores, batch["mask"], ignore_index=IGNORED)


class Stage(nn.Module):
    """Overlapping patches, attention and MLP over them, and a norm."""

    def __init__(self, config: Config, index: int):
        super().__init__()
        width = config.hidden_sizes[index]
        channels = config.hidden_sizes[index - 1] if index else config.channels
        self.patch_embed = PatchEmbed(config, index, channels)
        self.blocks = nn.ModuleList(MixBlock(config, index) for _ in range(config.depths[index]))
        self.norm = nn.LayerNorm(width, config.norm_eps)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch_embed(x)  # (B, Y, X, D)
        size = x.shape[1:3]
        x = x.flatten(1, 2)  # (B, N, D)
        for block in self.blocks:
            x = block(x, size)
        return self.norm(x).transpose(1, 2).unflatten(2, size)  # (B, N, D) -> (B, D, Y, X)


class PatchEmbed(nn.Module):
    """A strided convolution whose patches overlap, and the norm of what it finds."""

    def __init__(self, config: Config, index: int, channels: int):
        super().__init__()
        width, patch = config.hidden_sizes[index], config.patch_sizes[index]
        self.proj = nn.Conv2d(channels, width, patch, config.strides[index], patch // 2)
        self.norm = nn.LayerNorm(width, config.norm_eps)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.proj(x).permute(0, 2, 3, 1))  # (B, D, Y, X) -> (B, Y, X, D)


class MixBlock(nn.Module):
    """Attention and MLP, each added to the residual stream."""

    def __init__(self, config: Config, index: int):
        super().__init__()
        width = config.hidden_sizes[index]
        self.attn_norm = nn.LayerNorm(width, config.norm_eps)
        self.attn = ReducedAttention(config, index)
        self.mlp_norm = nn.LayerNorm(width, config.norm_eps)
        self.mlp = MixMLP(width, width * config.mlp_ratios[index])

    def forward(self, x: Tensor, size: torch.Size) -> Tensor:
        x = x + self.attn(self.attn_norm(x), size)  # (B, N, D)
        return x + self.mlp(self.mlp_norm(x), size)


class ReducedAttention(nn.Module):
    """Every position attends to keys and values that a convolution made fewer."""

    def __init__(self, config: Config, index: int):
        super().__init__()
        width, ratio = config.hidden_sizes[index], config.sr_ratios[index]
        self.n_heads = config.stage_heads[index]
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.o_proj = nn.Linear(width, width)
        self.reduction = Reduction(width, ratio, config.norm_eps) if ratio > 1 else None

    def forward(self, x: Tensor, size: torch.Size) -> Tensor:
        kept = x if self.reduction is None else self.reduction(x, size)  # (B, M, D)
        q, k, v = self.q_proj(x), self.k_proj(kept), self.v_proj(kept)
        q, k, v = (t.unflatten(-1, (self.n_heads, -1)).transpose(1, 2) for t in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v)  # (B, H, N, K) and (B, H, M, K) twice
        return self.o_proj(y.transpose(1, 2).flatten(2))  # (B, H, N, K) -> (B, N, D)


class Reduction(nn.Module):
    """Fewer positions: one from each `ratio` x `ratio` square."""

    def __init__(self, width: int, ratio: int, eps: float):
        super().__init__()
        self.conv = nn.Conv2d(width, width, ratio, ratio)
        self.norm = nn.LayerNorm(width, eps)

    def forward(self, x: Tensor, size: torch.Size) -> Tensor:
        x = self.conv(x.transpose(1, 2).unflatten(2, size))  # (B, N, D) -> (B, D, Y', X')
        return self.norm(x.flatten(2).transpose(1, 2))  # (B, M, D)


class MixMLP(nn.Module):
    """A position-wise network with a depthwise convolution inside, which tells positions."""

    def __init__(self, width: int, hidden: int):
        super().__init__()
        self.up_proj = nn.Linear(width, hidden)
        self.conv = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.down_proj = nn.Linear(hidden, width)

    def forward(self, x: Tensor, size: torch.Size) -> Tensor:
        hidden = self.up_proj(x).transpose(1, 2).unflatten(2, size)  # (B, N, D) -> (B, F, Y, X)
        hidden = F.gelu(self.conv(hidden)).flatten(2).transpose(1, 2)  # (B, N, F)
        return self.down_proj(hidden)


class Decoder(nn.Module):
    """All stages at one width and the first one's resolution, mixed, and scored."""

    def __init__(self, config: Config):
        super().__init__()
        width, stages = config.decoder_dim, len(config.depths)
        self.projections = nn.ModuleList(nn.Linear(dim, width) for dim in config.hidden_sizes)
        self.fuse = nn.Conv2d(width * stages, width, 1, bias=False)
        self.norm = nn.BatchNorm2d(width)
        self.head = nn.Conv2d(width, config.num_classes, 1)

    def forward(self, features: list[Tensor]) -> Tensor:
        size = features[0].shape[-2:]
        levels = []
        for projection, feature in zip(self.projections, features, strict=True):
            x = projection(feature.flatten(2).transpose(1, 2))  # (B, D, Y, X) -> (B, N, E)
            x = x.transpose(1, 2).unflatten(2, feature.shape[-2:])
            levels.append(F.interpolate(x, size, mode="bilinear"))  # (B, E, Y, X) of the first
        x = self.fuse(torch.cat(levels[::-1], dim=1))  # (B, stages * E, Y, X) -> (B, E, Y, X)
        return self.head(F.relu(self.norm(x)))  # (B, V, Y, X)


def build_model(config: Config) -> SegFormer:
    """The model with weights drawn from `config.seed`; without weights on the meta device."""
    model = SegFormer(config)
    weight = model.decoder.head.weight
    if not weight.is_meta:
        model.init_weights(torch.Generator(weight.device).manual_seed(config.seed))
    return model
