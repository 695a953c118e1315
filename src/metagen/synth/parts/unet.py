"""The U-Net that denoises pictures: residual and attention blocks at halving resolution."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..arrays import concatenate
from .base import Embedding, Flops, Linear, Numbered, Part, Repeat
from .convolution import Conv2d, GroupNorm, Size, at_places, padded, resized
from .dit_block import ConditionEmbedding, PerSample, sinusoids
from .norms import Norm

if TYPE_CHECKING:
    from ..arrays import Array


class ResnetBlock(Part):
    """Two convolutions, with the time added between them (Ho et al., 2020, appendix B)."""

    def __init__(
        self, in_channels: int, channels: int, time_dim: int, groups: int, size: Size
    ) -> None:
        super().__init__()
        self.norm1 = GroupNorm(in_channels, groups)
        self.conv1 = Conv2d(in_channels, channels, 3, size, padding=1)
        self.time_proj = PerSample(time_dim, channels)
        self.norm2 = GroupNorm(channels, groups)
        self.conv2 = Conv2d(channels, channels, 3, size, padding=1)
        if in_channels != channels:
            self.shortcut = Conv2d(in_channels, channels, 1, size)

    def forward(self, x: Array, time: Array) -> Array:
        """(B, C, Y, X) at (B, E) -> (B, C', Y, X)."""
        y = self.conv1(self.norm1(x).apply("silu"))
        y = y + self.time_proj(time.apply("silu")).view(*y.shape[:2], 1, 1)
        y = self.conv2(self.norm2(y).apply("silu"))
        return (self.shortcut(x) if "shortcut" in self.children else x) + y


class Attention(Part):
    """Attention of positions to one another, or to `context` rows of another width.

    `flops` is that of `length` positions. Places of a map do not lie row by row.
    """

    def __init__(
        self,
        width: int,
        n_heads: int,
        *,
        bias: bool = False,
        context: tuple[int, int] | None = None,
        places: bool = False,
    ) -> None:
        super().__init__()
        self.width, self.rows = width, context and context[0]
        self.n_heads, self.project = n_heads, at_places if places else Linear.__call__
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

    def forward(self, x: Array, context: Array) -> Array:
        """(B, N, width) to (B, N or S, ...) -> (B, N, width)."""
        pairs = ((self.q_proj, x), (self.k_proj, context), (self.v_proj, context))
        q, k, v = (
            self.project(linear, y).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            for linear, y in pairs
        )
        return self.o_proj(x.trace.attend(q, k, v).transpose(1, 2).flatten(2))


class AttentionBlock(Part):
    """One attention over all positions of a map, added to it (Ho et al., 2020)."""

    def __init__(self, channels: int, n_heads: int, groups: int, size: Size) -> None:
        super().__init__()
        self.positions = size[0] * size[1]
        self.norm = GroupNorm(channels, groups)
        self.attn = Attention(channels, n_heads, bias=True, places=True)

    def flops(self, batch: int, length: int) -> Flops:
        return self.attn.flops(batch, self.positions)

    def forward(self, x: Array) -> Array:
        """(B, C, Y, X) -> the same."""
        y = self.norm(x).flatten(2).transpose(1, 2)
        y = self.attn(y, y)
        return x + y.transpose(1, 2).view(*x.shape)


class GatedMLP(Part):
    """GEGLU (Shazeer, 2020): both halves of the hidden layer in one matrix."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.up_proj = Linear(width, 8 * width, True)
        self.down_proj = Linear(4 * width, width, True)

    def forward(self, x: Array) -> Array:
        """(B, N, width) -> the same."""
        hidden, gate = self.up_proj(x).chunk(2)
        return self.down_proj(hidden * gate.apply("gelu"))


class TransformerBlock(Part):
    """Self-attention, attention to the prompt, and a gated MLP (Rombach et al., 2022)."""

    def __init__(self, width: int, n_heads: int, context: tuple[int, int]) -> None:
        super().__init__()
        self.self_norm = Norm(width, "layernorm", True)
        self.self_attn = Attention(width, n_heads)
        self.cross_norm = Norm(width, "layernorm", True)
        self.cross_attn = Attention(width, n_heads, context=context)
        self.mlp_norm = Norm(width, "layernorm", True)
        self.mlp = GatedMLP(width)

    def forward(self, x: Array, prompt: Array) -> Array:
        """(B, N, width) told of (B, S, P) -> (B, N, width)."""
        y = self.self_norm(x)
        x = x + self.self_attn(y, y)
        x = x + self.cross_attn(self.cross_norm(x), prompt)
        return x + self.mlp(self.mlp_norm(x))


class SpatialTransformer(Part):
    """`depth` transformer blocks over the positions of a map, added to it."""

    def __init__(
        self,
        channels: int,
        depth: int,
        n_heads: int,
        groups: int,
        size: Size,
        context: tuple[int, int],
        *,
        linear: bool,
    ) -> None:
        super().__init__()
        self.positions, self.linear = size[0] * size[1], linear
        self.norm = GroupNorm(channels, groups)
        for name in ("proj_in", "proj_out"):
            project = Linear(channels, channels, True) if linear else None
            setattr(self, name, project or Conv2d(channels, channels, 1, size))
            if name == "proj_in":
                self.blocks = Repeat(TransformerBlock(channels, n_heads, context), depth)

    def flops(self, batch: int, length: int) -> Flops:
        return super().flops(batch, self.positions)

    def forward(self, x: Array, prompt: Array) -> Array:
        """(B, C, Y, X) told of (B, S, P) -> (B, C, Y, X)."""
        if self.linear:
            y = at_places(self.proj_in, self.norm(x).flatten(2).transpose(1, 2))
        else:
            y = self.proj_in(self.norm(x)).flatten(2).transpose(1, 2)
        for block in self.blocks.each(x.trace):
            y = block(y, prompt)
        if self.linear:
            return x + self.proj_out(y).transpose(1, 2).view(*x.shape)
        return x + self.proj_out(y.transpose(1, 2).view(*x.shape))


class Downsample(Conv2d):
    """Half as many rows and columns; with `margin` one is added to each before."""

    def __init__(self, width: int, size: Size, *, margin: bool) -> None:
        grown = (size[0] + margin, size[1] + margin)
        super().__init__(width, width, 3, grown, stride=2, padding=0 if margin else 1)
        self.grown = grown if margin else None

    def forward(self, x: Array) -> Array:
        """(B, C, Y, X) -> (B, C, *out)."""
        if self.grown:
            x = padded(x, self.grown)
        return super().forward(x)


class Level(Part):
    """The blocks at one resolution, and the convolution that leads to the next one."""

    def __init__(
        self, resnets: Sequence[Part], attentions: Sequence[Part], resample: Part | None
    ) -> None:
        super().__init__()
        self.resnets = Numbered(*resnets)
        self.attentions = Numbered(*attentions)
        if resample is not None:
            self.resample = resample

    def step(self, i: int, x: Array, time: Array, prompt: tuple[Array, ...]) -> Array:
        """Residual block `i`, and the attention that follows it, if this level has any."""
        run = x.trace.checkpointed
        x = run(self.resnets.members[i], x, time)
        if i >= len(self.attentions.members):
            return x
        return run(self.attentions.members[i], x, *prompt)


class UNet(Part):
    """What denoises: pictures or latents of `in_channels` to as many as are `diffused`.

    `flops` is of one denoising step; the size of the pictures and the length of the prompt are
    those of the dimensions, whatever `length` is asked for.
    """

    def __init__(self, dims: Mapping[str, Any], in_channels: int, diffused: int, side: int) -> None:
        super().__init__()
        self.dims = dims
        widths, layers = dims["unet_channels"], dims["layers_per_block"]
        time_dim, groups = dims["time_dim"], dims["norm_groups"]
        depths, heads = dims["transformer_layers"], dims["unet_heads"]
        sizes = level_sizes(dims, side)
        self.conv_in = Conv2d(in_channels, widths[0], 3, sizes[0], padding=1)
        self.time_embed = ConditionEmbedding(widths[0], time_dim)
        if dims["condition"] == "class":
            self.class_embed = Embedding(dims["num_classes"] + 1, time_dim)
        if dims["pooled_prompt"]:
            self.pooled_embed = ConditionEmbedding(
                dims.get("pooled_dim") or dims["text_d_model"], time_dim
            )
        kept, width, levels = [widths[0]], widths[0], []
        for i, (channels, depth, size) in enumerate(zip(widths, depths, sizes, strict=True)):
            resnets = []
            for _ in range(layers):
                resnets.append(ResnetBlock(width, channels, time_dim, groups, size))
                width = channels
                kept.append(width)
            resample = None
            if i < len(widths) - 1:
                resample = Downsample(width, size, margin=dims["padding"] != "symmetric")
                kept.append(width)
            among = attention(dims, channels, depth, heads[i], size, layers)
            levels.append(Level(resnets, list(among), resample))
        self.down = Numbered(*levels)
        middle = [ResnetBlock(width, width, time_dim, groups, sizes[-1]) for _ in range(2)]
        deep = attention(dims, width, dims["mid_layers"], heads[-1], sizes[-1], 1)
        self.mid = Level(middle, list(deep), None)
        levels = []
        for i in reversed(range(len(widths))):
            channels, size, resnets = widths[i], sizes[i], []
            for _ in range(layers + 1):
                resnets.append(ResnetBlock(width + kept.pop(), channels, time_dim, groups, size))
                width = channels
            resample = Conv2d(width, width, 3, sizes[i - 1], padding=1) if i else None
            among = attention(dims, channels, depths[i], heads[i], size, layers + 1)
            levels.append(Level(resnets, list(among), resample))
        self.up = Numbered(*levels)
        self.norm_out = GroupNorm(widths[0], groups)
        self.conv_out = Conv2d(widths[0], diffused, 3, sizes[0], padding=1)

    def forward(self, noisy: Array, times: Array, *given: Array) -> Array:
        """(B, C, Y, X) at (B,), told of what is `given` -> (B, C', Y, X)."""
        x = self.conv_in(noisy)
        time = self.time_embed(sinusoids(times, self.dims["unet_channels"][0]).to(x.dtype))
        if "class_embed" in self.children:
            time = time + self.class_embed(given[0])
        if "pooled_embed" in self.children:
            time = time + self.pooled_embed(given[1])
        prompt = given[:1] if self.dims["condition"] == "text" else ()
        kept = [x]
        for level in self.down.members:
            for i in range(len(level.resnets.members)):
                x = level.step(i, x, time, prompt)
                kept.append(x)
            if "resample" in level.children:
                x = level.resample(x)
                kept.append(x)
        run = x.trace.checkpointed
        x = run(self.mid.resnets.members[1], self.mid.step(0, x, time, prompt), time)
        for level in self.up.members:
            for i in range(len(level.resnets.members)):
                x = level.step(i, concatenate((x, kept.pop()), 1), time, prompt)
            if "resample" in level.children:
                x = level.resample(resized(x, level.resample.out))
        return self.conv_out(self.norm_out(x).apply("silu"))


def attention(
    dims: Mapping[str, Any], channels: int, depth: int, n_heads: int, size: Size, copies: int
) -> Iterator[Part]:
    """The attention of a level, once for each of its residual blocks; none where depth is 0."""
    for _ in range(copies if depth else 0):
        if dims["condition"] == "text":
            context = dims["prompt_length"], dims["text_d_model"]
            heads = n_heads, dims["norm_groups"]
            linear = dims["linear_projections"]
            yield SpatialTransformer(channels, depth, *heads, size, context, linear=linear)
        else:
            yield AttentionBlock(channels, n_heads, dims["norm_groups"], size)


def level_sizes(dims: Mapping[str, Any], side: int) -> list[Size]:
    """Height and width of the maps of every level, the first one's being `side`."""
    sides = [side]
    for _ in dims["unet_channels"][1:]:
        half = -(-sides[-1] // 2) if dims["padding"] == "symmetric" else sides[-1] // 2
        sides.append(half)
    return [(s, s) for s in sides]
