"""Spectrograms, and the transformer that classifies them."""

from __future__ import annotations

from collections.abc import Mapping
from math import log2
from typing import Any

from .base import Flops, Part, Repeat
from .norms import Norm
from .vision import Head, VitBlock


class LogMel(Part):
    """Short-time Fourier transform and mel filters: no tensors, only work."""

    def __init__(self, n_mels: int, n_frames: int, sample_rate: int) -> None:
        super().__init__()
        self.n_mels, self.n_frames = n_mels, n_frames
        self.n_fft = round(0.025 * sample_rate)  # frames of 25 ms

    def flops(self, batch: int, length: int) -> Flops:
        """The filters' product; and 2.5 · N · log2 N for each real transform, uncounted."""
        product = 2 * self.n_mels * (self.n_fft // 2 + 1) * self.n_frames
        transforms = int(2.5 * self.n_fft * log2(self.n_fft) * (self.n_frames + 1))
        return Flops(batch * product, batch * transforms)


class SpectrogramPatches(Part):
    """Twin of an `nn.Conv2d` with one input channel, whose patches overlap."""

    def __init__(self, d_model: int, patch_size: int, patches: int) -> None:
        super().__init__()
        self.patches = patches
        self.parameter("weight", d_model, 1, patch_size, patch_size)
        self.parameter("bias", d_model)

    def flops(self, batch: int, length: int) -> Flops:
        return Flops(2 * batch * self.patches * self.tensors["weight"].numel)


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
    return VitBlock(*sizes, qkv_bias=dims["attn_qkv_bias"])


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
