"""The encoder–decoder transformer: text to text, and sound to text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import log10
from typing import Any

from ...specs.errors import Problem
from ..dims import Dim, broken_rules, choice, flag, number, real, text
from ..parts.base import Part
from ..parts.encoder_decoder import EncoderDecoder, Layer, decoder_layers, frames
from ..solver import Frame, Shape, below, interpolate
from .base import Node, Work
from .decoder_lm import (
    ACTIVATIONS,
    BYTE_VOCABULARY,
    MAX_CONTEXT,
    MIN_VOCAB,
    UNTIED_FROM,
    VOCABULARY,
    rope_theta,
    tokenizer_of,
)
from .writers import PROMPT, WriterTopology

POSITIONS = ("relative", "rope", "learned", "sinusoidal")

TABLE: Mapping[str, Dim] = {
    "source": choice("text", "what the encoder reads", "text", "audio"),
    "pairs": choice("translation", "what the built-in pairs teach", "translation",
                    "summarization", "speech"),
    "vocab_size": number(None, "rows of the token embedding", low=MIN_VOCAB),
    "d_model": number(None, "width of the residual streams", low=8, high=2**18),
    "n_layers": number(None, "blocks of the encoder", high=2048),
    "n_decoder_layers": number(None, "blocks of the decoder; as many as of the encoder unless "
                               "pinned", high=2048),
    "n_heads": number(None, "heads of every attention", high=4096),
    "head_dim": number(None, "width of one attention head", low=2, high=4096),
    "d_ff": number(None, "hidden width of the MLP", high=2**20),
    "mlp": choice("gated", "feed-forward shape", "gated", "plain"),
    "activation": choice("gelu_new", "feed-forward nonlinearity", *ACTIVATIONS),
    "norm": choice("rmsnorm", "normalisation layer; LayerNorm has a bias", "rmsnorm", "layernorm"),
    "norm_eps": real(1e-6, "epsilon of the normalisation layers", low=1e-12, high=1.0),
    "post_norm": flag(False, "normalise the residual stream after each sublayer"),
    "final_norm": flag(True, "normalise what each stack returns"),
    "embed_norm": flag(False, "normalise the embeddings of each stack"),
    "embed_scale": flag(False, "multiply embeddings by the square root of `d_model`"),
    "pos": choice("relative", "positions of text: score by distance, rotation, or a table",
                  *POSITIONS),
    "pos_rows": number(0, "rows of a position table; 0 without one", low=0),
    "pos_offset": number(0, "rows of a position table before that of the first position", low=0,
                         high=64, switch=True),
    "rel_buckets": number(32, "distances that a relative score tells apart", low=4, high=4096),
    "rel_max_distance": number(128, "where relative distances stop growing", low=4),
    "rope_theta": real(None, "base of the rotary frequencies", low=1.0),
    "max_pos": number(None, "longest source, and longest target, in tokens"),
    "attn_bias": flag(False, "biases on the query, value and output projections"),
    "key_bias": flag(False, "bias on the key projection"),
    "attn_scale": flag(True, "divide scores by the square root of `head_dim`"),
    "mlp_bias": flag(False, "biases in the MLP"),
    "tied": flag(None, "output head shares the embedding"),
    "head_scale": flag(False, "divide what enters the head by the square root of `d_model`"),
    "logits_bias": flag(False, "add a buffer to the scores"),
    "sample_rate": number(16_000, "samples of sound a second", low=1_000, high=400_000),
    "n_mels": number(80, "bands of the log-mel spectrogram", high=512),
    "audio_positions": number(1500, "encoder positions of sound, 20 ms each", low=4),
}  # fmt: skip

#: The names that published configurations use.
ALIASES = {
    "context_length": "max_pos", "max_position_embeddings": "max_pos", "n_positions": "max_pos",
    "max_target_positions": "max_pos", "max_source_positions": "audio_positions",
    "num_mel_bins": "n_mels", "num_layers": "n_layers", "encoder_layers": "n_layers",
    "num_decoder_layers": "n_decoder_layers", "decoder_layers": "n_decoder_layers",
    "num_heads": "n_heads", "encoder_attention_heads": "n_heads", "d_kv": "head_dim",
    "encoder_ffn_dim": "d_ff", "layer_norm_epsilon": "norm_eps", "scale_embedding": "embed_scale",
    "relative_attention_num_buckets": "rel_buckets", "tie_word_embeddings": "tied",
    "relative_attention_max_distance": "rel_max_distance", "scale_decoder_outputs": "head_scale",
    "encoder_vocab_size": "vocab_size", "decoder_attention_heads": "n_heads",
    "decoder_ffn_dim": "d_ff",
}  # fmt: skip

#: Positions of one training pair, and the longest context that is scored by distance.
LENGTH = 512
RELATIVE_UP_TO = 4096

#: The fields of `Config` that pairs of texts need.
PAIR_SETTINGS: Mapping[str, Dim] = {
    "data": text(
        "TSV or JSONL pairs of source and target, or Hugging Face dataset; empty: built in"
    ),
    "train_length": number(LENGTH, "most tokens of a training source, and of its target"),
}

#: The fields of `Config` that sounds with transcripts need.
SPEECH_SETTINGS: Mapping[str, Dim] = {
    "data": text("folder of WAV files and a CSV of path,text, or hub dataset; empty: built in"),
    "train_length": number(LENGTH, "most tokens of a training transcript"),
}  # fmt: skip

#: (log10 of the budget, d_model / encoder layers): T5-small to T5-3B, BART.
ASPECT = ((5, 32), (6, 42), (7.5, 72), (8.3, 80), (9, 64), (10, 64), (11, 96), (12, 128))


class EncoderDecoderTopology(WriterTopology):
    """An encoder that reads a text and a decoder that attends to it."""

    id = "encoder_decoder"
    phrase = "encoder–decoder transformer"
    objective = "autoregressive prediction of the target given the source"
    covers = {
        "inputs": frozenset({"text"}),
        "outputs": frozenset({"text"}),
        "objective": frozenset({"autoregressive"}),
        "task": frozenset({"translation", "summarization"}),
        "family": frozenset({"transformer"}),
    }
    served_as = "translation: the output is written after the whole input was read"
    table = TABLE
    aliases = ALIASES
    floor = {"d_model": 32, "n_layers": 1, "n_heads": 1, "head_dim": 64, "d_ff": 64}
    top = "encoder_decoder"
    exports = ("Cache", "EncoderDecoder", "build_model")
    programs = ("common", "held_out", "reading", "corpus", "text", "pairs")
    settings = PAIR_SETTINGS
    shown = {
        "n_layers": "Encoder layers",
        "n_decoder_layers": "Decoder layers",
        "d_model": "Width",
        "n_heads": "Heads",
        "head_dim": "Head dimension",
        "d_ff": "Feed-forward width",
        "vocab_size": "Vocabulary",
    }
    nodes = (
        Node("tokens", "input"),
        Node("embed", "embedding", ("embed",), into=("encoder_attention", "attention")),
        Node("encoder_attention", "attention in both directions",
             ("encoder_blocks.attn", "encoder_bias", "encoder_pos", "encoder_embed"),
             repeated=True),
        Node("encoder_mlp", "feed-forward network", ("encoder_blocks.mlp", "encoder_norm"),
             repeated=True, into=("cross_attention",)),
        Node("attention", "causal attention",
             ("decoder_blocks.attn", "decoder_bias", "decoder_pos", "decoder_embed"),
             repeated=True),
        Node("cross_attention", "attention to the source", ("decoder_blocks.cross",),
             repeated=True),
        Node("mlp", "feed-forward network", ("decoder_blocks.mlp",), repeated=True),
        Node("norm", "normalisation", ("decoder_norm",)),
        Node("lm_head", "output head", ("lm_head",)),
        Node("loss", "next-token cross-entropy"),
    )  # fmt: skip
    batch = None
    compute_optimal_ratio = 20  # Hoffmann et al., 2022, Table 3
    most_units_per_param = 2000

    def given(self, spec: Any) -> dict[str, Any]:
        window = spec.constraints.context_window
        context = int(min(window.value, MAX_CONTEXT)) if window else LENGTH
        pairs = "summarization" if spec.task.type == "summarization" else "translation"
        return {"max_pos": context, "source": "text", "pairs": pairs}

    def contradictions(self, pins: Mapping[str, Any]) -> list[Problem]:
        get = pins.get
        tabled = get("pos", "relative") in ("learned", "sinusoidal")
        short = tabled and get("pos_rows") and get("max_pos") and (
            get("pos_rows") < get("max_pos") + get("pos_offset", 0)
        )  # fmt: skip
        rules = (
            ("pos_rows", short, "fewer rows than positions", "max_pos + pos_offset"),
            ("head_dim", get("pos") == "rope" and get("head_dim", 2) % 2,
             "rotary features come in pairs", "an even number"),
            ("rel_max_distance",
             get("rel_max_distance", 128) <= get("rel_buckets", 32) // 2,
             "distances end before the buckets do", "more than half of rel_buckets"),
        )  # fmt: skip
        return broken_rules(rules)

    def base(self, budget: float, frame: Frame) -> dict[str, Any]:
        dims = {name: dim.default for name, dim in self.table.items()}
        dims |= {"vocab_size": below(VOCABULARY, budget), "tied": budget < UNTIED_FROM}
        dims |= {"max_pos": LENGTH} | dict(frame.given)
        dims |= self.customary(dims) | dict(frame.pins)
        if dims["pos"] in ("learned", "sinusoidal"):
            dims["pos_rows"] = dims["pos_rows"] or dims["max_pos"] + dims["pos_offset"]
        if dims["rope_theta"] is None:
            dims["rope_theta"] = rope_theta(dims["max_pos"])
        return dims

    def customary(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        """Relative positions hold a score for every pair of positions: too many in long texts."""
        return {"pos": "relative" if dims["max_pos"] <= RELATIVE_UP_TO else "rope"}

    def build(self, dims: Mapping[str, Any]) -> EncoderDecoder:
        return EncoderDecoder(dims)

    def block(self, dims: Mapping[str, Any]) -> Layer:
        return Layer(dims)

    def least(self, given: Mapping[str, Any]) -> int:
        return super().least({**self.smallest(), **given})

    def smallest(self) -> dict[str, Any]:
        """What the smallest model is given."""
        return {}

    def shapes(self, budget: float, frame: Frame) -> list[Shape]:
        """Both stacks are equally deep unless their depths are pinned."""
        return [self._complete(shape) for shape in super().shapes(budget, frame)]

    def _complete(self, shape: Shape) -> Shape:
        depth = decoder_layers(shape.dims)
        shape = replace(shape, found=(*shape.found, ("n_decoder_layers", depth)))
        return replace(shape, params=self.build(shape.dims).count())

    def aspect(self, budget: float) -> float:
        return interpolate(ASPECT, log10(max(budget, 1e5)))

    def bulk(self, dims: Mapping[str, Any]) -> float:
        """Three attentions and two MLPs."""
        return 12 + 16.0

    def ff_ratio(self, dims: Mapping[str, Any]) -> float:
        return 4.0 if dims["mlp"] == "plain" else 8 / 3

    def length(self, dims: Mapping[str, Any]) -> int:
        return min(LENGTH, dims["max_pos"])

    def answered(self, dims: Mapping[str, Any]) -> str:
        return f"{PROMPT}-token source"

    def work(self, model: Part, dims: Mapping[str, Any]) -> Work:
        length = self.length(dims)
        return Work(model.flops(1, length), length, f"{length:,} tokens of source and of target")

    def switches(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        own = super().switches(dims)
        return own | {"rotary_pct": 1.0, "bpe": dims["vocab_size"] > BYTE_VOCABULARY}

    def fields(self, dims: Mapping[str, Any]) -> dict[str, str]:
        audio = dims["source"] == "audio"
        present = {
            "pos_rows": dims["pos"] in ("learned", "sinusoidal"),
            "rope_theta": dims["pos"] == "rope",
            "rel_buckets": dims["pos"] == "relative",
            "rel_max_distance": dims["pos"] == "relative",
            "sample_rate": audio,
            "n_mels": audio,
            "audio_positions": audio,
        }
        names = super().fields(dims) | {"max_pos": "context_length"}
        return {dim: name for dim, name in names.items() if present.get(dim, True)}

    def idle_programs(self, switches: Mapping[str, Any]) -> tuple[str, ...]:
        return () if switches["bpe"] else ("bpe",)

    def words(self, spec: Any, dims: Mapping[str, Any]) -> dict[str, str]:
        return {"tokenizer": tokenizer_of(dims["vocab_size"])}

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        context = min(128, dims["max_pos"])
        return {
            "vocab_size": min(BYTE_VOCABULARY, dims["vocab_size"]),
            "d_model": min(128, dims["d_model"]),
            "n_layers": min(2, dims["n_layers"]),
            "n_decoder_layers": min(2, decoder_layers(dims)),
            "n_heads": min(4, dims["n_heads"]),
            "head_dim": min(32, dims["head_dim"]),
            "d_ff": min(256 if dims["mlp"] == "gated" else 384, dims["d_ff"]),
            "max_pos": context,
            "pos_rows": min(context + dims["pos_offset"], dims["pos_rows"] or context),
            "train_length": min(96, context),
            "steps": 200,
            "global_batch": 64,
            "micro_batch": 64,
            "learning_rate": 3e-3,
            "min_learning_rate": 3e-4,
            "warmup_steps": 20,
            "log_interval": 20,
            "eval_interval": 100,
            "checkpoint_interval": 100,
        }

    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        shapes = {node.id: ["batch", "target", dims["d_model"]] for node in self.nodes}
        read = ["batch", "source", dims["d_model"]]
        shapes |= {k: read for k in ("embed", "encoder_attention", "encoder_mlp") if k in shapes}
        logits = ["batch", "target", dims["vocab_size"]]
        shapes["embed to attention"] = ["batch", "target", dims["d_model"]]
        return shapes | {"tokens": ["batch", "source"], "lm_head": logits, "loss": []}

    def alternatives(self, dims: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        if dims["mlp"] == "gated":
            yield "Gated MLP", "the gate, at equal width", {"mlp": "plain"}
        if dims["n_layers"] > 1:
            half = dims["n_layers"] // 2
            yield "Encoder depth", f"half of the encoder: {half} layers remain", {"n_layers": half}
        if dims["n_decoder_layers"] > 1:
            half = dims["n_decoder_layers"] // 2
            removed = f"half of the decoder: {half} layers remain"
            yield "Decoder depth", removed, {"n_decoder_layers": half}
        if dims["tied"]:
            yield "Tied embeddings", "the tie between embedding and head", {"tied": False}


class SpeechTopology(EncoderDecoderTopology):
    """Whisper's shape: convolutions over log-mel frames, encoder, and a decoder of text."""

    id = "speech_recognizer"
    phrase = "speech recogniser"
    objective = "autoregressive prediction of the transcript given the sound"
    covers = {
        "inputs": frozenset({"audio"}),
        "outputs": frozenset({"text"}),
        "objective": frozenset({"autoregressive"}),
        "task": frozenset({"speech_recognition", "translation"}),
        "family": frozenset({"transformer"}),
    }
    served_as = "speech recognition: what is heard is written as text"
    programs = (
        "common", "batches", "held_out", "reading", "sound", "text", "pairs", "transcripts",
    )  # fmt: skip
    nodes = (
        Node("waveform", "input"),
        Node("stem", "convolutions over log-mel frames", ("conv", "encoder_pos")),
        *EncoderDecoderTopology.nodes[2:4],
        Node("embed", "embedding", ("embed", "decoder_pos")),
        *EncoderDecoderTopology.nodes[4:],
    )
    settings = SPEECH_SETTINGS

    def given(self, spec: Any) -> dict[str, Any]:
        rate = spec.task.sample_rate
        return {**self.smallest(), "sample_rate": int(getattr(rate, "value", rate) or 16_000)}

    def smallest(self) -> dict[str, Any]:
        return {"source": "audio", "pairs": "speech", "max_pos": 448}

    def base(self, budget: float, frame: Frame) -> dict[str, Any]:
        """As text; below a million parameters a window of 10 s, which needs fewer positions."""
        short = {"audio_positions": 500} if budget < 1e6 else {}
        return super().base(budget, replace(frame, given={**short, **frame.given}))

    def customary(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        """Radford et al. (2022): pre-normed blocks with biases, and learned target positions."""
        return {
            "pos": "learned", "mlp": "plain", "activation": "gelu", "norm": "layernorm",
            "norm_eps": 1e-5, "attn_bias": True, "mlp_bias": True,
        }  # fmt: skip

    def length(self, dims: Mapping[str, Any]) -> int:
        """The start token takes one of the target's positions."""
        return dims["max_pos"] - 1

    def answered(self, dims: Mapping[str, Any]) -> str:
        return f"{0.02 * dims['audio_positions']:g} s of sound"

    def work(self, model: Part, dims: Mapping[str, Any]) -> Work:
        length = self.length(dims)
        seconds = 0.02 * dims["audio_positions"]
        return Work(model.flops(1, length), length, f"{seconds:g} s of sound, {length:,} tokens")

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        context = min(32, dims["max_pos"])
        return super().tiny(dims) | {
            "max_pos": context,
            "pos_rows": min(context + dims["pos_offset"], dims["pos_rows"] or context),
            "train_length": min(16, context),
            "sample_rate": min(8_000, dims["sample_rate"]),
            "n_mels": min(40, dims["n_mels"]),
            "audio_positions": min(50, dims["audio_positions"]),
            "steps": 150,
            "global_batch": 32,
            "micro_batch": 32,
            "warmup_steps": 15,
            "eval_interval": 75,
            "checkpoint_interval": 75,
            "log_interval": 15,
        }

    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        samples = frames(dims) * round(0.01 * dims["sample_rate"])
        read = ["batch", dims["audio_positions"], dims["d_model"]]
        found = super().node_shapes(dims) | {"waveform": ["batch", samples], "stem": read}
        found |= {"encoder_attention": read, "encoder_mlp": read}
        return found | {"embed": ["batch", "target", dims["d_model"]]}
