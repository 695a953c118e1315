"""The hybrid language model: attention in some layers, state-space mixers in the others."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import ceil, log2, log10
from typing import Any

from ...specs.errors import Problem
from ..dims import Dim, broken_rules, choice, flag, number, real
from ..parts.base import Part
from ..parts.hybrid_lm import HybridLM, layer_kinds
from ..solver import SMALL, Frame, Shape, below, best_shapes, interpolate
from .base import Node, Topology
from .decoder_lm import BYTE_VOCABULARY, MIN_VOCAB, NATIVE_CONTEXT, UNTIED_FROM, VOCABULARY
from .decoder_lm import DecoderTopology as _Text
from .mamba_lm import SSM_TABLE

MOST_LAYERS = 2048
TABLE: Mapping[str, Dim] = {
    "vocab_size": number(None, "rows of the token embedding", low=MIN_VOCAB),
    "d_model": number(None, "width of the residual stream", low=8, high=2**18),
    "n_layers": number(None, "number of blocks", low=2, high=MOST_LAYERS),
    "attn_layers": number(None, "layers with attention", high=MOST_LAYERS),
    "mamba_layers": number(None, "layers with a state-space mixer", high=MOST_LAYERS),
    "attn_layer_period": number(None, "one layer with attention in every so many", low=2,
                                high=MOST_LAYERS),
    "attn_layer_offset": number(None, "place of the layer with attention in its period", low=0,
                                high=2047),
    "n_heads": number(None, "query heads", high=4096),
    "n_kv_heads": number(None, "key and value heads, each shared by equally many query heads",
                         high=4096),
    "head_dim": number(None, "width of one attention head", low=2, high=4096),
    "d_ff": number(None, "hidden width of the MLP, or of one expert", high=2**20),
    "mlp": choice("gated", "feed-forward shape", "gated"),
    "n_experts": number(0, "experts in place of an MLP; 0 for none", low=0, high=4096),
    "top_k": number(2, "experts that each token visits", high=4096),
    "norm_topk": flag(False, "whether the weights of the visited experts sum to one"),
    "balance_weight": real(0.01, "weight of the loss that evens out the use of the experts"),
    "n_moe_layers": number(None, "layers with experts", low=0, high=MOST_LAYERS),
    "expert_layer_period": number(2, "one layer with experts in every so many", high=MOST_LAYERS),
    "expert_layer_offset": number(1, "place of the layer with experts in its period", low=0,
                                  high=2047),
    **SSM_TABLE,
    "norm": choice("rmsnorm", "normalisation layer", "rmsnorm"),
    "norm_eps": real(1e-6, "epsilon of the normalisation layers", low=1e-12, high=1.0),
    "norms_per_layer": number(2, "one before the mixer and one before the MLP", low=2, high=2,
                              switch=True),
    "final_norm": flag(True, "normalise before the output head"),
    "pos": choice("none", "position encoding: the state-space layers know the order", "none"),
    "max_pos": number(None, "longest context, in tokens"),
    "tied": flag(None, "output head shares the embedding"),
}  # fmt: skip

#: Switches of the shared parts that this model does not vary.
FIXED = {
    "hybrid": True, "scans": True, "ssm": "mamba", "windowed": False, "rotary_pct": 1.0,
    "qk_norm": "none", "norm_bias": False, "attn_qkv_bias": False, "attn_out_bias": False,
    "activation": "silu", "mlp_bias": False, "lm_head_bias": False, "embed_norm": False,
    "embed_scale": False, "parallel_block": False, "post_norm": False,
}  # fmt: skip

#: (log10 of the budget, d_model / n_layers): small, Jamba-v0.1 (128), and Jamba 1.5 Large (114).
ASPECT = ((5, 10), (7, 32), (8, 56), (9, 90), (10.7, 128), (11.6, 114), (12, 120))

#: (budget, grid of d_model).
_GRID = (
    (1e6, 8), (3e6, 16), (5e7, 32), (5e8, 64), (4e9, 128), (4e10, 256), (float("inf"), 512),
)  # fmt: skip

PERIOD = 8
FF_RATIO = 3.5
N_EXPERTS = 16

#: Words of a component's type that ask for experts.
MIXTURES = frozenset({"moe", "mixture_of_experts", "experts", "sparse_mlp"})


class HybridTopology(_Text):
    """Embedding, blocks of attention or a state-space mixer with an MLP each, output head."""

    id = "hybrid_lm"
    phrase = "hybrid of attention and state-space layers"
    covers = {**_Text.covers, "family": frozenset({"hybrid"})}
    table = TABLE
    aliases = {"context_length": "max_pos", "expert_d_ff": "d_ff", "num_experts": "n_experts"}
    floor = {"d_model": 32, "n_layers": 2, "n_heads": 2, "n_kv_heads": 1, "head_dim": 16,
             "d_ff": 64}  # fmt: skip
    programs = ("common", "reading", "corpus", "text", "hybrid")
    shown = {
        "n_layers": "Layers",
        "attn_layers": "of which attend",
        "n_moe_layers": "of which with experts",
        "d_model": "Width",
        "n_heads": "Query heads",
        "n_kv_heads": "Key–value heads",
        "head_dim": "Head dimension",
        "d_ff": "Feed-forward width",
        "n_experts": "Experts",
        "d_inner": "Mixer channels",
        "d_state": "State per channel",
        "vocab_size": "Vocabulary",
    }
    nodes = (
        Node("tokens", "input"),
        Node("embed", "embedding", ("embed",)),
        Node("mixer", "selective state-space mixer", ("blocks.mamba",), repeated=True),
        Node("attention", "grouped-query attention", ("blocks.attn",), repeated=True),
        Node("mlp", "feed-forward network", ("blocks.mlp",), repeated=True),
        Node("norm", "normalisation", ("norm", "blocks.norm", "blocks.mlp_norm")),
        Node("lm_head", "output head", ("lm_head",)),
        Node("loss", "next-token cross-entropy"),
    )
    levers = frozenset({"kv_heads"})

    def given(self, spec: Any) -> dict[str, Any]:
        window = super().given(spec)["max_pos"]
        mixed = any(c.type.lower() in MIXTURES for c in spec.architecture.components)
        return {"max_pos": window} | ({"n_experts": N_EXPERTS} if mixed else {})

    def contradictions(self, pins: Mapping[str, Any]) -> list[Problem]:
        get = pins.get
        heads, kv_heads, layers = get("n_heads"), get("n_kv_heads"), get("n_layers")
        period, experts = get("attn_layer_period"), get("n_experts")
        counts = _counts(pins) if layers else {}
        off = {k: get(k) for k in counts if get(k) is not None and get(k) != counts[k]}
        wrong = next(iter(off), "attn_layers")
        rules = (
            ("n_kv_heads", heads and kv_heads and heads % kv_heads,
             f"{kv_heads} does not divide n_heads ({heads})", None),
            ("attn_layer_offset", (get("attn_layer_offset") or 0) >= (period or 2048),
             f"the period has only {period} layers", None),
            ("expert_layer_offset",
             get("expert_layer_offset", 1) >= get("expert_layer_period", 2) and experts,
             "lies outside expert_layer_period", None),
            ("top_k", experts and get("top_k", 2) > experts,
             f"{get('top_k', 2)} exceeds n_experts ({experts})", None),
            (wrong, off, f"{off.get(wrong)} is not what periods and offsets make of "
             f"{layers} layers", str(counts.get(wrong))),
        )  # fmt: skip
        return broken_rules(rules)

    def base(self, budget: float, frame: Frame) -> dict[str, Any]:
        dims = {name: dim.default for name, dim in self.table.items()}
        dims |= {"vocab_size": below(VOCABULARY, budget), "tied": budget < UNTIED_FROM}
        dims |= {"max_pos": NATIVE_CONTEXT, "d_state": 16}
        dims |= dict(frame.given) | dict(frame.pins)
        dims["top_k"] = min(dims["top_k"], dims["n_experts"] or dims["top_k"])
        return dims

    def least(self, given: Mapping[str, Any]) -> int:
        return self.build(_completed(self.base(0, Frame(given)) | self.floor, {})).count()

    def build(self, dims: Mapping[str, Any]) -> HybridLM:
        return HybridLM({**dims, **FIXED})

    def block(self, dims: Mapping[str, Any]) -> Part:
        return self.build(dims).children["blocks"].kinds[0][0]

    def aspect(self, budget: float) -> float:
        return interpolate(ASPECT, log10(max(budget, 1e5)))

    def shapes(self, budget: float, frame: Frame) -> list[Shape]:
        return best_shapes(lambda cap: self._search(cap, frame), budget, bool(frame.pins))

    def _search(self, budget: float, frame: Frame) -> Iterator[Shape]:
        """Every width and depth in reach, with the MLP width that fills the budget there."""
        base, pins = self.base(budget, frame), frame.pins
        aspect = self.aspect(budget) / (2 if base["n_experts"] else 1) ** 0.5
        slack = 2.0 if budget < SMALL else 1.5
        step = 8 if budget < 1e6 else 16 if budget < 3 * SMALL else 64
        for d_model in _widths(budget, aspect, base, pins):
            heads = _heads(d_model, frame)
            odd = 0.15 * (heads["n_heads"] % 4 != 0 and heads["n_heads"] > 4)
            odd += 0.20 * (heads["n_heads"] > 8 * heads["n_kv_heads"] and frame.max_kv_heads >= 8)
            for n_layers in _depths(min(d_model / aspect, MOST_LAYERS / 2), pins):
                dims = _completed({**base, "d_model": d_model, "n_layers": n_layers, **heads}, pins)
                fixed, each = self._affine(dims, frame)
                ratio = (budget - fixed) / each / d_model / FF_RATIO
                if not 1 / slack <= ratio <= slack and budget >= 5e4 and not pins:
                    continue
                fitting = max(step, int((budget - fixed) / each) // step * step)
                if pins and "d_ff" not in pins:
                    fitting = min(fitting, max(step, int(d_model * FF_RATIO * 2) // step * step))
                grid = 256 if d_model >= 1024 else 64
                for d_ff in {fitting, max(step, fitting // grid * grid)}:
                    d_ff = pins.get("d_ff", d_ff)
                    params = fixed + each * d_ff
                    score = log2(d_model / n_layers / aspect) ** 2
                    score += 2 * log2(d_ff / d_model / FF_RATIO) ** 2 + 0.12 * (d_ff % grid != 0)
                    score += 0.2 * (n_layers % dims["attn_layer_period"] != 0) + odd
                    score += 4 * max(0.0, 1 - params / budget) if budget else 0.0
                    yield Shape(dims, (("d_ff", d_ff),), params, score)

    def _affine(self, dims: Mapping[str, Any], frame: Frame) -> tuple[int, int]:
        """Parameters as `fixed + each · d_ff`, read off two counted models."""
        keys = ("d_model", "n_layers", "n_heads", "n_kv_heads", "head_dim", "vocab_size", "tied")
        key = ("hybrid", *(dims[k] for k in keys))
        if key not in frame.counts:
            narrow, wide = (self.build({**dims, "d_ff": d_ff}).count() for d_ff in (1, 2))
            frame.counts[key] = (2 * narrow - wide, wide - narrow)
        return frame.counts[key]

    def context_served(self, dims: Mapping[str, Any]) -> tuple[str, str]:
        attending, layers = dims["attn_layers"], dims["n_layers"]
        return (
            f"full attention in {attending} of {layers} layers, recurrent states in the others",
            f"attention in {layers - attending} of {layers} layers",
        )

    def switches(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        experts, bpe = bool(dims["n_experts"]), dims["vocab_size"] > BYTE_VOCABULARY
        return Topology.switches(self, dims) | {"moe": experts, "bpe": bpe} | FIXED

    def fields(self, dims: Mapping[str, Any]) -> dict[str, str]:
        mixture = ("n_experts", "top_k", "balance_weight", "expert_layer_period",
                   "expert_layer_offset")  # fmt: skip
        absent = {"attn_layers", "mamba_layers", "n_moe_layers"}
        absent |= set() if dims["n_experts"] else set(mixture)
        names = {name: name for name, dim in self.table.items() if not dim.switch}
        names |= {"max_pos": "context_length", "top_k": "experts_per_token"}
        return {dim: name for dim, name in names.items() if dim not in absent}

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        layers = min(4, dims["n_layers"])
        period = min(dims["attn_layer_period"], layers // 2 if layers >= 4 else layers)
        period = max(2, period)
        sparse = min(2, dims["expert_layer_period"])
        heads = min(4, dims["n_heads"])
        group = dims["n_heads"] // dims["n_kv_heads"]
        tiny_group = max(g for g in range(1, heads + 1) if heads % g == 0 and g <= group)
        context = min(256, dims["max_pos"])
        return {
            "vocab_size": min(320, dims["vocab_size"]),
            "d_model": min(64, dims["d_model"]),
            "n_layers": layers,
            "attn_layer_period": period,
            "attn_layer_offset": min(dims["attn_layer_offset"], period - 1),
            "n_heads": heads,
            "n_kv_heads": heads // tiny_group,
            "head_dim": min(16, dims["head_dim"]),
            "d_ff": min(64 if dims["n_experts"] else 192, dims["d_ff"]),
            "n_experts": min(4, dims["n_experts"]),
            "top_k": min(2, dims["top_k"]),
            "expert_layer_period": sparse,
            "expert_layer_offset": min(sparse - 1, dims["expert_layer_offset"]),
            "d_inner": min(128, dims["d_inner"]),
            "d_state": min(8, dims["d_state"]),
            "dt_rank": min(4, dims["dt_rank"]),
            "max_pos": context,
            "train_length": min(128, context),
        }

    def words(self, spec: Any, dims: Mapping[str, Any]) -> dict[str, str]:
        named = super().words(spec, {**dims, "n_experts": 0})
        if dims["n_experts"]:
            named["topology"] = "mixture-of-experts hybrid of attention and state-space layers"
        return named

    def kind_of(self, node: Node, dims: Mapping[str, Any]) -> str:
        mixed = node.id == "mlp" and dims["n_experts"]
        return "feed-forward networks and mixtures of experts" if mixed else node.kind

    def copies_of(self, node: Node, dims: Mapping[str, Any]) -> int:
        own = {"mixer": dims["mamba_layers"], "attention": dims["attn_layers"]}
        return own.get(node.id) or super().copies_of(node, dims)

    def alternatives(self, dims: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        if dims["n_kv_heads"] < dims["n_heads"]:
            removed = "head sharing: one key-value head for each query head"
            yield "Grouped-query attention", removed, {"n_kv_heads": dims["n_heads"]}
        everywhere = {"attn_layer_offset": dims["n_layers"], "attn_layer_period": 2048}
        yield "Attention", "all attention: every layer keeps a state", everywhere
        if dims["n_experts"]:
            yield "Mixture of experts", "all experts but one, and the router", {"n_experts": 0}
        if dims["tied"]:
            yield "Tied embeddings", "the tie between embedding and head", {"tied": False}


def _counts(dims: Mapping[str, Any]) -> dict[str, int]:
    """How many layers attend, keep a state, and have experts."""
    placed = {**_places(dims), "n_experts": dims.get("n_experts", 0)}
    kinds = layer_kinds({**placed, "n_layers": dims["n_layers"]})
    attending = sum(attends for attends, _ in kinds)
    sparse = sum(mixed for _, mixed in kinds)
    return {
        "attn_layers": attending,
        "mamba_layers": len(kinds) - attending,
        "n_moe_layers": sparse,
    }


def _places(dims: Mapping[str, Any]) -> dict[str, int]:
    """Periods and offsets: stated, or from counts, or those of Jamba."""
    layers, attending = dims["n_layers"], dims.get("attn_layers")
    period = dims.get("attn_layer_period") or (
        max(2, layers // attending) if attending else min(PERIOD, layers)
    )
    offset = dims.get("attn_layer_offset")
    sparse = dims.get("expert_layer_period") or 2
    first = dims.get("expert_layer_offset")
    return {
        "attn_layer_period": period,
        "attn_layer_offset": period // 2 if offset is None else offset,
        "expert_layer_period": sparse,
        "expert_layer_offset": min(1, sparse - 1) if first is None else first,
    }


def _completed(dims: Mapping[str, Any], pins: Mapping[str, Any]) -> dict[str, Any]:
    """Dimensions with places, counts and the mixer's sizes, which follow from the others."""
    inner = pins.get("d_inner") or 2 * dims["d_model"]
    rank = pins.get("dt_rank") or ceil(dims["d_model"] / 16)
    dims = {**dims, **_places(dims), "d_inner": inner, "dt_rank": rank}
    return dims | _counts(dims)


def _widths(
    budget: float, aspect: float, base: Mapping[str, Any], pins: Mapping[str, Any]
) -> list[int]:
    if "d_model" in pins:
        return [pins["d_model"]]
    if {"n_heads", "head_dim"} <= pins.keys():
        return [pins["n_heads"] * pins["head_dim"]]
    grid = below(_GRID, budget)
    if "n_heads" in pins:
        grid = max(grid, pins["n_heads"])
        grid -= grid % pins["n_heads"]
    experts = base["n_experts"] or 1
    bulk = 6 + 3 * FF_RATIO * (1 + (experts - 1) / base["expert_layer_period"])
    depth = pins.get("n_layers")
    ideal = (budget / bulk / depth) ** 0.5 if depth else (budget * aspect / bulk) ** (1 / 3)
    first = max(grid, int(ideal * 0.35) // grid * grid)
    return list(range(first, max(first, int(ideal * 1.6)) + 1, grid))


def _depths(middle: float, pins: Mapping[str, Any]) -> list[int]:
    """Whole periods, or any small number of layers."""
    if "n_layers" in pins:
        return [pins["n_layers"]]
    first, last = max(2, int(middle * 0.5)), max(2, ceil(middle * 2))
    grid = 1 if last < 24 else 4 if last < 48 else PERIOD
    return list(range(max(2, first // grid * grid), last + 1, grid))


def _heads(d_model: int, frame: Frame) -> dict[str, int]:
    """Query heads, their width, and at most eight key-value heads."""
    pins = frame.pins
    heads, size, kv_heads = (pins.get(k) for k in ("n_heads", "head_dim", "n_kv_heads"))
    if not size:
        sizes = (*((128,) if d_model >= 2048 else ()), 64, 32, 16, 8, 4, 2, 1)
        size = max(2, d_model // heads) if heads else next(s for s in sizes if d_model % s == 0)
    if not heads:
        heads = max(1, d_model // size)
        heads = max(kv_heads, heads // kv_heads * kv_heads) if kv_heads else heads
    if not kv_heads:
        most = min(frame.max_kv_heads, max(1, heads // 2))
        kv_heads = max(k for k in range(1, most + 1) if heads % k == 0)
    return {"n_heads": heads, "n_kv_heads": kv_heads, "head_dim": size}
