"""The bidirectional text encoder: classification, masked language, embedding and ranking."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import log10
from typing import Any

from ...specs.errors import Problem
from ..dims import Dim, broken_rules, choice, flag, number, real, text
from ..parts.base import Part
from ..parts.text_encoder import Block, TextEncoder, texts_of
from ..solver import Frame, below, interpolate
from .base import Node, Work
from .decoder_lm import BYTE_VOCABULARY, MAX_CONTEXT, NATIVE_CONTEXT, VOCABULARY, tokenizer_of
from .stack import STACK, StackTopology

#: Bytes, the end of a document, and the four special tokens of an encoder.
MIN_VOCAB = 261

#: Tokens of a text in training, and of the text that FLOPs are stated for.
TEXT_LENGTH = 512

TABLE: Mapping[str, Dim] = {
    "vocab_size": number(None, "rows of the token embedding", low=MIN_VOCAB),
    **STACK,
    "max_pos": number(None, "longest text, in tokens"),
    "text_length": number(None, "tokens that training reads of a text"),
    "head": choice("classification", "what is read off a text", "classification", "masked",
                   "embedding", "ranking"),
    "num_classes": number(4, "labels to choose from", low=2, high=10_000_000),
    "embedding_dim": number(0, "width of a projected embedding; 0: that of the stream", low=0),
    "candidates": number(8, "passages that are ranked for one query", low=2, high=1024),
    "mask_fraction": real(0.15, "share of the tokens that training hides", low=0.01, high=0.9),
    "temperature": real(0.05, "divisor of the cosines of pairs", low=1e-3, high=10.0),
    "norm_order": choice("pre", "where a block normalises: its inputs, or its sums", "pre", "post"),
    "norm_bias": flag(False, "whether LayerNorm has a bias"),
    "norm_eps": real(1e-5, "epsilon of the normalisation layers", low=1e-12, high=1.0),
    "first_norm": flag(None, "normalise before the first attention"),
    "final_norm": flag(None, "normalise the last hidden states"),
    "embed_norm": flag(True, "normalise the embeddings"),
    "mlp": choice("gated", "feed-forward shape", "gated", "plain"),
    "activation": choice("gelu", "feed-forward nonlinearity", "gelu", "gelu_tanh", "silu", "relu"),
    "attn_bias": flag(False, "biases in the attention"),
    "mlp_bias": flag(False, "biases in the MLP"),
    "pos": choice("rope", "position encoding", "rope", "learned"),
    "pos_rows": number(0, "rows of the learned position table; 0 without one", low=0),
    "pos_offset": number(0, "row of the first position", low=0, high=1024, switch=True),
    "rope_theta": real(None, "base of the rotary frequencies", low=1.0),
    "local_rope_theta": real(1e4, "the same in local layers", low=1.0),
    "sliding_window": number(128, "visible positions of local layers; 0 without any", low=0),
    "global_every": number(3, "one layer in so many sees the whole text", high=2048),
    "type_vocab_size": number(None, "kinds of text told apart; 0 for none", low=0, high=1024),
    "pooling": choice("mean", "what stands for a text", "first", "mean"),
    "pooler": choice("none", "layer before the head", "none", "tanh", "gelu_norm"),
    "pooler_bias": flag(False, "bias in the pooler"),
    "tied": flag(True, "a masked model's head shares the embedding"),
}  # fmt: skip

SETTINGS: Mapping[str, Dim] = {
    "data": text("file or folder of .csv, .tsv or .jsonl, or Hugging Face dataset; empty: built in")
}

#: (log10 of the budget, d_model / n_layers): BERT-small, ModernBERT-base and -large, XLM-R XL, XXL.
ASPECT = ((6, 24), (7.4, 56), (8.2, 38), (8.6, 37), (9.5, 71), (10, 85), (11.6, 128))

#: What a head calls itself: phrase, objective, node of the loss, texts of one training example.
HEADS = {
    "classification": ("class scores", "classification by cross-entropy", "cross-entropy"),
    "masked": ("token scores", "masked-token prediction", "cross-entropy of hidden tokens"),
    "embedding": ("embedding", "contrastive learning on pairs of texts", "InfoNCE over the batch"),
    "ranking": ("relevance score", "listwise ranking", "listwise cross-entropy"),
}

_ALIASES = {
    "hidden_size": "d_model",
    "num_hidden_layers": "n_layers",
    "num_attention_heads": "n_heads",
    "intermediate_size": "d_ff",
    "layer_norm_eps": "norm_eps",
    "context_length": "max_pos",
    "num_labels": "num_classes",
    "local_attention": "sliding_window",
    "global_attn_every_n_layers": "global_every",
}


class TextEncoderTopology(StackTopology):
    """Embeddings, blocks that look both ways (some only nearby), pooling and a head."""

    id = "text_encoder"
    phrase = "bidirectional transformer encoder"
    objective = "classification by cross-entropy"
    covers = {
        "inputs": frozenset({"text"}),
        "outputs": frozenset({"text", "label", "embedding", "value"}),
        "objective": frozenset({"classification", "masked", "contrastive", "ranking"}),
        "task": frozenset({"classification", "generation", "embedding", "retrieval", "ranking"}),
        "family": frozenset({"transformer"}),
    }
    served_as = "the reading of one text"
    table = TABLE
    aliases = _ALIASES
    floor = {"d_model": 32, "n_layers": 1, "n_heads": 1, "head_dim": 64, "d_ff": 64}
    top = "text_encoder"
    exports = ("TextEncoder", "build_model")
    programs = ("common", "reading", "corpus", "text", "encoder")
    settings = SETTINGS
    shown = {
        "n_layers": "Layers",
        "d_model": "Width",
        "n_heads": "Heads",
        "head_dim": "Head dimension",
        "d_ff": "Feed-forward width",
        "vocab_size": "Vocabulary",
    }
    nodes = (
        Node("tokens", "input"),
        Node("embed", "embedding", ("embed", "pos_embed", "type_embed", "embed_norm")),
        Node("attention", "bidirectional attention", ("blocks.attn",), repeated=True),
        Node("mlp", "feed-forward network", ("blocks.mlp",), repeated=True),
        Node("norm", "normalisation", ("norm",)),
        Node("pooler", "pooling layer", ("pooler",)),
        Node("head", "output head", ("head",)),
        Node("loss", "loss"),
    )
    batch = 256
    most_units_per_param = 5.0  # BERT saw 256M sequences of 512 with 110M parameters

    def given(self, spec: Any) -> dict[str, Any]:
        window = spec.constraints.context_window
        context = min(window.value, MAX_CONTEXT) if window else NATIVE_CONTEXT
        task = spec.task
        dims = {"max_pos": int(context), "head": head_of(task.type, spec.training.objective[0])}
        if task.num_classes:
            dims["num_classes"] = task.num_classes
        if task.embedding_dim:
            dims["embedding_dim"] = task.embedding_dim
        return dims

    def contradictions(self, pins: Mapping[str, Any]) -> list[Problem]:
        get = pins.get
        post, window = get("norm_order") == "post", get("sliding_window", 128)
        rows, offset = get("pos_rows", 0), get("pos_offset", 0)
        rules = (
            ("first_norm", post and get("first_norm") is False,
             "post-norm blocks have a norm after every attention", "true"),
            ("sliding_window", window % 2, f"{window} does not reach equally far to both sides",
             "an even number"),
            ("pos_rows", rows and get("pos") != "learned",
             "a position table needs pos: learned", "0"),
            ("pos_rows", rows and rows < get("max_pos", 1) + offset,
             "the table has fewer rows than positions", None),
            ("head_dim", get("pos", "rope") == "rope" and get("head_dim", 64) % 2,
             "rotary features come in pairs", "an even number"),
        )  # fmt: skip
        return broken_rules(rules)

    def base(self, budget: float, frame: Frame) -> dict[str, Any]:
        dims = {name: dim.default for name, dim in self.table.items()}
        dims |= {"vocab_size": below(VOCABULARY, budget), "max_pos": NATIVE_CONTEXT}
        dims |= dict(frame.given) | dict(frame.pins)
        post, learned = dims["norm_order"] == "post", dims["pos"] == "learned"
        if learned and not dims["pos_rows"]:
            dims["pos_rows"] = dims["max_pos"] + dims["pos_offset"]
        if learned and "max_pos" not in frame.pins:
            dims["max_pos"] = dims["pos_rows"] - dims["pos_offset"]
        if "pooler" not in frame.pins:
            dims["pooler"] = "none" if dims["head"] in ("embedding", "ranking") else "gelu_norm"
        derived = {
            "first_norm": post,
            "final_norm": not post,
            "type_vocab_size": 2 * (dims["head"] == "ranking"),
            "rope_theta": 1e4 if dims["max_pos"] <= 512 else 1.6e5,
            "text_length": min(TEXT_LENGTH, dims["max_pos"]),
        }
        return dims | {name: value for name, value in derived.items() if dims[name] is None}

    def build(self, dims: Mapping[str, Any]) -> TextEncoder:
        return TextEncoder(dims)

    def block(self, dims: Mapping[str, Any]) -> Block:
        return Block(dims)

    def aspect(self, budget: float) -> float:
        return interpolate(ASPECT, log10(max(budget, 1e5)))

    def ff_ratio(self, dims: Mapping[str, Any]) -> float:
        """4 for plain MLPs, 2 for gated ones: between ModernBERT-base and -large."""
        return 4.0 if dims["mlp"] == "plain" else 2.0

    def length(self, dims: Mapping[str, Any]) -> int:
        return dims["text_length"]

    def answered(self, dims: Mapping[str, Any]) -> str:
        return f"one {self.length(dims):,}-token text"

    def work(self, model: Part, dims: Mapping[str, Any]) -> Work:
        """FLOPs of one training example, which has several texts where texts are compared."""
        texts, length = texts_of(dims), self.length(dims)
        at = f"one text of {length:,} tokens"
        if texts > 1:
            at = f"one example of {texts} texts of {length:,} tokens"
        return Work(model.flops(texts, length), 1, at)

    def context_served(self, dims: Mapping[str, Any]) -> tuple[str, str]:
        if not dims["sliding_window"]:
            return "full attention over the context", ""
        every = f"one layer in {dims['global_every']} sees the whole context"
        return f"{every}, the others {dims['sliding_window']:,} tokens", ""

    def switches(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        return super().switches(dims) | {
            "windowed": bool(dims["sliding_window"]),
            "typed": bool(dims["type_vocab_size"]),
            "projected": bool(dims["embedding_dim"]),
            "bpe": dims["vocab_size"] > BYTE_VOCABULARY,
        }

    def fields(self, dims: Mapping[str, Any]) -> dict[str, str]:
        rope, local, head = dims["pos"] == "rope", bool(dims["sliding_window"]), dims["head"]
        present = {
            "pos_rows": not rope,
            "rope_theta": rope,
            "local_rope_theta": rope and local,
            "sliding_window": local,
            "global_every": local,
            "type_vocab_size": bool(dims["type_vocab_size"]),
            "num_classes": head == "classification",
            "embedding_dim": head == "embedding" and bool(dims["embedding_dim"]),
            "candidates": head == "ranking",
            "mask_fraction": head == "masked",
            "temperature": head == "embedding",
        }
        names = super().fields(dims) | {"max_pos": "context_length"}
        return {dim: name for dim, name in names.items() if present.get(dim, True)}

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        context, ranks = min(256, dims["max_pos"]), dims["head"] == "ranking"
        rows = min(context + dims["pos_offset"], dims["pos_rows"] or 2**24)
        return {
            "vocab_size": min(320, dims["vocab_size"]),
            "d_model": min(96, dims["d_model"]),
            "n_layers": min(3, dims["n_layers"]),
            "n_heads": min(3, dims["n_heads"]),
            "head_dim": min(32, dims["head_dim"]),
            "d_ff": min(192 if dims["mlp"] == "gated" else 384, dims["d_ff"]),
            "max_pos": context,
            "pos_rows": rows,
            "sliding_window": min(32, dims["sliding_window"]),
            "text_length": min(128, context, dims["text_length"]),
            "num_classes": min(4, dims["num_classes"]),
            "embedding_dim": min(64, dims["embedding_dim"]),
            "candidates": min(4, dims["candidates"]),
            "init_std": 0.08,  # about the square root of one over the width
        } | ({"steps": 160, "global_batch": 8, "micro_batch": 8} if ranks else {})

    def folders(self, switches: Mapping[str, Any]) -> tuple[str, ...]:
        own = f"encoder_{switches['head']}"
        facts = ("encoder_facts",) if switches["head"] in ("embedding", "ranking") else ()
        return (*self.programs, *facts, own)

    def idle_programs(self, switches: Mapping[str, Any]) -> tuple[str, ...]:
        idle = () if switches["bpe"] else ("bpe",)
        # What a text is told from depends on the micro-batch.
        return (*idle, "accumulation") if switches["head"] == "embedding" else idle

    def words(self, spec: Any, dims: Mapping[str, Any]) -> dict[str, str]:
        return {
            "tokenizer": tokenizer_of(dims["vocab_size"]),
            "objective": HEADS[dims["head"]][1],
        }

    def kind_of(self, node: Node, dims: Mapping[str, Any]) -> str:
        kinds = {"head": HEADS[dims["head"]][0], "loss": HEADS[dims["head"]][2]}
        return kinds.get(node.id, node.kind)

    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        stream = ["batch", "tokens", dims["d_model"]]
        masked = dims["head"] == "masked"
        width = {
            "classification": [dims["num_classes"]],
            "masked": [dims["vocab_size"]],
            "embedding": [dims["embedding_dim"] or dims["d_model"]],
            "ranking": [],
        }[dims["head"]]
        lead = ["batch", "tokens"] if masked else ["batch"]
        return {node.id: stream for node in self.nodes} | {
            "tokens": ["batch", "tokens"],
            "pooler": stream if masked else ["batch", dims["d_model"]],
            "head": [*lead, *width],
            "loss": [],
        }

    def alternatives(self, dims: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        if dims["mlp"] == "gated":
            yield "Gated MLP", "the gate, at equal width", {"mlp": "plain"}
        yield from super().alternatives(dims)
        if dims["head"] == "masked" and dims["tied"]:
            yield "Tied embeddings", "the tie between embedding and head", {"tied": False}
        if dims["sliding_window"]:
            yield "Local layers", "the window: every layer is global", {"sliding_window": 0}
        if dims["pooler"] != "none":
            yield "Pooling layer", "the layer before the head", {"pooler": "none"}


def head_of(task: str, objective: str) -> str:
    """The head that a task and an objective ask for; the objective goes first."""
    by_objective = {
        "masked": "masked",
        "contrastive": "embedding",
        "ranking": "ranking",
        "classification": "classification",
    }
    by_task = {"embedding": "embedding", "retrieval": "embedding", "ranking": "ranking"}
    return by_objective.get(objective) or by_task.get(task, "classification")
