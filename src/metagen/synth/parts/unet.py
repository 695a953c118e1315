"""The U-Net that denoises pictures: residual and attention blocks at halving resolution."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .base import Embedding, Flops, Linear, Part, Repeat
from .convolution import Conv2d, Size
from .norms import Norm


class Listed(Part):
    """Parts under the names that `nn.ModuleList` gives them."""

    def __init__(self, parts: Sequence[Part]) -> None:
        super().__init__()
        for i, part in enumerate(parts):
            setattr(self, str(i), part)


class Vector(Linear):
    """A linear layer with a bias over one vector for each sample."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features, True)

    def flops(self, batch: int, length: int) -> Flops:
        return super().flops(batch, 1)


class VectorMLP(Part):
    """Two layers over one vector for each sample."""

    def __init__(self, in_features: int, width: int) -> None:
        super().__init__()
        self.up_proj = Vector(in_features, width)
        self.down_proj = Vector(width, width)


class ResnetBlock(Part):
    """Two convolutions, with the time added between them (Ho et al., 2020, appendix B)."""

    def __init__(self, in_channels: int, channels: int, time_dim: int, size: Size) -> None:
        super().__init__()
        self.norm1 = Norm(in_channels, "layernorm", True)
        self.conv1 = Conv2d(in_channels, channels, 3, size, padding=1)
        self.time_proj = Vector(time_dim, channels)
        self.norm2 = Norm(channels, "layernorm", True)
        self.conv2 = Conv2d(channels, channels, 3, size, padding=1)
        if in_channels != channels:
            self.shortcut = Conv2d(in_channels, channels, 1, size)


class Attention(Part):
    """Attention of positions to one another, or to `context` rows of another width.

    `flops` is that of `length` positions.
    """

    def __init__(
        self, width: int, *, bias: bool = False, context: tuple[int, int] | None = None
    ) -> None:
        super().__init__()
        self.width, self.rows = width, context and context[0]
        source = context[1] if context else width
        self.q_proj = Linear(width, width, bias)
        self.k_proj = Linear(source, width, bias)
        self.v_proj = Linear(source, width, bias)
        self.o_proj = Linear(width, width, True)

    def flops(self, batch: int, length: int) -> Flops:
        """Projections, plus scores and weighted sum: 4 · width for each pair."""
        rows = self.rows or length
        sides = self.q_proj.flops(batch, length) + self.o_proj.flops(batch, length)
        looked_up = self.k_proj.flops(batch, rows) + self.v_proj.flops(batch, rows)
        return sides + looked_up + Flops(4 * batch * self.width * length * rows)


class AttentionBlock(Part):
    """One attention over all positions of a map, added to it (Ho et al., 2020)."""

    def __init__(self, channels: int, size: Size) -> None:
        super().__init__()
        self.positions = size[0] * size[1]
        self.norm = Norm(channels, "layernorm", True)
        self.attn = Attention(channels, bias=True)

    def flops(self, batch: int, length: int) -> Flops:
        return self.attn.flops(batch, self.positions)


class GatedMLP(Part):
    """GEGLU (Shazeer, 2020): both halves of the hidden layer in one matrix."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.up_proj = Linear(width, 8 * width, True)
        self.down_proj = Linear(4 * width, width, True)


class TransformerBlock(Part):
    """Self-attention, attention to the prompt, and a gated MLP (Rombach et al., 2022)."""

    def __init__(self, width: int, context: tuple[int, int]) -> None:
        super().__init__()
        self.self_norm = Norm(width, "layernorm", True)
        self.self_attn = Attention(width)
        self.cross_norm = Norm(width, "layernorm", True)
        self.cross_attn = Attention(width, context=context)
        self.mlp_norm = Norm(width, "layernorm", True)
        self.mlp = GatedMLP(width)


class SpatialTransformer(Part):
    """`depth` transformer blocks over the positions of a map, added to it."""

    def __init__(
        self, channels: int, depth: int, size: Size, context: tuple[int, int], *, linear: bool
    ) -> None:
        super().__init__()
        self.positions = size[0] * size[1]
        self.norm = Norm(channels, "layernorm", True)
        for name in ("proj_in", "proj_out"):
            project = Linear(channels, channels, True) if linear else None
            setattr(self, name, project or Conv2d(channels, channels, 1, size))
            if name == "proj_in":
                self.blocks = Repeat(TransformerBlock(channels, context), depth)

    def flops(self, batch: int, length: int) -> Flops:
        return super().flops(batch, self.positions)


class Level(Part):
    """The blocks at one resolution, and the convolution that leads to the next one."""

    def __init__(
        self, resnets: Sequence[Part], attentions: Sequence[Part], resample: Part | None
    ) -> None:
        super().__init__()
        self.resnets = Listed(resnets)
        self.attentions = Listed(attentions)
        if resample is not None:
            self.resample = resample


class UNet(Part):
    """What denoises: pictures or latents of `in_channels` to as many as are `diffused`.

    `flops` is of one denoising step; the size of the pictures and the length of the prompt are
    those of the dimensions, whatever `length` is asked for.
    """

    def __init__(self, dims: Mapping[str, Any], in_channels: int, diffused: int, side: int) -> None:
        super().__init__()
        widths, layers = dims["unet_channels"], dims["layers_per_block"]
        time_dim = dims["time_dim"]
        depths = dims["transformer_layers"]
        sizes = level_sizes(dims, side)
        self.conv_in = Conv2d(in_channels, widths[0], 3, sizes[0], padding=1)
        self.time_embed = VectorMLP(widths[0], time_dim)
        if dims["condition"] == "class":
            self.class_embed = Embedding(dims["num_classes"] + 1, time_dim)
        if dims["pooled_prompt"]:
            self.pooled_embed = VectorMLP(dims.get("pooled_dim") or dims["text_d_model"], time_dim)
        kept, width, levels = [widths[0]], widths[0], []
        for i, (channels, depth, size) in enumerate(zip(widths, depths, sizes, strict=True)):
            resnets = []
            for _ in range(layers):
                resnets.append(ResnetBlock(width, channels, time_dim, size))
                width = channels
                kept.append(width)
            resample = None
            if i < len(widths) - 1:
                padding = 1 if dims["padding"] == "symmetric" else 0
                grown = size if padding else (size[0] + 1, size[1] + 1)
                resample = Conv2d(width, width, 3, grown, stride=2, padding=padding)
                kept.append(width)
            levels.append(
                Level(resnets, list(attention(dims, channels, depth, size, layers)), resample)
            )
        self.down = Listed(levels)
        middle = [ResnetBlock(width, width, time_dim, sizes[-1]) for _ in range(2)]
        deep = attention(dims, width, dims["mid_layers"], sizes[-1], 1)
        self.mid = Level(middle, list(deep), None)
        levels = []
        for i in reversed(range(len(widths))):
            channels, size, resnets = widths[i], sizes[i], []
            for _ in range(layers + 1):
                resnets.append(ResnetBlock(width + kept.pop(), channels, time_dim, size))
                width = channels
            resample = Conv2d(width, width, 3, sizes[i - 1], padding=1) if i else None
            among = attention(dims, channels, depths[i], size, layers + 1)
            levels.append(Level(resnets, list(among), resample))
        self.up = Listed(levels)
        self.norm_out = Norm(widths[0], "layernorm", True)
        self.conv_out = Conv2d(widths[0], diffused, 3, sizes[0], padding=1)


def attention(
    dims: Mapping[str, Any], channels: int, depth: int, size: Size, copies: int
) -> Iterator[Part]:
    """The attention of a level, once for each of its residual blocks; none where depth is 0."""
    for _ in range(copies if depth else 0):
        if dims["condition"] == "text":
            context = dims["prompt_length"], dims["text_d_model"]
            linear = dims["linear_projections"]
            yield SpatialTransformer(channels, depth, size, context, linear=linear)
        else:
            yield AttentionBlock(channels, size)


def level_sizes(dims: Mapping[str, Any], side: int) -> list[Size]:
    """Height and width of the maps of every level, the first one's being `side`."""
    sides = [side]
    for _ in dims["unet_channels"][1:]:
        half = -(-sides[-1] // 2) if dims["padding"] == "symmetric" else sides[-1] // 2
        sides.append(half)
    return [(s, s) for s in sides]
