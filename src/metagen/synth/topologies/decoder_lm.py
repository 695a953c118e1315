"""The decoder-only transformer language model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf, log10
from typing import Any

from ...specs.errors import Problem
from .. import estimates
from ..dims import Dim, broken_rules, choice, flag, number, real, text
from ..parts.base import Part
from ..parts.decoder_lm import Block, DecoderLM
from ..solver import Frame, below, interpolate
from .base import Node, Work
from .writers import WriterTopology

ACTIVATIONS = ("silu", "gelu", "gelu_new", "gelu_tanh", "relu")

#: Bytes and the end-of-document token: the least that any tokenizer of a text model needs.
MIN_VOCAB = 257

#: Bytes and specials, padded to a multiple of 64.
BYTE_VOCABULARY = 320

TABLE: Mapping[str, Dim] = {
    "vocab_size": number(None, "rows of the token embedding", low=MIN_VOCAB),
    "d_model": number(None, "width of the residual stream", low=8, high=2**18),
    "n_layers": number(None, "number of blocks", high=2048),
    "n_heads": number(None, "query heads", high=4096),
    "n_kv_heads": number(None, "key and value heads, each shared by equally many query heads",
                         high=4096),
    "head_dim": number(None, "width of one attention head", low=2, high=4096),
    "d_ff": number(None, "hidden width of the MLP", high=2**20),
    "mlp": choice("gated", "feed-forward shape", "gated", "plain"),
    "activation": choice("silu", "feed-forward nonlinearity", *ACTIVATIONS),
    "norm": choice("rmsnorm", "normalisation layer", "rmsnorm", "layernorm"),
    "norm_bias": flag(False, "whether LayerNorm has a bias"),
    "norm_eps": real(1e-5, "epsilon of the normalisation layers", low=1e-12, high=1.0),
    "norms_per_layer": number(
        2, "1: shared by a parallel block; 2: one per sublayer; 4: before and after", high=4,
        switch=True,
    ),
    "final_norm": flag(True, "normalise before the output head"),
    "qk_norm": choice("none", "normalise queries and keys", "none", "per_head", "full"),
    "pos": choice("rope", "position encoding", "rope", "learned", "none"),
    "pos_rows": number(0, "rows of the learned position table; 0 without one", low=0),
    "max_pos": number(None, "longest context, in tokens"),
    "rope_theta": real(None, "base of the rotary frequencies", low=1.0),
    "rotary_pct": real(1.0, "share of each head that is rotated", high=1.0, switch=True),
    "sliding_window": number(0, "visible positions of a windowed attention; 0 for all", low=0),
    "attn_qkv_bias": flag(False, "biases on the query, key and value projections"),
    "attn_out_bias": flag(False, "bias on the attention output projection"),
    "mlp_bias": flag(False, "biases in the MLP"),
    "lm_head_bias": flag(False, "bias on the output head"),
    "tied": flag(None, "output head shares the embedding"),
    "parallel_block": flag(False, "attention and MLP read the same input"),
    "post_norm": flag(False, "norms on sublayer outputs instead of inputs"),
    "embed_norm": flag(False, "normalise the embeddings"),
    "embed_scale": flag(False, "multiply embeddings by the square root of `d_model`"),
    "n_experts": number(0, "experts in place of every MLP", low=0,
                        high=4096),
    "top_k": number(2, "experts that each token visits; 0 without experts", low=0, high=4096),
    "norm_topk": flag(True, "whether the weights of the visited experts sum to one"),
    "balance_weight": real(0.01, "weight of the loss that evens out the use of the experts"),
    "n_moe_layers": number(0, "blocks with experts: all of them, or 0 without experts", low=0,
                           high=2048),
}  # fmt: skip

#: The fields of `Config` that text needs.
TEXT_SETTINGS: Mapping[str, Dim] = {
    "data": text(
        "text file, folder of .txt, .md or .jsonl files, or Hugging Face dataset; empty: built in"
    ),
    "train_length": number(2048, "tokens of a training sequence"),
}

#: (log10 of the budget, d_model / n_layers): TinyStories-1M … GPT-2, SmolLM2, Llama 3, Llama 3.1.
ASPECT = ((6, 24), (7, 36), (8, 56), (9, 90), (9.8, 124), (10.5, 104), (10.9, 104), (11.6, 128))

#: (budget, vocabulary): bytes below 20M; then a share of the parameters that stays near a tenth.
VOCABULARY = (
    (20e6, BYTE_VOCABULARY), (40e6, 4096), (80e6, 8192), (300e6, 16384), (700e6, 32768),
    (3e9, 49152), (6e9, 65536), (inf, 131072),
)  # fmt: skip
UNTIED_FROM = 4e9

MAX_CONTEXT = 1024**2
#: Bytes of one sample where the spec states no context: the modality is not text.
NATIVE_CONTEXT = 8192

#: Components that select a mixture of experts, and how many experts one has (Jiang et al., 2024).
MIXTURES = frozenset({"mixture_of_experts", "moe", "sparse_moe", "mixture-of-experts"})
N_EXPERTS = 8


class DecoderTopology(WriterTopology):
    """Embedding, blocks of grouped-query attention and MLP, output head."""

    id = "decoder_lm"
    phrase = "decoder-only transformer"
    objective = "autoregressive next-token prediction"
    covers = {
        "inputs": frozenset({"text"}),
        "outputs": frozenset({"text"}),
        "objective": frozenset({"autoregressive"}),
        "task": frozenset({"generation", "translation", "summarization"}),
        "family": frozenset({"transformer"}),
    }
    served_as = "generation: the answer is written as text after the input"
    table = TABLE
    aliases = {"context_length": "max_pos", "n_positions": "max_pos", "expert_d_ff": "d_ff",
               "experts_per_token": "top_k", "norm_topk_prob": "norm_topk"}  # fmt: skip
    floor = {"d_model": 32, "n_layers": 1, "n_heads": 1, "n_kv_heads": 1, "head_dim": 64,
             "d_ff": 64}  # fmt: skip
    top = "decoder_lm"
    exports = ("DecoderLM", "KVCache", "build_model")
    programs = ("common", "reading", "corpus", "text")
    settings = TEXT_SETTINGS
    shown = {
        "n_layers": "Layers",
        "d_model": "Width",
        "n_heads": "Query heads",
        "n_kv_heads": "Key–value heads",
        "head_dim": "Head dimension",
        "d_ff": "Feed-forward width",
        "n_experts": "Experts",
        "top_k": "Experts per token",
        "vocab_size": "Vocabulary",
    }
    nodes = (
        Node("tokens", "input"),
        Node("embed", "embedding", ("embed", "pos_embed", "embed_norm")),
        Node("attention", "grouped-query attention", ("blocks.attn",), repeated=True),
        Node("mlp", "feed-forward network", ("blocks.mlp",), repeated=True),
        Node("norm", "normalisation", ("norm",)),
        Node("lm_head", "output head", ("lm_head",)),
        Node("loss", "next-token cross-entropy"),
    )
    levers = frozenset({"kv_heads", "window"})
    batch = None
    compute_optimal_ratio = 20  # Hoffmann et al., 2022, Table 3
    most_units_per_param = 2000  # Llama 3 8B was trained at 1,875

    def given(self, spec: Any) -> dict[str, Any]:
        window = spec.constraints.context_window
        context = min(window.value, MAX_CONTEXT) if window else NATIVE_CONTEXT
        mixed = any(c.type.lower() in MIXTURES for c in spec.architecture.components)
        return {"max_pos": int(context)} | ({"n_experts": N_EXPERTS} if mixed else {})

    def contradictions(self, pins: Mapping[str, Any]) -> list[Problem]:
        get = pins.get
        rope = get("pos", "rope") == "rope"
        heads, kv_heads, norms = get("n_heads"), get("n_kv_heads"), get("norms_per_layer")
        parallel, post = get("parallel_block"), get("post_norm")
        experts, moe_layers = get("n_experts"), get("n_moe_layers")
        turned = rotated(get("head_dim", 64), get("rotary_pct", 1.0))
        rules = (
            ("n_kv_heads", heads and kv_heads and heads % kv_heads,
             f"{kv_heads} does not divide n_heads ({heads})", None),
            ("norms_per_layer", norms == 3, "3 is not a number of norms", "1, 2, 4"),
            ("norms_per_layer", norms == 1 and not parallel,
             "1 norm per layer needs parallel_block: true", "2, 4"),
            ("norms_per_layer", norms == 4 and (parallel or post),
             "4 norms per layer exclude parallel_block and post_norm", "1, 2"),
            ("post_norm", post and parallel,
             "post_norm and parallel_block exclude each other", None),
            ("norm_bias", get("norm_bias") and get("norm", "rmsnorm") == "rmsnorm",
             "RMSNorm has no bias", "false, or norm: layernorm"),
            ("pos_rows", get("pos_rows") and get("pos", "rope") != "learned",
             "a position table needs pos: learned", "0"),
            ("top_k", experts and get("top_k", 2) > experts,
             f"{get('top_k', 2)} exceeds n_experts ({experts})", None),
            ("n_moe_layers", moe_layers and (not experts or moe_layers != get("n_layers")),
             "experts stand in every block of this model", "n_layers, with n_experts"),
            ("rotary_pct", rope and turned < 2,
             "rotates less than one pair of features", "a larger share, or pos: none"),
        )  # fmt: skip
        return broken_rules(rules)

    def base(self, budget: float, frame: Frame) -> dict[str, Any]:
        dims = {name: dim.default for name, dim in self.table.items()}
        dims |= {"vocab_size": below(VOCABULARY, budget), "tied": budget < UNTIED_FROM}
        dims |= {"max_pos": NATIVE_CONTEXT, "sliding_window": frame.window}
        dims |= dict(frame.given) | dict(frame.pins)
        if dims["pos"] == "learned" and not dims["pos_rows"]:
            dims["pos_rows"] = dims["max_pos"]
        if dims["n_experts"]:
            dims["top_k"] = min(dims["top_k"], dims["n_experts"])
        elif "top_k" not in frame.pins:
            dims["top_k"] = 0
        if dims["rope_theta"] is None:
            dims["rope_theta"] = rope_theta(dims["max_pos"])
        return dims

    def build(self, dims: Mapping[str, Any]) -> DecoderLM:
        return DecoderLM(dims)

    def block(self, dims: Mapping[str, Any]) -> Block:
        return Block(dims)

    def aspect(self, budget: float) -> float:
        return interpolate(ASPECT, log10(max(budget, 1e5)))

    def bulk(self, dims: Mapping[str, Any]) -> float:
        """13 for one MLP; a mixture repeats its share of about 10."""
        if not dims["n_experts"]:
            return super().bulk(dims)
        return 3 + 3 * dims["n_experts"] * _expert_ratio(dims)

    def kind_of(self, node: Node, dims: Mapping[str, Any]) -> str:
        mixed = node.id == "mlp" and dims["n_experts"]
        return "mixture of experts" if mixed else node.kind

    def ff_ratio(self, dims: Mapping[str, Any]) -> float:
        """4 for plain MLPs, 8/3 for gated ones, 3.5 where heads are grouped; see also experts."""
        if dims["n_experts"]:
            return _expert_ratio(dims)
        if dims["mlp"] == "plain":
            return 4.0
        return 3.5 if dims["n_kv_heads"] * 4 <= dims["n_heads"] else 8 / 3

    def length(self, dims: Mapping[str, Any]) -> int:
        return min(estimates.SEQUENCE, dims["max_pos"])

    def work(self, model: Part, dims: Mapping[str, Any]) -> Work:
        length = self.length(dims)
        return Work(model.flops(1, length), length, f"length {length:,}")

    def switches(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        return super().switches(dims) | {
            "rotary_pct": float(dims["rotary_pct"]),
            "windowed": bool(dims["sliding_window"]),
            "moe": bool(dims["n_experts"]),
            "bpe": dims["vocab_size"] > BYTE_VOCABULARY,
        }

    def fields(self, dims: Mapping[str, Any]) -> dict[str, str]:
        present = {
            "pos_rows": dims["pos"] == "learned",
            "rope_theta": dims["pos"] == "rope",
            "sliding_window": bool(dims["sliding_window"]),
            "n_experts": bool(dims["n_experts"]),
            "top_k": bool(dims["n_experts"]),
            "balance_weight": bool(dims["n_experts"]),
            "n_moe_layers": False,
        }
        names = super().fields(dims) | {"max_pos": "context_length", "top_k": "experts_per_token"}
        return {dim: name for dim, name in names.items() if present.get(dim, True)}

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        n_heads = min(4, dims["n_heads"])
        group = dims["n_heads"] // dims["n_kv_heads"]
        tiny_group = max(g for g in range(1, n_heads + 1) if n_heads % g == 0 and g <= group)
        context = min(256, dims["max_pos"])
        return {
            "vocab_size": min(320, dims["vocab_size"]),
            "d_model": min(128, dims["d_model"]),
            "n_layers": min(4, dims["n_layers"]),
            "n_heads": n_heads,
            "n_kv_heads": n_heads // tiny_group,
            "head_dim": min(32, dims["head_dim"]),
            "d_ff": min(_tiny_width(dims), dims["d_ff"]),
            "n_experts": min(8, dims["n_experts"]),
            "top_k": min(2, dims["top_k"]),
            "max_pos": context,
            "pos_rows": min(context, dims["pos_rows"] or context),
            "sliding_window": min(64, dims["sliding_window"] or 64, max(1, context // 2)),
            "train_length": min(128, context),
        }

    def idle_programs(self, switches: Mapping[str, Any]) -> tuple[str, ...]:
        return () if switches["bpe"] else ("bpe",)

    def words(self, spec: Any, dims: Mapping[str, Any]) -> dict[str, str]:
        named = {"tokenizer": tokenizer_of(dims["vocab_size"])}
        named["infer_args"] = "--prompt 'Once upon'"
        if dims["n_experts"]:
            named["topology"] = "mixture-of-experts decoder-only transformer"
        return named

    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        shapes = {node.id: ["batch", "tokens", dims["d_model"]] for node in self.nodes}
        logits = ["batch", "tokens", dims["vocab_size"]]
        return shapes | {"tokens": ["batch", "tokens"], "lm_head": logits, "loss": []}

    def alternatives(self, dims: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        if dims["n_kv_heads"] < dims["n_heads"]:
            removed = "head sharing: one key-value head for each query head"
            yield "Grouped-query attention", removed, {"n_kv_heads": dims["n_heads"]}
        if dims["mlp"] == "gated":
            yield "Gated MLP", "the gate, at equal width", {"mlp": "plain"}
        if dims["n_experts"]:
            yield "Mixture of experts", "all experts but one, and the router", {"n_experts": 0}
        yield from super().alternatives(dims)
        if dims["tied"]:
            yield "Tied embeddings", "the tie between embedding and head", {"tied": False}
        if dims["sliding_window"]:
            yield "Sliding window", "the window: full attention", {"sliding_window": 0}


def tokenizer_of(vocab_size: int) -> str:
    """What prose calls the tokenizer of a vocabulary."""
    return "byte-level" if vocab_size <= BYTE_VOCABULARY else "byte-level BPE"


def rope_theta(max_pos: int) -> float:
    """Rotary base by context: Llama 2 to 8k, Llama 3 to 128k, Qwen2.5-1M beyond."""
    return 1e4 if max_pos <= 8192 else 5e5 if max_pos <= 131072 else 1e7


def _expert_ratio(dims: Mapping[str, Any]) -> float:
    """Width of one expert over d_model: 3.5 for 8 experts of 2, 0.5 for 64 of 8 (OLMoE)."""
    return 3.5 if dims["n_experts"] <= 16 else max(0.5, 7 / dims["top_k"] / 2)


def _tiny_width(dims: Mapping[str, Any]) -> int:
    """Hidden width of an MLP in the tiny preset; experts are many, so each is narrow."""
    return 128 if dims["n_experts"] else 384 if dims["mlp"] == "gated" else 512


def rotated(head_dim: int, rotary_pct: float) -> int:
    """Features of each head that the rotary embedding turns; always even."""
    return int(head_dim * rotary_pct) // 2 * 2
