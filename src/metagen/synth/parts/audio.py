"""Spectrograms, and the transformer that classifies them."""

from __future__ import annotations

from collections.abc import Mapping
from math import log2
from typing import TYPE_CHECKING, Any

from ..arrays import concatenate
from .base import Flops, Part, Repeat
from .convolution import convolve
from .norms import Norm
from .vision import Head, VitBlock

if TYPE_CHECKING:
    from ..arrays import Array
    from ..trace import Trace


class LogMel(Part):
    """Short-time Fourier transform and mel filters: no tensors, only work."""

    def __init__(self, n_mels: int, n_frames: int, sample_rate: int) -> None:
        super().__init__()
        self.n_mels, self.n_frames = n_mels, n_frames
        self.n_fft = round(0.025 * sample_rate)  # frames of 25 ms
        self.samples = n_frames * round(0.010 * sample_rate)  # one every 10 ms
        self.bins = self.n_fft // 2 + 1
        self.transforms = int(2.5 * self.n_fft * log2(self.n_fft) * (n_frames + 1))

    def flops(self, batch: int, length: int) -> Flops:
        """The filters' product; and 2.5 · N · log2 N for each real transform, uncounted."""
        product = 2 * self.n_mels * self.bins * self.n_frames
        return Flops(batch * product, batch * self.transforms)

    def forward(self, waveform: Array) -> Array:
        """(B, samples) -> (B, n_mels, n_frames); numbers of the spectrum are complex."""
        trace, batch = waveform.trace, waveform.shape[0]
        frames = self.n_frames + 1
        framed = trace.compute(
            (waveform.float().pad(-1, 2 * (self.n_fft // 2)),), (batch, frames, self.n_fft)
        )
        shape = (batch, frames, self.bins, 2)
        spectrum = trace.compute((framed,), shape, flops=batch * self.transforms)
        del framed
        spectrum = spectrum.narrow(1, self.n_frames).transpose(1, 2)
        power = trace.compute((spectrum,), spectrum.shape[:-1]).apply("pow")
        log = (self.filters(trace) @ power).apply("clamp").apply("log")
        log = log + log.narrow(1, 1).narrow(2, 1)
        return (log + 4.0) / 4.0

    def filters(self, trace: Trace) -> Array:
        """The filters, (n_mels, bins), after up to four steps in double precision."""
        trace.new((4, self.n_mels, self.bins, 2), "fp32")
        return trace.new((self.n_mels, self.bins), "fp32")


class SpectrogramPatches(Part):
    """Twin of an `nn.Conv2d` with one input channel, whose patches overlap."""

    def __init__(self, d_model: int, patch_size: int, patches: int) -> None:
        super().__init__()
        self.patches = patches
        self.parameter("weight", d_model, 1, patch_size, patch_size)
        self.parameter("bias", d_model)

    def flops(self, batch: int, length: int) -> Flops:
        return Flops(2 * batch * self.patches * self.tensors["weight"].numel)

    def forward(self, x: Array) -> Array:
        """(B, 1, rows, columns) -> (B, N, d_model)."""
        return convolve(x, x.trace.matrix(self), (self.patches,)).transpose(1, 2)


def patches(dims: Mapping[str, Any]) -> tuple[int, int]:
    """Rows (frequency) and columns (time) of patches of a spectrogram."""
    rows = (dims["n_mels"] - dims["patch_size"]) // dims["freq_stride"] + 1
    return rows, (dims["n_frames"] - dims["patch_size"]) // dims["time_stride"] + 1


def positions(dims: Mapping[str, Any]) -> int:
    """Patches and the tokens that stand before them."""
    rows, columns = patches(dims)
    return rows * columns + (2 if dims["distilled"] else 1)


def audio_block(dims: Mapping[str, Any]) -> VitBlock:
    """One layer over the patches."""
    sizes = (dims[k] for k in ("d_model", "n_heads", "head_dim", "d_ff"))
    return VitBlock(*sizes, qkv_bias=dims["attn_qkv_bias"], activation=dims["activation"])


class AudioClassifier(Part):
    """Audio Spectrogram Transformer (Gong et al., 2021) over waveforms."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        d_model = dims["d_model"]
        rows, columns = patches(dims)
        self.parameter("class_token", 1, 1, d_model)
        if dims["distilled"]:
            self.parameter("distill_token", 1, 1, d_model)
        self.parameter("pos_embed", 1, positions(dims), d_model)
        self.log_mel = LogMel(dims["n_mels"], dims["n_frames"], dims["sample_rate"])
        self.patch_embed = SpectrogramPatches(d_model, dims["patch_size"], rows * columns)
        self.blocks = Repeat(audio_block(dims), dims["n_layers"])
        self.norm = Norm(d_model, "layernorm", True)
        self.head_norm = Norm(d_model, "layernorm", True)
        self.head = Head(d_model, dims["num_classes"])

    def forward(self, waveform: Array) -> Array:
        """(B, samples) -> (B, V)."""
        trace = waveform.trace
        images = self.log_mel(waveform).unsqueeze(1).to(trace.weights)
        x = self.patch_embed(images)
        tokens = [
            trace.weight(self, name)
            for name in ("class_token", "distill_token")
            if name in self.tensors
        ]
        if len(tokens) > 1:
            tokens = [concatenate(tokens, 1)]
        first = tokens[0].expand(x.shape[0], *tokens[0].shape[1:])
        x = concatenate((first, x), 1) + trace.weight(self, "pos_embed")
        for block in self.blocks.each(trace):
            x = block(x)
        x = self.norm(x)
        pooled = x.select(1)
        if "distill_token" in self.tensors:
            pooled = (pooled + x.select(1)) / 2.0
        return self.head(self.head_norm(pooled))

    def loss(self, trace: Trace, batch: int, length: int) -> None:
        """The training pass over `batch` clips."""
        self(trace.given(batch, self.log_mel.samples)).float().cross_entropy()

    def answer(self, trace: Trace, batch: int, length: int) -> None:
        """Scores of `batch` clips, which are there first."""
        self(trace.new((batch, self.log_mel.samples), "fp32"))
