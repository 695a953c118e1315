"""A generator of sound: text encoder, codec, and a language model of the codec's codes."""

from __future__ import annotations

from collections.abc import Mapping
from math import log2, prod
from typing import Any

from .base import Flops, Linear, Part
from .code_lm import CodeLM
from .codec import Codec
from .prompt_encoder import PromptEncoder

#: Pitch classes of a melody.
PITCHES = 12


class DecodingCodec(Codec):
    """The codec where sound is made: `length` counts steps of the language model.

    The codebooks lag behind each other, so that there are fewer frames than steps.
    """

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__(dims)
        self.hop, self.late = prod(dims["ratios"]), dims["n_codebooks"] - 1

    def flops(self, batch: int, length: int) -> Flops:
        """From codes to the waveform."""
        return self.decoder.flops(batch, max(1, length - self.late) * self.hop)

    def training(self, batch: int, samples: int) -> Flops:
        """To codes and back, of waveforms of so many samples."""
        return super().flops(batch, samples)


class Projection(Linear):
    """A linear layer over as many `rows` whatever the length."""

    def __init__(self, in_features: int, out_features: int, rows: int) -> None:
        super().__init__(in_features, out_features, True)
        self.rows = rows

    def flops(self, batch: int, length: int) -> Flops:
        return super().flops(batch, self.rows)


class Melody(Projection):
    """Pitch classes of a waveform, and their projection."""

    def __init__(self, d_model: int, rows: int, hop: int) -> None:
        super().__init__(PITCHES, d_model, rows)
        self.size = 4 * hop  # samples of a Fourier window

    def flops(self, batch: int, length: int) -> Flops:
        """The sums over bins; and 2.5 · N · log2 N for each real transform, uncounted."""
        sums = 2 * PITCHES * (self.size // 2 + 1) * self.rows
        transforms = int(2.5 * self.size * log2(self.size)) * (self.rows + 1)
        return super().flops(batch, length) + Flops(batch * sums, batch * transforms)


class CodecLM(Part):
    """The release; `length` counts the steps in which a clip is drawn."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        d_model = dims["d_model"]
        if dims["conditioned"]:
            self.text_encoder = PromptEncoder(dims)
        self.codec = DecodingCodec(dims)
        self.lm = CodeLM(dims, memory_positions(dims))
        if dims["conditioned"]:
            self.text_proj = Projection(dims["text_d_model"], d_model, dims["prompt_length"])
        if dims["melodic"]:
            hop = dims["melody_stride"] * self.codec.hop
            self.melody_proj = Melody(d_model, melody_positions(dims), hop)


def melody_positions(dims: Mapping[str, Any]) -> int:
    """Positions of a melody as long as a clip."""
    return -(-dims["frames"] // dims["melody_stride"])


def memory_positions(dims: Mapping[str, Any]) -> int:
    """States that the language model attends to; 0 where nothing is asked of it."""
    if not dims["conditioned"]:
        return 0
    return dims["prompt_length"] + (melody_positions(dims) if dims["melodic"] else 0)
