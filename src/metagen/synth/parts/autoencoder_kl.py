"""The KL-regularised autoencoder of pictures."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any

from .base import Flops, Linear, Numbered, Part
from .convolution import Conv2d, GroupNorm, Size, at_places, padded, resized

if TYPE_CHECKING:
    from ..arrays import Array
    from ..trace import Trace


class ConvBlock(Part):
    """Two normalised 3x3 convolutions beside a shortcut, which is 1x1 where the width changes."""

    def __init__(self, in_width: int, width: int, groups: int, size: Size) -> None:
        super().__init__()
        self.norm1 = GroupNorm(in_width, groups)
        self.conv1 = Conv2d(in_width, width, 3, size, padding=1)
        self.norm2 = GroupNorm(width, groups)
        self.conv2 = Conv2d(width, width, 3, size, padding=1)
        if in_width != width:
            self.shortcut = Conv2d(in_width, width, 1, size)

    def forward(self, x: Array) -> Array:
        """(B, W, Y, X) -> (B, W', Y, X), recomputed in backward where the trace says so."""
        return x.trace.checkpointed(self._forward, x)

    def _forward(self, x: Array) -> Array:
        y = self.conv1(self.norm1(x).apply("silu"))
        straight = self.shortcut(x) if "shortcut" in self.children else x
        return straight + self.conv2(self.norm2(y).apply("silu"))


class PlaceAttention(Part):
    """Attention with one head between all places of a feature map."""

    def __init__(self, width: int, groups: int, size: Size) -> None:
        super().__init__()
        self.width, self.places = width, prod(size)
        self.norm = GroupNorm(width, groups)
        self.q_proj = Linear(width, width, True)
        self.k_proj = Linear(width, width, True)
        self.v_proj = Linear(width, width, True)
        self.o_proj = Linear(width, width, True)

    def flops(self, batch: int, length: int) -> Flops:
        """Projections, scores and weighted sum: 4 · width for each pair of places."""
        pairs = Flops(4 * batch * self.width * self.places**2)
        return super().flops(batch, self.places) + pairs

    def forward(self, x: Array) -> Array:
        """(B, W, y, x) -> the same."""
        places = self.norm(x).flatten(2).transpose(1, 2)
        projections = self.q_proj, self.k_proj, self.v_proj
        q, k, v = (at_places(project, places).unsqueeze(1) for project in projections)
        mixed = x.trace.attend(q, k, v).select(1)
        return x + self.o_proj(mixed).transpose(1, 2).view(*x.shape)


class Middle(Part):
    """What stands at the lowest resolution."""

    def __init__(self, width: int, groups: int, size: Size, attention: bool) -> None:
        super().__init__()
        self.first = ConvBlock(width, width, groups, size)
        if attention:
            self.attn = PlaceAttention(width, groups, size)
        self.second = ConvBlock(width, width, groups, size)


class Resample(Part):
    """A 3x3 convolution at the size that it makes: half or twice the one that it is given."""

    def __init__(self, width: int, made: Size) -> None:
        super().__init__()
        self.conv = Conv2d(width, width, 3, made, padding=1)

    def forward(self, x: Array) -> Array:
        """(B, W, Y, X) -> (B, W, *made)."""
        height, width = x.shape[2:]
        if height > self.conv.out[0]:
            return self.conv(padded(x, (height + 1, width + 1)))
        return self.conv(resized(x, self.conv.out))


class Encoder(Part):
    """Pictures to the moments of their codes."""

    def __init__(self, dims: Mapping[str, Any], size: Size) -> None:
        super().__init__()
        widths, groups = tuple(dims["ae_channels"]), dims["ae_groups"]
        self.conv_in = Conv2d(dims["channels"], widths[0], 3, size, padding=1)
        stages: list[Part] = []
        for i, width in enumerate(widths):
            if i:
                size = halved(size)
                stages.append(Resample(widths[i - 1], size))
            before, layers = widths[max(0, i - 1)], dims["ae_layers_per_block"]
            stages += _blocks(before, width, layers, groups, size)
        self.stages = Numbered(*stages)
        self.middle = Middle(widths[-1], groups, size, dims["ae_mid_attention"])
        self.norm = GroupNorm(widths[-1], groups)
        self.conv_out = Conv2d(widths[-1], 2 * dims["latent_channels"], 3, size, padding=1)
        self.out = size

    def forward(self, x: Array) -> Array:
        """(B, C, Y, X) -> (B, 2Z, y, x)."""
        x = self.conv_in(x)
        for stage in self.stages.children.values():
            x = stage(x)
        x = self.middle(x)
        return self.conv_out(self.norm(x).apply("silu"))


class Decoder(Part):
    """Codes to pictures."""

    def __init__(self, dims: Mapping[str, Any], size: Size) -> None:
        super().__init__()
        widths, groups = tuple(dims["ae_channels"])[::-1], dims["ae_groups"]
        self.conv_in = Conv2d(dims["latent_channels"], widths[0], 3, size, padding=1)
        self.middle = Middle(widths[0], groups, size, dims["ae_mid_attention"])
        stages: list[Part] = []
        for i, width in enumerate(widths):
            if i:
                size = size[0] * 2, size[1] * 2
                stages.append(Resample(widths[i - 1], size))
            before, layers = widths[max(0, i - 1)], dims["ae_layers_per_block"] + 1
            stages += _blocks(before, width, layers, groups, size)
        self.stages = Numbered(*stages)
        self.norm = GroupNorm(widths[-1], groups)
        self.conv_out = Conv2d(widths[-1], dims["channels"], 3, size, padding=1)

    def forward(self, x: Array) -> Array:
        """(B, Z, y, x) -> (B, C, Y, X)."""
        x = self.middle(self.conv_in(x))
        for stage in self.stages.children.values():
            x = stage(x)
        return self.conv_out(self.norm(x).apply("silu"))


class Autoencoder(Part):
    """Encoder, decoder, and 1x1 convolutions of codes; `flops` encodes and decodes.

    Pictures are `size` (height, width), by default squares of `image_size`. Codes of `unit` scale
    are those that a denoiser learns.
    """

    def __init__(
        self, dims: Mapping[str, Any], size: Size | None = None, *, unit: bool = False
    ) -> None:
        super().__init__()
        codes, self.unit = dims["latent_channels"], unit
        size = size or (dims["image_size"], dims["image_size"])
        self.picture = dims["channels"], *size
        self.encoder = Encoder(dims, size)
        self.decoder = Decoder(dims, self.encoder.out)
        self.code = codes, *self.encoder.out
        if dims["ae_quant_conv"]:
            self.quant_conv = Conv2d(2 * codes, 2 * codes, 1, self.encoder.out)
        if dims["ae_post_quant_conv"]:
            self.post_quant_conv = Conv2d(codes, codes, 1, self.encoder.out)

    def encode_flops(self, batch: int) -> Flops:
        """FLOPs of `encode`."""
        return _sum(self, ("encoder", "quant_conv"), batch)

    def decode_flops(self, batch: int) -> Flops:
        """FLOPs of `decode`."""
        return _sum(self, ("post_quant_conv", "decoder"), batch)

    def encode(self, images: Array) -> Array:
        """Mean and log-variance of the codes, (B, C, Y, X) -> (B, 2Z, y, x)."""
        moments = self.encoder(images)
        return self.quant_conv(moments) if "quant_conv" in self.children else moments

    def decode(self, latents: Array) -> Array:
        """Pictures of codes, (B, Z, y, x) -> (B, C, Y, X)."""
        if "post_quant_conv" in self.children:
            latents = self.post_quant_conv(latents)
        return self.decoder(latents)

    def latents(self, images: Array) -> Array:
        """The means of the codes of pictures, (B, C, Y, X) -> (B, Z, y, x)."""
        return self.drawn(self.encode(images))

    def drawn(self, moments: Array, noise: Array | None = None) -> Array:
        """Codes with these moments, (B, 2Z, y, x) -> (B, Z, y, x)."""
        codes, log_variance = bounded(moments)
        if noise is not None:
            codes = codes + (log_variance / 2).apply("exp") * noise
        return unit_scale(codes) if self.unit else codes

    def reconstruction_loss(self, images: Array, noise: Array) -> None:
        """What reconstructions miss, and the divergence of the codes."""
        moments = self.encode(images)
        difference(self.decode(self.drawn(moments, noise)), images)
        mean, log_variance = bounded(moments)
        (mean.apply("pow") + log_variance.apply("exp") - 1.0 - log_variance).sum()

    def loss(self, trace: Trace, batch: int, length: int) -> None:
        """The training pass over `batch` pictures."""
        images, noise = trace.given(batch, *self.picture), trace.given(batch, *self.code)
        self.reconstruction_loss(images, noise)

    def answer(self, trace: Trace, batch: int, length: int) -> None:
        """Pictures to codes and back."""
        images = trace.new((batch, *self.picture))
        self.decode(self.latents(images))


def bounded(moments: Array) -> tuple[Array, Array]:
    """Mean and log-variance, (B, 2Z, y, x) -> (B, Z, y, x) twice, in fp32."""
    mean, log_variance = moments.float().chunk(2, 1)
    return mean, log_variance.apply("clamp")


def unit_scale(codes: Array) -> Array:
    """Codes of mean 0 and variance 1, (B, Z, y, x): a LayerNorm over all but the batch."""
    return codes.trace.normalise(codes.flatten(1)).view(*codes.shape)


def difference(made: Array, images: Array) -> None:
    """Mean absolute and mean squared difference of pictures."""
    error = made.float() - images
    error.apply("abs").mean() + error.apply("pow").mean()


def halved(size: Size) -> Size:
    """What a stride of 2 with one row and column of padding leaves."""
    return size[0] // 2, size[1] // 2


def _blocks(in_width: int, width: int, n: int, groups: int, size: Size) -> list[Part]:
    """`n` blocks of a stage, of which the first may change the width."""
    return [ConvBlock(in_width if j == 0 else width, width, groups, size) for j in range(n)]


def _sum(part: Part, names: tuple[str, ...], batch: int) -> Flops:
    found = (part.children[name] for name in names if name in part.children)
    return sum((child.flops(batch, 1) for child in found), Flops())
