"""The encoder–decoder, its blocks and their attention."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .base import Embedding, Flops, Linear, Part, Repeat
from .mlp import MLP
from .norms import Norm


class MultiHeadAttention(Part):
    """Attention of equally many query, key and value heads.

    `memory` is the fixed number of keys of a cross-attention; None where there are as many keys as
    queries.
    """

    def __init__(self, dims: Mapping[str, Any], *, causal: bool = False) -> None:
        super().__init__()
        d_model, width = dims["d_model"], dims["n_heads"] * dims["head_dim"]
        self.width, self.causal = width, causal
        self.q_proj = Linear(d_model, width, dims["attn_bias"])
        self.k_proj = Linear(d_model, width, dims["key_bias"])
        self.v_proj = Linear(d_model, width, dims["attn_bias"])
        self.o_proj = Linear(width, d_model, dims["attn_bias"])

    def flops(self, batch: int, length: int) -> Flops:
        """Projections, scores and weighted sum over all pairs of positions."""
        pairs = length * length
        masked = pairs - length * (length + 1) // 2 if self.causal else 0
        per_pair = 4 * batch * self.width
        return super().flops(batch, length) + Flops(per_pair * pairs, 0, per_pair * masked)

    def state_elements(self, length: int) -> int:
        """Keys and values of the target; an encoder keeps none."""
        return 2 * self.width * length if self.causal else 0


class CrossAttention(MultiHeadAttention):
    """Attention to a source of `memory` positions, or of as many as the target has."""

    def __init__(self, dims: Mapping[str, Any], memory: int | None) -> None:
        super().__init__(dims)
        self.memory = memory

    def flops(self, batch: int, length: int) -> Flops:
        """The source passes the key and value projections, the target the others."""
        source = self.memory or length
        mine = self.q_proj.flops(batch, length) + self.o_proj.flops(batch, length)
        theirs = self.k_proj.flops(batch, source) + self.v_proj.flops(batch, source)
        return mine + theirs + Flops(4 * batch * self.width * length * source)

    def state_elements(self, length: int) -> int:
        """Keys and values of the source, kept while the target is written."""
        return 2 * self.width * (self.memory or length)


def _norm(dims: Mapping[str, Any]) -> Norm:
    return Norm(dims["d_model"], dims["norm"], bias=True)


def _mlp(dims: Mapping[str, Any]) -> MLP:
    return MLP(dims["d_model"], dims["d_ff"], gated=dims["mlp"] == "gated", bias=dims["mlp_bias"])


class EncoderBlock(Part):
    """Attention in both directions and MLP; `length` positions, or those of the sound."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        self.attn_norm = _norm(dims)
        self.attn = MultiHeadAttention(dims)
        self.mlp_norm = _norm(dims)
        self.mlp = _mlp(dims)


class DecoderBlock(Part):
    """Causal attention, attention to the source, and MLP."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        self.attn_norm = _norm(dims)
        self.attn = MultiHeadAttention(dims, causal=True)
        self.cross_norm = _norm(dims)
        self.cross = CrossAttention(dims, positions(dims))
        self.mlp_norm = _norm(dims)
        self.mlp = _mlp(dims)


class Layer(Part):
    """One encoder block and one decoder block: what a layer of both stacks costs."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        self.encoder = EncoderBlock(dims)
        self.decoder = DecoderBlock(dims)


class Conv1d(Part):
    """Twin of `nn.Conv1d` with a bias, over `out_length` output positions."""

    def __init__(self, in_channels: int, out_channels: int, kernel: int, out_length: int) -> None:
        super().__init__()
        self.out_length = out_length
        self.parameter("weight", out_channels, in_channels, kernel)
        self.parameter("bias", out_channels)

    def flops(self, batch: int, length: int) -> Flops:
        return Flops(2 * batch * self.out_length * self.tensors["weight"].numel)


class Table(Part):
    """Twin of an `nn.Embedding` of positions; a sinusoidal one is not trained."""

    def __init__(self, rows: int, width: int, trainable: bool = True) -> None:
        super().__init__()
        self.parameter("weight", rows, width, trainable=trainable)


class EncoderStack(Repeat):
    """Encoder blocks, whose length is that of the sound where the source is audio."""

    def __init__(self, block: Part, n: int, length: int | None) -> None:
        super().__init__(block, n)
        self.length = length

    def flops(self, batch: int, length: int) -> Flops:
        return super().flops(batch, self.length or length)


class EncoderDecoder(Part):
    """Two stacks of blocks between an embedding (or convolutions over sound) and a head.

    FLOPs count `length` target tokens, and as many source tokens or the fixed positions of sound.
    """

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        d_model, pos = dims["d_model"], dims["pos"]
        audio = dims["source"] == "audio"
        self.mel = 2 * dims["n_mels"] * mel_bins(dims) * frames(dims) if audio else 0
        fixed = pos == "sinusoidal"
        if dims["logits_bias"]:
            self.buffer("logits_bias", 1, dims["vocab_size"])
        self.embed = Embedding(dims["vocab_size"], d_model)
        if audio:
            self.conv1 = Conv1d(dims["n_mels"], d_model, 3, frames(dims))
            self.conv2 = Conv1d(d_model, d_model, 3, dims["audio_positions"])
            self.encoder_pos_embed = Table(dims["audio_positions"], d_model, trainable=False)
        elif pos in ("learned", "sinusoidal"):
            self.encoder_pos_embed = Table(dims["pos_rows"], d_model, not fixed)
        elif pos == "relative":
            self.encoder_bias = Table(dims["rel_buckets"], dims["n_heads"])
        if dims["embed_norm"]:
            self.encoder_embed_norm = _norm(dims)
        self.encoder_blocks = EncoderStack(EncoderBlock(dims), dims["n_layers"], positions(dims))
        if dims["final_norm"]:
            self.encoder_norm = _norm(dims)
        if pos in ("learned", "sinusoidal"):
            self.decoder_pos_embed = Table(dims["pos_rows"], d_model, not fixed)
        elif pos == "relative":
            self.decoder_bias = Table(dims["rel_buckets"], dims["n_heads"])
        if dims["embed_norm"]:
            self.decoder_embed_norm = _norm(dims)
        self.decoder_blocks = Repeat(DecoderBlock(dims), decoder_layers(dims))
        if dims["final_norm"]:
            self.decoder_norm = _norm(dims)
        self.lm_head = Linear(d_model, dims["vocab_size"])
        if dims["tied"]:
            self.tie("lm_head.weight", "embed.weight")

    def flops(self, batch: int, length: int) -> Flops:
        """The parts' sum and the mel filters; the Fourier transform of the sound is uncounted."""
        return super().flops(batch, length) + Flops(batch * self.mel)


def decoder_layers(dims: Mapping[str, Any]) -> int:
    """Decoder blocks: as many as the encoder has unless stated."""
    return dims["n_layers"] if dims["n_decoder_layers"] is None else dims["n_decoder_layers"]


def positions(dims: Mapping[str, Any]) -> int | None:
    """Encoder positions of the sound; None where the source is text of any length."""
    return dims["audio_positions"] if dims["source"] == "audio" else None


def frames(dims: Mapping[str, Any]) -> int:
    """Frames of the log-mel spectrogram, of which the second convolution keeps every other one."""
    return 2 * dims["audio_positions"]


def mel_bins(dims: Mapping[str, Any]) -> int:
    """Bins of a Fourier window of 25 ms."""
    return round(0.025 * dims["sample_rate"]) // 2 + 1
