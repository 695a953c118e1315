"""The encoder–decoder, its blocks and their attention."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..arrays import broadcast
from .attention import Span
from .audio import LogMel
from .base import Embedding, Flops, Linear, Part, Repeat
from .convolution import convolve
from .mlp import MLP
from .norms import Norm

if TYPE_CHECKING:
    from ..arrays import Array
    from ..trace import Trace


class MultiHeadAttention(Part):
    """Attention of equally many query, key and value heads.

    `memory` is the fixed number of keys of a cross-attention; None where there are as many keys as
    queries.
    """

    def __init__(self, dims: Mapping[str, Any], *, causal: bool = False) -> None:
        super().__init__()
        d_model, width = dims["d_model"], dims["n_heads"] * dims["head_dim"]
        self.width, self.causal, self.n_heads = width, causal, dims["n_heads"]
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

    def heads(self, x: Array) -> Array:
        """(B, T, H · K) -> (B, H, T, K)."""
        return x.unflatten(-1, (self.n_heads, -1)).transpose(1, 2)

    def attend(
        self,
        q: Array,
        k: Array,
        v: Array,
        mask: Array | None,
        causal: bool,
        *,
        ordered: bool = False,
    ) -> Array:
        """(B, H, T, K) on (B, H, S, K) twice -> (B, T, d_model); `ordered` q lie head by head."""
        y = q.trace.attend(q, k, v, mask, causal=causal).transpose(1, 2)
        if ordered or q.trace.stepwise(mask):
            y = y.copy()
        return self.o_proj(y.flatten(2))

    def forward(self, x: Array, span: Span) -> Array:
        """(B, T, d_model) -> the same; a past is read from a cache, which exists anyway."""
        trace, length = x.trace, x.shape[1]
        q, k, v = (self.heads(linear(x)) for linear in (self.q_proj, self.k_proj, self.v_proj))
        if span.rotary:
            q, k = span.rotary(q), span.rotary(k)
        if span.past:
            seen = (*k.shape[:2], span.past + length, k.shape[3])
            k, v = (trace.given(*seen, dtype=a.dtype) for a in (k, v))
        causal = self.causal and span.mask is None and length > 1
        return self.attend(q, k, v, span.mask, causal, ordered=bool(span.rotary))


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

    def keys_values(self, memory: Array) -> tuple[Array, Array]:
        """What the decoder looks up, (B, S, d_model) -> (B, H, S, K) twice."""
        return self.heads(self.k_proj(memory)), self.heads(self.v_proj(memory))

    def forward(self, x: Array, k: Array, v: Array, mask: Array | None = None) -> Array:
        """(B, T, d_model) to (B, H, S, K) twice -> (B, T, d_model)."""
        return self.attend(self.heads(self.q_proj(x)), k, v, mask, causal=False)


def _norm(dims: Mapping[str, Any]) -> Norm:
    return Norm(dims["d_model"], dims["norm"], bias=True)


def _mlp(dims: Mapping[str, Any]) -> MLP:
    return MLP(
        dims["d_model"],
        dims["d_ff"],
        gated=dims["mlp"] == "gated",
        bias=dims["mlp_bias"],
        activation=dims["activation"],
    )


class EncoderBlock(Part):
    """Attention in both directions and MLP; `length` positions, or those of the sound."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        self.post_norm = dims["post_norm"]
        self.attn_norm = _norm(dims)
        self.attn = MultiHeadAttention(dims)
        self.mlp_norm = _norm(dims)
        self.mlp = _mlp(dims)

    def forward(self, x: Array, span: Span) -> Array:
        """(B, S, d_model) -> the same."""
        if self.post_norm:
            x = self.attn_norm(x + self.attn(x, span))
            return self.mlp_norm(x + self.mlp(x))
        x = x + self.attn(self.attn_norm(x), span)
        return x + self.mlp(self.mlp_norm(x))


class DecoderBlock(Part):
    """Causal attention, attention to the source, and MLP."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        self.post_norm = dims["post_norm"]
        self.attn_norm = _norm(dims)
        self.attn = MultiHeadAttention(dims, causal=True)
        self.cross_norm = _norm(dims)
        self.cross = CrossAttention(dims, positions(dims))
        self.mlp_norm = _norm(dims)
        self.mlp = _mlp(dims)

    def forward(self, x: Array, span: Span, memory: Array, mask: Array | None = None) -> Array:
        """(B, T, d_model) to (B, S, d_model) -> (B, T, d_model).

        After a past, keys and values of the source are known.
        """
        if span.past:
            heads = self.cross.n_heads
            seen = (x.shape[0], heads, memory.shape[1], self.cross.width // heads)
            k, v = (x.trace.given(*seen, dtype=x.dtype) for _ in range(2))
        else:
            k, v = self.cross.keys_values(memory)
        if self.post_norm:
            x = self.attn_norm(x + self.attn(x, span))
            x = self.cross_norm(x + self.cross(x, k, v, mask))
            return self.mlp_norm(x + self.mlp(x))
        x = x + self.attn(self.attn_norm(x), span)
        x = x + self.cross(self.cross_norm(x), k, v, mask)
        return x + self.mlp(self.mlp_norm(x))


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

    def forward(self, x: Array) -> Array:
        """(B, in_channels, length) -> (B, out_channels, out_length)."""
        return convolve(x, x.trace.matrix(self), (self.out_length,))


class Table(Part):
    """Twin of an `nn.Embedding` of positions; a sinusoidal one is not trained."""

    def __init__(self, rows: int, width: int, trainable: bool = True) -> None:
        super().__init__()
        self.parameter("weight", rows, width, trainable=trainable)

    def forward(self, x: Array) -> Array:
        """(...,) -> (..., width)."""
        width = self.tensors["weight"].shape[1]
        return x.trace.compute((x.trace.weight(self),), (*x.shape, width), read=0)


class RelativeBias(Table):
    """A score for each head and bucket of distances."""

    def between(self, trace: Trace, queries: int, keys: int) -> Array:
        """Scores to add, (1, H, T, S); backward keeps the buckets."""
        shape = (queries, keys)
        _steps = [trace.new(shape, kind) for kind in ("int64", "int64", "fp32", "int64")]
        buckets = trace.new(shape, "int64")
        trace.keep(buckets)
        return self(buckets).permute(2, 0, 1).unsqueeze(0)


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
        self.scaled, self.head_scaled = dims["embed_scale"], dims["head_scale"]
        self.rotated = dims["head_dim"] if pos == "rope" else 0
        fixed = pos == "sinusoidal"
        if dims["logits_bias"]:
            self.buffer("logits_bias", 1, dims["vocab_size"])
        self.embed = Embedding(dims["vocab_size"], d_model)
        if audio:
            self.log_mel = LogMel(dims["n_mels"], frames(dims), dims["sample_rate"])
            self.conv1 = Conv1d(dims["n_mels"], d_model, 3, frames(dims))
            self.conv2 = Conv1d(d_model, d_model, 3, dims["audio_positions"])
            self.encoder_pos_embed = Table(dims["audio_positions"], d_model, trainable=False)
        elif pos in ("learned", "sinusoidal"):
            self.encoder_pos_embed = Table(dims["pos_rows"], d_model, not fixed)
        elif pos == "relative":
            self.encoder_bias = RelativeBias(dims["rel_buckets"], dims["n_heads"])
        if dims["embed_norm"]:
            self.encoder_embed_norm = _norm(dims)
        self.encoder_blocks = EncoderStack(EncoderBlock(dims), dims["n_layers"], positions(dims))
        if dims["final_norm"]:
            self.encoder_norm = _norm(dims)
        if pos in ("learned", "sinusoidal"):
            self.decoder_pos_embed = Table(dims["pos_rows"], d_model, not fixed)
        elif pos == "relative":
            self.decoder_bias = RelativeBias(dims["rel_buckets"], dims["n_heads"])
        if dims["embed_norm"]:
            self.decoder_embed_norm = _norm(dims)
        self.decoder_blocks = Repeat(DecoderBlock(dims), decoder_layers(dims))
        if dims["final_norm"]:
            self.decoder_norm = _norm(dims)
        self.lm_head = Linear(d_model, dims["vocab_size"])
        if dims["tied"]:
            self.tie("lm_head.weight", "embed.weight")

    def encode(self, source: Array, mask: Array | None = None) -> Array:
        """Hidden states of the source, (B, S, d_model); `mask`, (B, S), has padding."""
        trace = source.trace
        if "log_mel" in self.children:
            x = self.conv1(self.log_mel(source).to(trace.weights)).apply("gelu")
            x = self.conv2(x).apply("gelu").transpose(1, 2)
        else:
            x = self.embed(source)
            if self.scaled:
                x = x * 1.0
        length = x.shape[1]
        if mask is not None:
            mask = mask.view(mask.shape[0], 1, 1, length)
        if "encoder_pos_embed" in self.children:
            x = x + self.encoder_pos_embed(trace.given(length, dtype="int64"))
        elif "encoder_bias" in self.children:
            bias = self.encoder_bias.between(trace, length, length)
            mask = bias if mask is None else hidden_scores(bias, mask)
        span = Span(trace, length, rotary=self.rotated)
        span.mask = mask
        if "encoder_embed_norm" in self.children:
            x = self.encoder_embed_norm(x)
        for block in self.encoder_blocks.each(trace, wrapped=True):
            x = block(x, span)
        return self.encoder_norm(x) if "encoder_norm" in self.children else x

    def decode(
        self, target: Array, memory: Array, mask: Array | None = None, past: int = 0
    ) -> Array:
        """Hidden states of target tokens after `past` others, (B, T) -> (B, T, d_model)."""
        trace, length = target.trace, target.shape[1]
        span = Span(trace, length, past, rotary=self.rotated)
        if "decoder_bias" in self.children:
            bias = self.decoder_bias.between(trace, length, past + length)
            later = trace.given(length, past + length, dtype="bool")
            span.mask = hidden_scores(bias, later)
        if mask is not None:
            mask = mask.view(mask.shape[0], 1, 1, -1)
        x = self.embed(target)
        if self.scaled:
            x = x * 1.0
        if "decoder_pos_embed" in self.children:
            x = x + self.decoder_pos_embed(trace.given(length, dtype="int64"))
        if "decoder_embed_norm" in self.children:
            x = self.decoder_embed_norm(x)
        for block in self.decoder_blocks.each(trace, wrapped=True):
            x = block(x, span, memory, mask)
        return self.decoder_norm(x) if "decoder_norm" in self.children else x

    def score(self, x: Array) -> Array:
        """Scores of the next token from hidden states, (..., d_model) -> (..., V)."""
        if self.head_scaled:
            x = x / 1.0
        if "logits_bias" in self.tensors:
            return self.lm_head(x) + x.trace.weight(self, "logits_bias")
        return self.lm_head(x)

    def loss(self, trace: Trace, batch: int, length: int) -> None:
        """The training pass over `batch` targets of `length` tokens and sources as long."""
        if "log_mel" in self.children:
            source, mask = trace.given(batch, self.log_mel.samples), None
        else:
            source, mask = (trace.given(batch, length, dtype=kind) for kind in ("int64", "bool"))
        target = trace.new((batch, length), "int64")
        trace.keep(target)
        logits = self.score(self.decode(target, self.encode(source, mask), mask))
        logits.transpose(1, 2).float().cross_entropy()

    def answer(self, trace: Trace, batch: int, length: int) -> None:
        """A source of `length` tokens, or a window of sound, and the first token of a target."""
        if "log_mel" in self.children:
            source = trace.new((batch, self.log_mel.samples), "fp32")
        else:
            source = trace.given(batch, length, dtype="int64")
        memory = self.encode(source)
        token = trace.given(batch, 1, dtype="int64")
        self.score(self.decode(token, memory))

    def next_token(self, trace: Trace, batch: int, past: int) -> None:
        """One more token after `past` others, and after a source as long or a window of sound."""
        d_model = self.embed.tensors["weight"].shape[1]
        source = self.decoder_blocks.block.cross.memory or past
        memory = trace.given(batch, source, d_model, dtype=trace.weights)
        token = trace.given(batch, 1, dtype="int64")
        self.score(self.decode(token, memory, past=past))


def hidden_scores(bias: Array, mask: Array) -> Array:
    """Scores (1, H, T, S) without those that a mask, or what it is the opposite of, rules out."""
    trace = bias.trace
    trace.keep(opposite := trace.new(mask.shape, "bool"))
    return trace.compute((bias, opposite), broadcast(bias, mask))


def decoder_layers(dims: Mapping[str, Any]) -> int:
    """Decoder blocks: as many as the encoder has unless stated."""
    return dims["n_layers"] if dims["n_decoder_layers"] is None else dims["n_decoder_layers"]


def positions(dims: Mapping[str, Any]) -> int | None:
    """Encoder positions of the sound; None where the source is text of any length."""
    return dims["audio_positions"] if dims["source"] == "audio" else None


def frames(dims: Mapping[str, Any]) -> int:
    """Frames of the log-mel spectrogram, of which the second convolution keeps every other one."""
    return 2 * dims["audio_positions"]
