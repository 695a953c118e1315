"""The state-space language model: Mamba and Mamba-2."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import ceil, log2, log10
from typing import Any

from ...specs.errors import Problem
from ..dims import Dim, broken_rules, choice, flag, number, real
from ..parts.mamba_lm import MambaLM, SSMBlock
from ..solver import Frame, Shape, below, best_shapes, interpolate
from .base import Node, Topology
from .decoder_lm import BYTE_VOCABULARY, MIN_VOCAB, NATIVE_CONTEXT, UNTIED_FROM, VOCABULARY
from .decoder_lm import DecoderTopology as _Text

SSM_TABLE: Mapping[str, Dim] = {
    "d_inner": number(None, "channels of the state-space mixer, usually twice `d_model`",
                      high=2**20),
    "d_state": number(None, "state features of each channel", high=4096),
    "d_conv": number(4, "width of the causal convolution, in tokens", low=2, high=64),
    "dt_rank": number(None, "features behind the step sizes of Mamba; 0 for Mamba-2", low=0,
                      high=2**16),
    "conv_bias": flag(True, "bias on the convolution"),
    "proj_bias": flag(False, "biases on the mixer's input and output projections"),
    "dt_b_c_norms": flag(False, "normalise what makes step sizes, inputs and outputs of the scan"),
}  # fmt: skip

TABLE: Mapping[str, Dim] = {
    "vocab_size": number(None, "rows of the token embedding", low=MIN_VOCAB),
    "d_model": number(None, "width of the residual stream", low=8, high=2**18),
    "n_layers": number(None, "number of blocks", high=2048),
    "ssm": choice(None, "state-space mixer; follows from the other dimensions where it is not "
                  "stated", "mamba", "mamba2"),
    **SSM_TABLE,
    "n_heads": number(None, "heads of Mamba-2, with one decay rate each; 0 for Mamba", low=0,
                      high=2**14),
    "head_dim": number(None, "channels of a head of Mamba-2; 0 for Mamba", low=0, high=4096),
    "n_groups": number(None, "groups of heads of Mamba-2 that share B and C; 0 for Mamba", low=0,
                       high=4096),
    "gated_norm": flag(None, "normalise the gated output of a Mamba-2 mixer"),
    "norm": choice("rmsnorm", "normalisation layer", "rmsnorm"),
    "norm_eps": real(1e-5, "epsilon of the normalisation layers", low=1e-12, high=1.0),
    "norms_per_layer": number(1, "one norm, before the mixer", high=1, switch=True),
    "final_norm": flag(True, "normalise before the output head"),
    "max_pos": number(None, "longest context that is planned for, in tokens; nothing bounds it"),
    "tied": flag(None, "output head shares the embedding"),
}  # fmt: skip

#: (log10 of the budget, d_model / n_layers): small, Mamba-130M … 2.8B, Falcon-Mamba-7B.
ASPECT = ((5, 12), (6.5, 20), (8.1, 32), (9.2, 40), (9.5, 40), (9.86, 64), (12, 120))

#: (budget, grid of d_model).
_GRID = ((1e6, 4), (3e6, 8), (5e7, 16), (5e8, 32), (4e9, 64), (4e10, 128), (float("inf"), 256))

#: (budget, state features of a Mamba-2 head).
_STATE = ((3e6, 16), (1e8, 64), (float("inf"), 128))

#: Dimensions that only Mamba-2 has.
_SECOND = ("n_heads", "head_dim", "n_groups", "gated_norm")

#: Words of a component's type that select a mixer.
_COMPONENTS = {"mamba": "mamba", "mamba1": "mamba", "selective_scan": "mamba", "s6": "mamba",
               "mamba2": "mamba2", "ssd": "mamba2", "state_space_duality": "mamba2"}  # fmt: skip


class MambaTopology(_Text):
    """Embedding, blocks of a norm and a state-space mixer, output head."""

    id = "mamba_lm"
    phrase = "state-space language model"
    covers = {**_Text.covers, "family": frozenset({"mamba"})}
    table = TABLE
    aliases = {"context_length": "max_pos", "state_size": "d_state", "conv_kernel": "d_conv"}
    floor = {"d_model": 32, "n_layers": 1, "d_inner": 64, "d_state": 16, "dt_rank": 2,
             "n_heads": 0, "head_dim": 0, "n_groups": 0}  # fmt: skip
    top = "mamba_lm"
    exports = ("MambaLM", "build_model")
    programs = ("common", "reading", "corpus", "text", "state_space")
    shown = {
        "n_layers": "Layers",
        "d_model": "Width",
        "d_inner": "Mixer channels",
        "d_state": "State per channel",
        "d_conv": "Convolution width",
        "dt_rank": "Step-size rank",
        "vocab_size": "Vocabulary",
    }
    nodes = (
        Node("tokens", "input"),
        Node("embed", "embedding", ("embed",)),
        Node("mixer", "selective state-space mixer", ("blocks.mixer",), repeated=True),
        Node("norm", "normalisation", ("norm",)),
        Node("lm_head", "output head", ("lm_head",)),
        Node("loss", "next-token cross-entropy"),
    )
    levers = frozenset()

    def given(self, spec: Any) -> dict[str, Any]:
        types = (c.type.lower() for c in spec.architecture.components)
        named = [_COMPONENTS[t] for t in types if t in _COMPONENTS]
        return super().given(spec) | ({"mixer": named[0]} if named else {})

    def contradictions(self, pins: Mapping[str, Any]) -> list[Problem]:
        get = pins.get
        heads, size, groups = get("n_heads"), get("head_dim"), get("n_groups")
        inner = get("d_inner")
        second = [name for name in _SECOND if get(name)]
        ssm = get("ssm") or ("mamba2" if second else "mamba")
        both = heads and size
        rules = (
            ("ssm", ssm == "mamba" and second, f"mamba has no {', '.join(second)}", "mamba2"),
            ("dt_rank", ssm == "mamba2" and get("dt_rank"),
             "Mamba-2 has no rank of step sizes", "0, or ssm: mamba"),
            ("dt_b_c_norms", ssm == "mamba2" and get("dt_b_c_norms"),
             "Mamba-2 has one gated norm", "false, or ssm: mamba"),
            ("d_inner", both and inner and heads * size != inner,
             f"{inner} is not n_heads × head_dim ({heads} × {size})", None),
            ("d_inner", inner and not both and inner % (heads or size or 1),
             f"{inner} is no multiple of {'n_heads' if heads else 'head_dim'}", None),
            ("n_groups", groups and heads and heads % groups,
             f"{groups} does not divide n_heads ({heads})", None),
        )  # fmt: skip
        return broken_rules(rules)

    def base(self, budget: float, frame: Frame) -> dict[str, Any]:
        dims = {name: dim.default for name, dim in self.table.items()}
        dims |= {"vocab_size": below(VOCABULARY, budget), "tied": budget < UNTIED_FROM}
        dims |= {"max_pos": NATIVE_CONTEXT, "ssm": frame.given.get("mixer", "mamba")}
        if any(frame.pins.get(name) for name in _SECOND):
            dims["ssm"] = "mamba2"
        elif frame.pins.get("dt_rank"):
            dims["ssm"] = "mamba"
        given = {k: v for k, v in frame.given.items() if k != "mixer"}
        dims |= given | dict(frame.pins)
        second = dims["ssm"] == "mamba2"
        if dims["d_state"] is None:
            dims["d_state"] = below(_STATE, budget) if second else 16
        if dims["gated_norm"] is None:
            dims["gated_norm"] = second
        return dims

    def build(self, dims: Mapping[str, Any]) -> MambaLM:
        return MambaLM(dims)

    def block(self, dims: Mapping[str, Any]) -> SSMBlock:
        return SSMBlock(dims)

    def aspect(self, budget: float) -> float:
        return interpolate(ASPECT, log10(max(budget, 1e5)))

    def shapes(self, budget: float, frame: Frame) -> list[Shape]:
        """Depth and width fill the budget: there is no MLP to widen."""
        return best_shapes(lambda cap: self._search(cap, frame), budget, bool(frame.pins))

    def _search(self, budget: float, frame: Frame) -> Iterator[Shape]:
        base = self.base(budget, frame)
        aspect = self.aspect(budget)
        for d_model in _widths(budget, aspect, frame.pins):
            dims = completed(base | {"d_model": d_model}, frame.pins)
            key = ("ssm", *(dims.get(k) for k in (*self.floor, "vocab_size", "tied")))
            if key not in frame.counts:
                outside = self.build({**dims, "n_layers": 0}).count()
                frame.counts[key] = (outside, self.block(dims).count())
            outside, each = frame.counts[key]
            most = max(1, int((budget - outside) // each))
            pinned = frame.pins.get("n_layers")
            rounded = {most, most - most % 2 or 1, most - most % 4 or 1}
            for n_layers in {pinned} if pinned else rounded:
                params = outside + n_layers * each
                score = log2(d_model / n_layers / aspect) ** 2 + _awkwardness(d_model, n_layers)
                score += 4 * max(0.0, 1 - params / budget) if budget else 0.0
                yield Shape(dims, (("n_layers", n_layers),), params, score)

    def context_served(self, dims: Mapping[str, Any]) -> tuple[str, str]:
        return (
            "a recurrent state of constant size stands for the context",
            "full attention (every layer reads a summary of the past)",
        )

    def switches(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        bpe = dims["vocab_size"] > BYTE_VOCABULARY
        return Topology.switches(self, dims) | {"scans": True, "bpe": bpe}

    def fields(self, dims: Mapping[str, Any]) -> dict[str, str]:
        second = dims["ssm"] == "mamba2"
        present = {"dt_rank": not second, "n_heads": second, "n_groups": second, "head_dim": False}
        names = {name: name for name, dim in self.table.items() if not dim.switch}
        names["max_pos"] = "context_length"
        return {dim: name for dim, name in names.items() if present.get(dim, True)}

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        context = min(256, dims["max_pos"])
        sizes = {
            "vocab_size": min(320, dims["vocab_size"]),
            "d_model": min(64, dims["d_model"]),
            "n_layers": min(3, dims["n_layers"]),
            "d_inner": min(128, dims["d_inner"]),
            "d_state": min(8, dims["d_state"]),
            "dt_rank": min(4, dims["dt_rank"]),
            "max_pos": context,
            "train_length": min(128, context),
        }
        if dims["ssm"] == "mamba2":
            heads, groups = min(4, dims["n_heads"]), dims["n_groups"]
            sizes |= {
                "d_inner": heads * min(32, dims["head_dim"]),
                "d_state": min(32, dims["d_state"]),
                "n_heads": heads,
                "n_groups": max(g for g in (1, 2, 3, 4) if heads % g == 0 and g <= groups),
            }
        return sizes

    def words(self, spec: Any, dims: Mapping[str, Any]) -> dict[str, str]:
        named = super().words(spec, {**dims, "n_experts": 0})
        if dims["ssm"] == "mamba2":
            named["topology"] = "state-space language model of the Mamba-2 kind"
        return named

    def kind_of(self, node: Node, dims: Mapping[str, Any]) -> str:
        second = node.id == "mixer" and dims["ssm"] == "mamba2"
        return "state-space-duality mixer" if second else node.kind

    def alternatives(self, dims: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        if dims["n_layers"] > 1:
            half = dims["n_layers"] // 2
            yield "Depth", f"half of the layers: {half} remain", {"n_layers": half}
        if dims["d_state"] > 1:
            half = dims["d_state"] // 2
            yield "State", f"half of the state: {half} features a channel", {"d_state": half}
        if dims["gated_norm"]:
            yield "Gated norm", "the norm after the gate", {"gated_norm": False}
        if dims["tied"]:
            yield "Tied embeddings", "the tie between embedding and head", {"tied": False}


def completed(dims: Mapping[str, Any], pins: Mapping[str, Any]) -> dict[str, Any]:
    """Dimensions with the mixer's own sizes, which follow from `d_model` where they are free."""
    inner = pins.get("d_inner") or 2 * dims["d_model"]
    if dims["ssm"] == "mamba":
        rank = pins.get("dt_rank") or ceil(dims["d_model"] / 16)
        own = {"d_inner": inner, "dt_rank": rank, "n_heads": 0, "head_dim": 0, "n_groups": 0}
        return {**dims, **own}
    heads, size, groups = (pins.get(name) for name in ("n_heads", "head_dim", "n_groups"))
    groups = groups or 1
    if not heads:
        sizes = (s for s in (64, 32, 16, 8, 4, 2) if inner % (s * groups) == 0)
        size = size or next(sizes, 1)
        heads = max(1, round(inner / size / groups)) * groups
    size = size or max(1, inner // heads)
    own = {"d_inner": heads * size, "n_heads": heads, "head_dim": size, "n_groups": groups}
    return {**dims, **own, "dt_rank": 0}


def _widths(budget: float, aspect: float, pins: Mapping[str, Any]) -> list[int]:
    if "d_model" in pins:
        return [pins["d_model"]]
    if "d_inner" in pins:
        return [max(8, pins["d_inner"] // 2)]
    if {"n_heads", "head_dim"} <= pins.keys():
        return [max(8, pins["n_heads"] * pins["head_dim"] // 2)]
    grid = below(_GRID, budget)
    depth = pins.get("n_layers")
    ideal = (budget / 6 / depth) ** 0.5 if depth else (budget * aspect / 6) ** (1 / 3)
    first = max(grid, int(ideal * 0.3) // grid * grid)
    return list(range(first, max(first, int(ideal * 1.8)) + 1, grid))


def _awkwardness(d_model: int, n_layers: int) -> float:
    """Costs of unusual widths and depths."""
    score = 0.08 * (n_layers % 2) + 0.04 * (n_layers % 4 != 0 and n_layers > 16)
    score += 0.10 * (d_model % 64 != 0 and d_model > 256)
    return score + 0.05 * (d_model % 256 != 0 and d_model > 1024)
