"""The contrastive dual encoder of text and pictures."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import log2, log10
from typing import Any

from ...specs.errors import Problem
from ..dims import Dim, broken_rules, choice, flag, number, real, text
from ..parts.dual_encoder import DualEncoder
from ..parts.towers import TowerBlock
from ..solver import Frame, Shape, below, best_shapes
from .base import Node, Topology, short_run
from .decoder_lm import BYTE_VOCABULARY, MIN_VOCAB, VOCABULARY, tokenizer_of
from .towers import (
    ACTIVATIONS,
    PICTURE,
    TEXT,
    VISION,
    fitting_patch,
    heads,
    picture_dims,
    pooling,
    tiny_picture,
    tower_aspect,
    tower_problems,
)

TABLE: Mapping[str, Dim] = {
    "loss": choice("softmax", "what the contrastive loss normalises", "softmax", "sigmoid"),
    "vocab_size": number(None, "rows of the token embedding", low=MIN_VOCAB),
    "context_length": number(None, "tokens of a text, its end included", low=4, high=2**20),
    **TEXT,
    "text_pool": choice("end", "the token whose state is the text's", "end", "last"),
    "text_proj_bias": flag(False, "bias on the text projection"),
    **PICTURE,
    **VISION,
    "image_pool": pooling("class", "attention"),
    "image_proj": flag(True, "project the pooled picture"),
    "embed_dim": number(None, "width of the shared space", low=4, high=2**18),
    "activation": choice("quick_gelu", "feed-forward nonlinearity", *ACTIVATIONS),
    "norm_eps": real(1e-5, "epsilon of the normalisation layers", low=1e-12, high=1.0),
}

#: What each loss was published with: CLIP (Radford et al., 2021), SigLIP (Zhai et al., 2023).
CUSTOM: Mapping[str, Mapping[str, Any]] = {
    "softmax": {"context_length": 77},
    "sigmoid": {
        "context_length": 64, "text_causal": False, "text_pool": "last", "text_proj_bias": True,
        "class_token": False, "patch_bias": True, "pre_norm": False, "image_pool": "attention",
        "image_proj": False, "activation": "gelu_tanh", "norm_eps": 1e-6,
    },
}  # fmt: skip

#: The fields of `Config` that pairs need.
PAIR_SETTINGS: Mapping[str, Dim] = {
    "data": text("CSV, JSONL or folder of pictures and texts, or hub dataset; empty: built in"),
}


class DualEncoderTopology(Topology):
    """A text tower and a picture tower whose vectors agree on pairs."""

    id = "dual_encoder"
    phrase = "contrastive dual encoder"
    objective = "contrastive learning of pairs"
    covers = {
        "inputs": frozenset({"text", "image"}),
        "outputs": frozenset({"text", "image", "embedding"}),
        "objective": frozenset({"contrastive"}),
        "task": frozenset({"embedding", "retrieval", "ranking"}),
        "family": frozenset({"transformer"}),
    }
    served_as = "retrieval: the nearest text of a picture, the nearest picture of a text"
    unit = "pair"
    table = TABLE
    aliases = {"max_pos": "context_length", "projection_dim": "embed_dim"}
    floor = {"vision_d_model": 16, "vision_n_layers": 1, "vision_n_heads": 2, "vision_d_ff": 32,
             "text_d_model": 16, "text_n_layers": 1, "text_n_heads": 2, "text_d_ff": 32,
             "embed_dim": 16}  # fmt: skip
    top = "dual_encoder"
    exports = ("DualEncoder", "build_model")
    programs = ("common", "reading", "corpus", "text", "images", "captioned")
    settings = PAIR_SETTINGS
    shown = {
        "vision_n_layers": "Picture layers",
        "vision_d_model": "Picture width",
        "vision_n_heads": "Picture heads",
        "text_n_layers": "Text layers",
        "text_d_model": "Text width",
        "text_n_heads": "Text heads",
        "embed_dim": "Shared width",
        "image_size": "Picture size",
        "patch_size": "Patch size",
        "vocab_size": "Vocabulary",
    }
    nodes = (
        Node("tokens", "input"),
        Node("embed", "text tower", ("text",), into=("head",)),
        Node("pixels", "input"),
        Node("encoder", "picture tower", ("image", "image_norm", "image_pool")),
        Node("head", "projections", ("text_proj", "image_proj")),
        Node("loss", "contrastive loss"),
    )
    batch = 32768  # Radford et al., 2021, section 2.5
    most_units_per_param = 85.0  # CLIP ViT-B/32 saw 12.8 billion pairs

    def given(self, spec: Any) -> dict[str, Any]:
        dims = picture_dims(spec)
        window = spec.constraints.context_window
        if window and "context_window" in spec.stated.get("constraints", {}):
            dims["context_length"] = int(min(max(window.value, 4), 512))
        return dims

    def contradictions(self, pins: Mapping[str, Any]) -> list[Problem]:
        problems = tower_problems(pins, ("text", "vision"))
        dims = {**{n: d.default for n, d in TABLE.items()}, **CUSTOM[pins.get("loss", "softmax")]}
        dims |= pins
        rules = (
            ("class_token", dims["image_pool"] == "class" and not dims["class_token"],
             "the pool reads a class token", "true, or image_pool: attention"),
            ("image_proj", not dims["image_proj"] and dims["embed_dim"] and dims["vision_d_model"]
             and dims["embed_dim"] != dims["vision_d_model"],
             "without it embed_dim is vision_d_model", "true"),
        )  # fmt: skip
        problems += broken_rules(rules)
        return problems

    def base(self, budget: float, frame: Frame) -> dict[str, Any]:
        dims = {name: dim.default for name, dim in TABLE.items()}
        dims |= {"vocab_size": below(VOCABULARY, budget)}
        dims |= CUSTOM[frame.pins.get("loss", "softmax")]
        dims |= dict(frame.given)
        dims["patch_size"] = fitting_patch(dims["image_size"], 14 if budget >= 4e8 else 16)
        dims |= dict(frame.pins)
        if "patch_size" not in frame.pins:
            dims["patch_size"] = fitting_patch(dims["image_size"], dims["patch_size"])
        return dims

    def build(self, dims: Mapping[str, Any]) -> DualEncoder:
        return DualEncoder(dims)

    def shapes(self, budget: float, frame: Frame) -> list[Shape]:
        return best_shapes(lambda cap: _search(self, cap, frame), budget, bool(frame.pins))

    def switches(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        return super().switches(dims) | {
            "tower_activation": dims["activation"],
            "spare_layers": 0,
            "bpe": dims["vocab_size"] > BYTE_VOCABULARY,
        }

    def fields(self, dims: Mapping[str, Any]) -> dict[str, str]:
        return super().fields(dims) | {"norm_eps": "tower_norm_eps"}

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        small = {"vocab_size": min(BYTE_VOCABULARY, dims["vocab_size"])}
        small["context_length"] = min(64, dims["context_length"])
        for prefix in ("text", "vision"):
            small[f"{prefix}_d_model"] = width = min(64, dims[f"{prefix}_d_model"])
            small[f"{prefix}_n_layers"] = min(2, dims[f"{prefix}_n_layers"])
            small[f"{prefix}_n_heads"] = next(
                n for n in (4, 3, 2, 1) if n <= dims[f"{prefix}_n_heads"] and width % n == 0
            )
            small[f"{prefix}_d_ff"] = min(128, dims[f"{prefix}_d_ff"])
        small |= tiny_picture(dims)
        shared = min(64, dims["embed_dim"])
        small["embed_dim"] = shared if dims["image_proj"] else small["vision_d_model"]
        return small | {
            **short_run(steps=240, batch=64, learning_rate=0.002, warmup=24),
            "eval_interval": 120,
            "checkpoint_interval": 120,
        }

    def idle_programs(self, switches: Mapping[str, Any]) -> tuple[str, ...]:
        unequal = ("accumulation",)  # negatives come from one micro-batch
        return unequal if switches["bpe"] else (*unequal, "bpe")

    def words(self, spec: Any, dims: Mapping[str, Any]) -> dict[str, str]:
        return {"tokenizer": tokenizer_of(dims["vocab_size"])}

    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        side, shared = dims["image_size"], ["batch", dims["embed_dim"]]
        return {
            "tokens": ["batch", dims["context_length"]],
            "embed": ["batch", dims["text_d_model"]],
            "pixels": ["batch", dims["channels"], side, side],
            "encoder": ["batch", dims["vision_d_model"]],
            "head": shared,
            "loss": [],
        }

    def alternatives(self, dims: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        for prefix, name in (("vision", "Picture depth"), ("text", "Text depth")):
            half = dims[f"{prefix}_n_layers"] // 2
            if half:
                removed = f"half of the tower's layers: {half} remain"
                yield name, removed, {f"{prefix}_n_layers": half}
        if dims["image_pool"] == "attention":
            change = {"image_pool": "class", "class_token": True}
            yield "Attention pooling", "the probe: a class token instead", change


def _widths(budget: float, pinned: int | None, ideal: float) -> list[int]:
    if pinned:
        return [pinned]
    grid = 4 if budget < 3e5 else 8 if budget < 3e6 else 16 if budget < 2e7 else 64
    if budget >= 5e9:
        grid = 128 if budget < 3e10 else 256 if budget < 1e11 else 1024
    grid *= max(1, int(ideal / grid / 128))  # a pinned width may be far from any published one
    first = max(16 // grid, 1, int(ideal * 0.7) // grid) * grid
    return list(range(first, max(first, int(ideal * 1.3)) + 1, grid))


def _search(topology: Topology, budget: float, frame: Frame) -> Iterator[Shape]:
    """Towers whose widths and depths keep the proportions of published ones.

    The picture tower leads; the text tower has two thirds of its width under the softmax loss and
    all of it under the sigmoid one. Depths fill the budget at d_ff = 4 · width.
    """
    base, pins = topology.base(budget, frame), frame.pins
    ratio = 2 / 3 if base["loss"] == "softmax" else 1.0
    aspect = tower_aspect(log10(max(budget * 0.6, 1e4)))
    ideal = max(16.0, (0.6 * budget * aspect / 12) ** (1 / 3))
    for vision in _widths(budget, pins.get("vision_d_model"), ideal):
        for width in _widths(budget, pins.get("text_d_model"), vision * ratio):
            if width > vision and not pins:
                continue
            shared = pins.get("embed_dim") or (width if base["image_proj"] else vision)
            found = {"vision_d_model": vision, "text_d_model": width, "embed_dim": shared}
            for prefix, size in (("vision", vision), ("text", width)):
                found[f"{prefix}_n_heads"] = pins.get(f"{prefix}_n_heads") or heads(size)
                found[f"{prefix}_d_ff"] = pins.get(f"{prefix}_d_ff") or 4 * size
            yield from _depths(topology, budget, base, found, aspect, ratio, pins)


def _depths(
    topology: Topology,
    budget: float,
    base: Mapping[str, Any],
    found: dict[str, int],
    aspect: float,
    ratio: float,
    pins: Mapping[str, Any],
) -> Iterator[Shape]:
    """Every picture depth in reach, with the text depth that fills the budget best."""
    vision, width = found["vision_d_model"], found["text_d_model"]
    empty = {**base, **found, "vision_n_layers": 0, "text_n_layers": 0}
    outside = topology.build(empty).count()
    of_vision = TowerBlock(vision, found["vision_d_ff"]).count()
    of_text = TowerBlock(width, found["text_d_ff"]).count()
    middle = min(vision / aspect, topology.table["vision_n_layers"].high / 2)
    depths = range(max(1, int(middle * 0.5)), int(middle * 2) + 2, max(1, int(middle / 64)))
    for n_vision in (pins["vision_n_layers"],) if "vision_n_layers" in pins else depths:
        room = (budget - outside - n_vision * of_vision) / of_text
        n_text = pins.get("text_n_layers") or max(1, min(int(room), 2 * n_vision))
        params = outside + n_vision * of_vision + n_text * of_text
        usual = max(1.0, n_vision if ratio == 1 else min(n_vision, 12 + n_vision / 4))
        fill = params / budget if budget else 1.0
        score = log2(n_vision / middle) ** 2 + log2(n_text / usual) ** 2
        score += 4 * log2(width / vision / ratio) ** 2 + 4 * max(0.0, 1 - fill)
        score += 0.08 * (n_vision % 2 + n_text % 2) + 0.1 * (vision % 64 != 0)
        score += 0.05 * (n_vision % 4 != 0) + 0.05 * (n_text % 4 != 0)
        depth = {"vision_n_layers": n_vision, "text_n_layers": n_text}
        yield Shape(base, tuple((found | depth).items()), params, score)
