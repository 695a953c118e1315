"""Streams of frames and sound: the causal transformer, the autoencoder of sound, the release."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import Any

from .autoencoder_kl import Autoencoder
from .base import Flops, Linear, Part, Repeat
from .convnets import Numbered
from .dit_block import (
    DitAttention,
    FinalLayer,
    Modulation,
    PerSample,
    TimeEmbedding,
    dit_mlp,
)
from .norms import Norm
from .prompt_encoder import PromptEncoder


def places(dims: Mapping[str, Any]) -> int:
    """Patches of a frame."""
    side = dims["image_size"] // 2 ** (len(dims["ae_channels"]) - 1) // dims["patch_size"]
    return side * side


def chunk_length(dims: Mapping[str, Any]) -> int:
    """Positions of a chunk: its patches, then its codes of sound."""
    return dims["chunk_frames"] // dims["tubelet"] * places(dims) + dims["chunk_codes"]


def picture_length(dims: Mapping[str, Any]) -> int:
    """Positions that the given picture takes."""
    return places(dims) if dims["reads_image"] else 0


class WaveConv(Part):
    """A convolution over samples; `per` samples stand for each position it is computed at."""

    def __init__(
        self, inputs: int, outputs: int, kernel: int, per: int, *, transposed: bool = False
    ) -> None:
        super().__init__()
        self.per = per
        ends = (inputs, outputs) if transposed else (outputs, inputs)
        self.parameter("weight", *ends, kernel)
        self.parameter("bias", outputs)

    def flops(self, batch: int, length: int) -> Flops:
        """2 · weights at every position of `length` samples."""
        return Flops(2 * batch * (length // self.per) * self.tensors["weight"].numel)


class SoundBlock(Part):
    """Two convolutions beside the identity."""

    def __init__(self, width: int, per: int) -> None:
        super().__init__()
        self.conv1 = WaveConv(width, width, 3, per)
        self.conv2 = WaveConv(width, width, 1, per)


class SoundAutoencoder(Part):
    """Causal convolutions to codes and back; `length` is in samples."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        ratios, codes = tuple(dims["sound_ratios"]), dims["sound_channels"]
        widths = [dims["sound_width"] * 2**i for i in range(len(ratios) + 1)]
        spans = [prod(ratios[:i]) for i in range(len(ratios) + 1)]
        down: list[Part] = [WaveConv(1, widths[0], 7, 1)]
        up: list[Part] = [WaveConv(codes, widths[-1], 3, spans[-1])]
        for i, ratio in enumerate(ratios):
            down.append(SoundBlock(widths[i], spans[i]))
            down.append(WaveConv(widths[i], widths[i + 1], 2 * ratio, spans[i + 1]))
        for i, ratio in reversed(list(enumerate(ratios))):
            above = widths[i + 1], widths[i]
            up.append(WaveConv(*above, 2 * ratio, spans[i + 1], transposed=True))
            up.append(SoundBlock(widths[i], spans[i]))
        down.append(WaveConv(widths[-1], codes, 1, spans[-1]))
        up.append(WaveConv(widths[0], 1, 7, 1))
        self.encoder, self.decoder = Numbered(*down), Numbered(*up)


class StreamAttention(DitAttention):
    """Attention to `past` positions that are kept, and to the present ones.

    `flops` are those of one chunk; `length` is the past.
    """

    def __init__(self, width: int, n_heads: int, present: int) -> None:
        super().__init__(width, n_heads, width)
        self.present = present

    def flops(self, batch: int, length: int) -> Flops:
        own = (child.flops(batch, self.present) for child in self.children.values())
        pairs = 4 * batch * self.width * self.present * (self.present + length)
        return sum(own, Flops(pairs))

    def state_elements(self, length: int) -> int:
        """A key and a value for each position."""
        return 2 * self.width * length


class StreamBlock(Part):
    """A modulated block with cross-attention; `length` is the past, the present one chunk."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        width, self.present = dims["d_model"], chunk_length(dims)
        self.modulation = Modulation(width, 6)
        self.attn = StreamAttention(width, dims["n_heads"], self.present)
        self.mlp = dit_mlp(width, dims["d_ff"])
        self.cross_norm = Norm(width, "layernorm", True)
        self.cross_attn = DitAttention(
            width, dims["n_heads"], dims["text_d_model"], dims["prompt_length"]
        )

    def flops(self, batch: int, length: int) -> Flops:
        others = (c.flops(batch, self.present) for n, c in self.children.items() if n != "attn")
        return sum(others, self.attn.flops(batch, length))


class AvatarDit(Part):
    """Twin of the denoiser; `flops` of one chunk behind a past of `length` positions."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        width = dims["d_model"]
        squares = dims["patch_size"] ** 2 * dims["latent_channels"]
        self.heard = dims["chunk_codes"]
        self.seen = chunk_length(dims) - self.heard
        self.patch_embed = Linear(dims["tubelet"] * squares, width, True)
        self.sound_embed = Linear(dims["sound_channels"], width, True)
        if dims["reads_image"]:
            self.picture_embed = Linear(squares, width, True)
        self.time_embed = TimeEmbedding(dims["time_features"], width)
        self.text_embed = PerSample(dims["text_d_model"], width)
        self.blocks = Repeat(StreamBlock(dims), dims["n_layers"])
        self.frames_final = FinalLayer(width, dims["tubelet"] * squares)
        self.sound_final = FinalLayer(width, dims["sound_channels"])

    def flops(self, batch: int, length: int) -> Flops:
        frames = (self.patch_embed, self.frames_final)
        sound = (self.sound_embed, self.sound_final)
        ends = [part.flops(batch, self.seen) for part in frames]
        ends += [part.flops(batch, self.heard) for part in sound]
        ends += [part.flops(batch, 1) for part in (self.time_embed, self.text_embed)]
        return sum(ends, self.blocks.flops(batch, length))


class Avatar(Part):
    """Prompt encoder, autoencoders of frames and of sound, denoiser; `flops` of one step."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        self.text_encoder = PromptEncoder(dims)
        self.autoencoder = Autoencoder(dims)
        self.sound = SoundAutoencoder(dims)
        self.denoiser = AvatarDit(dims)

    def flops(self, batch: int, length: int) -> Flops:
        return self.denoiser.flops(batch, length)

    def state_elements(self, length: int) -> int:
        return self.denoiser.state_elements(length)
