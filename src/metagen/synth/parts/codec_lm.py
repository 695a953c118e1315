"""A generator of sound: text encoder, codec, and a language model of the codec's codes."""

from __future__ import annotations

from collections.abc import Mapping
from math import log2, prod
from typing import TYPE_CHECKING, Any

from ..arrays import SIZES, concatenate
from .base import Flops, Linear, Part
from .code_lm import CodeLM, sinusoids
from .codec import Codec
from .prompt_encoder import PromptEncoder, seen_tokens
from .spectra import stft

if TYPE_CHECKING:
    from ..arrays import Array
    from ..trace import Trace

#: Pitch classes of a melody.
PITCHES = 12


class DecodingCodec(Codec):
    """The codec where sound is made: `length` counts steps of the language model.

    The codebooks lag behind each other, so that there are fewer frames than steps.
    """

    wrapped = False

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
        self.hop, self.size = hop, 4 * hop  # samples; those of a Fourier window

    def flops(self, batch: int, length: int) -> Flops:
        """The sums over bins; and 2.5 · N · log2 N for each real transform, uncounted."""
        sums = 2 * PITCHES * (self.size // 2 + 1) * self.rows
        transforms = int(2.5 * self.size * log2(self.size)) * (self.rows + 1)
        return super().flops(batch, length) + Flops(batch * sums, batch * transforms)

    def forward(self, waveform: Array) -> Array:
        """The loudest pitch class at every `hop`-th sample, (B, N) -> (B, rows, d_model)."""
        notes = self.chroma(waveform)
        if notes.trace.learns:
            notes = notes * 1.0  # nothing of those that are dropped
        notes = super().forward(notes.to(notes.trace.weights))
        return notes + sinusoids(notes.trace, *notes.shape[1:]).to(notes.dtype)

    def chroma(self, waveform: Array) -> Array:
        """(B, N) -> (B, rows, 12), whole numbers."""
        trace, bins = waveform.trace, self.size // 2 + 1
        spectrum = stft(waveform.float(), self.size, self.hop, mirrored=False)
        power = trace.compute((spectrum,), spectrum.shape[:-1]).apply("pow")
        power = power.narrow(2, self.rows)
        trace.new((PITCHES, bins), "int64")
        energy = (trace.new((PITCHES, bins), "fp32") @ power).transpose(1, 2)
        strongest = trace.compute((energy,), energy.shape, "int64")
        return strongest * energy.sum(-1, keepdim=True)


class CodecLM(Part):
    """The release; `length` counts the steps in which a clip is drawn.

    Guidance draws it with and without the condition at once.
    """

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        d_model, self.books = dims["d_model"], dims["n_codebooks"]
        self.passes = 2 if dims["conditioned"] and dims["guidance_scale"] != 1.0 else 1
        if dims["conditioned"]:
            self.text_encoder = PromptEncoder(dims)
        self.codec = DecodingCodec(dims)
        self.lm = CodeLM(dims, memory_positions(dims))
        if dims["conditioned"]:
            self.text_proj = Projection(dims["text_d_model"], d_model, dims["prompt_length"])
        if dims["melodic"]:
            hop = dims["melody_stride"] * self.codec.hop
            self.melody_proj = Melody(d_model, melody_positions(dims), hop)

    def waveform(self, length: int) -> tuple[int, int]:
        """Channels and samples of a sound that is drawn in `length` steps."""
        return self.codec.channels, (length - self.codec.late) * self.codec.hop

    def told(self, trace: Trace, batch: int, melody: Array | None) -> Array | None:
        """What the language model attends to, (B, S, d_model), if anything."""
        if "text_encoder" not in self.children:
            return None
        tokens = trace.new((batch, self.text_encoder.length), "int64")
        trace.keep(tokens)
        text = self.text_proj(self.text_encoder(tokens))
        text = text * seen_tokens(tokens).unsqueeze(-1)
        if melody is None or "melody_proj" not in self.children:
            return text
        return concatenate((text, self.melody_proj(melody.select(1))), 1)

    def loss(self, trace: Trace, batch: int, length: int) -> None:
        """The error of the language model, and the codec's, which learns at first."""
        waveform = trace.given(batch, *self.waveform(length))
        with trace.frozen():
            codes = self.codec.encode(waveform)
        self.lm.learn(codes, self.told(trace, batch, waveform))
        del codes
        with trace.first_stage():
            self.codec.learn(waveform)

    def answer(self, trace: Trace, batch: int, length: int) -> None:
        """A clip: what is told, a step in the middle, and the codec's decoder.

        Where nothing is told a sound is continued after its first frame. The state is counted
        beside the trace, and exists while codes are drawn alone.
        """
        state = SIZES[trace.weights] * batch * self.passes * self.state_elements(length)
        channels, samples = self.waveform(length)
        trace.live -= state
        melody = trace.new((batch, channels, samples)) if "melody_proj" in self.children else None
        with trace.phase("prompt"):
            told = [self.told(trace, batch, melody) for _ in range(self.passes)]
            memory = concatenate(told, 0) if self.passes > 1 else told[0]
            first = 1
            if memory is None:
                self.codec.encode(trace.new((batch, channels, self.codec.hop)))
                first += 1
            self.draw(trace, batch, first, memory)
        trace.live += state
        with trace.phase("decode", length - first):
            self.draw(trace, batch, 1, memory, length // 2)
        trace.live -= state
        del memory
        codes = trace.new((batch, self.books, length - self.codec.late), "int64")
        with trace.phase("decoder"):
            self.codec.decode(codes)
        trace.live += state

    def draw(
        self, trace: Trace, batch: int, steps: int, memory: Array | None, past: int = 0
    ) -> None:
        """Choose codes after the newest of `steps` steps."""
        unread = trace.new((self.passes * batch, self.books, steps), "int64")
        logits = self.lm(unread, memory, past).select(2)
        if self.passes > 1:
            with_it, without = logits.chunk(2, 0)
            logits = without + (with_it - without) * 1.0
        (logits.flatten(0, 1).float() / 1.0).softmax()


def melody_positions(dims: Mapping[str, Any]) -> int:
    """Positions of a melody as long as a clip."""
    return -(-dims["frames"] // dims["melody_stride"])


def memory_positions(dims: Mapping[str, Any]) -> int:
    """States that the language model attends to; 0 where nothing is asked of it."""
    if not dims["conditioned"]:
        return 0
    return dims["prompt_length"] + (melody_positions(dims) if dims["melodic"] else 0)
