"""The vision-language model: a decoder that reads a picture before a text."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import inf
from typing import Any

from ...specs.errors import Problem
from ..dims import Dim, choice, number, real, text
from ..parts.base import Part
from ..parts.decoder_lm import Block
from ..parts.towers import patches
from ..parts.vlm import VisionLanguageModel
from ..solver import Frame
from .base import Node, Work, short_run
from .decoder_lm import TABLE as DECODER
from .decoder_lm import DecoderTopology, rope_theta, tokenizer_of
from .towers import (
    ACTIVATIONS,
    PICTURE,
    VISION,
    fitting_patch,
    picture_dims,
    tiny_picture,
    tower_problems,
)
from .writers import PROMPT

#: What the decoder's table holds and this model leaves at its default, as Llama has it.
_OPEN = ("vocab_size", "d_model", "n_layers", "n_heads", "n_kv_heads", "head_dim", "d_ff",
         "max_pos", "rope_theta", "norm_eps", "attn_qkv_bias", "tied")  # fmt: skip
_CLOSED = {name: dim.default for name, dim in DECODER.items() if name not in _OPEN}

TABLE: Mapping[str, Dim] = {
    **{name: DECODER[name] for name in _OPEN},
    **PICTURE,
    **VISION,
    "feature_layer": number(
        -1, "the picture tower's block whose output is read, counted from its end", low=-8, high=-1
    ),
    "vision_activation": choice(
        "quick_gelu", "feed-forward nonlinearity of the picture tower", *ACTIVATIONS
    ),
    "vision_norm_eps": real(
        1e-5, "epsilon of the picture tower's normalisation", low=1e-12, high=1.0
    ),
}

#: The fields of `Config` that questions about pictures need.
QUESTION_SETTINGS: Mapping[str, Dim] = {
    "data": text("CSV, JSONL or folder of pictures and texts, or hub dataset; empty: built in"),
    "train_length": number(2048, "positions of a training sample, those of its picture included"),
}

#: (budget, width, layers, heads) of the picture tower: DeiT-Ti, -S, ViT-B, CLIP L, H, InternViT.
LADDER = (
    (2e5, 16, 1, 2), (1e6, 32, 2, 4), (5e6, 64, 4, 4), (3e7, 128, 6, 4), (1e8, 192, 12, 3),
    (5e8, 384, 12, 6), (2e9, 768, 12, 12), (3e10, 1024, 24, 16), (1e11, 1280, 32, 16),
    (inf, 3200, 45, 25),
)  # fmt: skip

ANSWER = 1024  # positions of text beside the picture in a training sample of the full preset


class VlmTopology(DecoderTopology):
    """Picture tower, projector, and a decoder in the manner of Llama."""

    id = "vlm"
    phrase = "vision-language model"
    objective = "autoregressive prediction of the answer"
    covers = {
        "inputs": frozenset({"text", "image"}),
        "outputs": frozenset({"text"}),
        "objective": frozenset({"autoregressive"}),
        "task": frozenset({"generation", "captioning", "translation", "summarization"}),
        "family": frozenset({"transformer"}),
    }
    served_as = "answering: what is asked about the picture is answered as text"
    table = TABLE
    aliases = {"context_length": "max_pos", "n_positions": "max_pos"}
    top = "vlm"
    exports = ("VisionLanguageModel", "KVCache", "build_model")
    programs = ("common", "reading", "corpus", "text", "images", "captioned", "questions")
    settings = QUESTION_SETTINGS
    shown = {
        "n_layers": "Layers",
        "d_model": "Width",
        "n_heads": "Query heads",
        "n_kv_heads": "Key–value heads",
        "d_ff": "Feed-forward width",
        "vision_n_layers": "Picture layers",
        "vision_d_model": "Picture width",
        "image_size": "Picture size",
        "patch_size": "Patch size",
        "vocab_size": "Vocabulary",
    }
    nodes = (
        Node("pixels", "input"),
        Node("encoder", "picture tower", ("vision",)),
        Node("projector", "projector", ("projector",), into=("attention",)),
        Node("tokens", "input"),
        Node("embed", "embedding", ("embed",)),
        Node("attention", "grouped-query attention", ("layers.attn",), repeated=True),
        Node("mlp", "feed-forward network", ("layers.mlp",), repeated=True),
        Node("norm", "normalisation", ("norm",)),
        Node("lm_head", "output head", ("lm_head",)),
        Node("loss", "cross-entropy of the answer"),
    )
    levers = frozenset({"kv_heads"})

    def given(self, spec: Any) -> dict[str, Any]:
        context = {"max_pos": super().given(spec)["max_pos"]}
        return context | picture_dims(spec)

    def contradictions(self, pins: Mapping[str, Any]) -> list[Problem]:
        problems = tower_problems(pins, ("vision",))
        heads, kv_heads = pins.get("n_heads"), pins.get("n_kv_heads")
        if heads and kv_heads and heads % kv_heads:
            message = f"{kv_heads} does not divide n_heads ({heads})"
            problems.append(Problem("architecture.dims.n_kv_heads", message))
        if pins.get("head_dim", 2) % 2:
            message = f"{pins['head_dim']} is odd; rotary features come in pairs"
            problems.append(Problem("architecture.dims.head_dim", message))
        seen = (pins.get("image_size", 224) // pins.get("patch_size", 16)) ** 2
        if "max_pos" in pins and pins["max_pos"] < seen + 8:
            message = f"{pins['max_pos']} has no room for the {seen} patches of a picture and text"
            problems.append(Problem("architecture.dims.max_pos", message))
        return problems

    def base(self, budget: float, frame: Frame) -> dict[str, Any]:
        open_dims = _Open(self.table).base(budget, replace(frame, window=0))
        _, width, layers, heads = next(row for row in LADDER if budget < row[0])
        large = budget >= 2e9
        dims = _CLOSED | open_dims
        tower = {"vision_d_model": width, "vision_n_layers": layers, "vision_n_heads": heads}
        for name, value in tower.items():
            dims[name] = frame.pins.get(name, value)
        if "image_size" not in {**frame.pins, **frame.given}:
            dims["image_size"] = 336 if large else 224
        if "patch_size" not in frame.pins:
            dims["patch_size"] = fitting_patch(dims["image_size"], 14 if large else 16)
        dims["vision_d_ff"] = frame.pins.get("vision_d_ff", 4 * dims["vision_d_model"])
        if "max_pos" not in frame.pins:
            dims["max_pos"] = max(dims["max_pos"], patches(dims) + 64)
        if "rope_theta" not in frame.pins:
            dims["rope_theta"] = rope_theta(dims["max_pos"])
        return dims

    def build(self, dims: Mapping[str, Any]) -> VisionLanguageModel:
        return VisionLanguageModel(dims)

    def block(self, dims: Mapping[str, Any]) -> Block:
        return Block(dims)

    def length(self, dims: Mapping[str, Any]) -> int:
        return min(patches(dims) + ANSWER, dims["max_pos"])

    def work(self, model: Part, dims: Mapping[str, Any]) -> Work:
        length = self.length(dims)
        at = f"a picture of {patches(dims):,} patches in a length of {length:,}"
        return Work(model.flops(1, length), length, at)

    def prompt(self, dims: Mapping[str, Any], context: int) -> int:
        """A picture, and the prompt of a language model."""
        return min(patches(dims) + PROMPT, context)

    def answered(self, dims: Mapping[str, Any]) -> str:
        return f"a picture and a prompt: {patches(dims) + PROMPT:,} positions"

    def latency_asked(self, latency: str) -> str:
        return super().latency_asked(latency).replace("first token", "first token of the answer")

    def switches(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        closed = {name: _CLOSED[name] for name in _CLOSED if DECODER[name].switch}
        own = super().switches({**_CLOSED, **dims})
        spare = -1 - dims["feature_layer"]
        tower = {"tower_activation": dims["vision_activation"], "spare_layers": spare}
        return closed | own | tower

    def fields(self, dims: Mapping[str, Any]) -> dict[str, str]:
        kept = (name for name, dim in self.table.items() if not dim.switch)
        names = {name: name for name in kept if name != "feature_layer"}
        return names | {"max_pos": "context_length", "vision_norm_eps": "tower_norm_eps"}

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        small = DecoderTopology.tiny(self, dims)
        small = {name: small[name] for name in (*_OPEN, "train_length") if name in small}
        width = min(64, dims["vision_d_model"])
        layers = min(dims["vision_n_layers"], 2 - dims["feature_layer"] - 1)
        heads = next(n for n in (4, 3, 2, 1) if n <= dims["vision_n_heads"] and width % n == 0)
        picture = tiny_picture(dims)
        return small | picture | {
            "d_model": min(64, dims["d_model"]),
            "n_layers": min(2, dims["n_layers"]),
            "d_ff": min(192, dims["d_ff"]),
            "vision_d_model": width,
            "vision_n_layers": layers,
            "vision_n_heads": heads,
            "vision_d_ff": min(128, dims["vision_d_ff"]),
            "train_length": min(dims["max_pos"], patches(picture) + 40),
            **short_run(steps=450, batch=48, learning_rate=0.003, warmup=45),
            "eval_interval": 150,
            "checkpoint_interval": 150,
        }  # fmt: skip

    def idle_programs(self, switches: Mapping[str, Any]) -> tuple[str, ...]:
        unequal = ("accumulation",)  # answers differ in length, so micro-batches in weight
        return unequal if switches["bpe"] else (*unequal, "bpe")

    def words(self, spec: Any, dims: Mapping[str, Any]) -> dict[str, str]:
        return {
            "tokenizer": tokenizer_of(dims["vocab_size"]),
            "infer_args": "--question 'what is this?'",
        }

    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        side, seen = dims["image_size"], ["batch", "positions", dims["d_model"]]
        shapes = {node.id: seen for node in self.nodes}
        return shapes | {
            "pixels": ["batch", dims["channels"], side, side],
            "encoder": ["batch", patches(dims), dims["vision_d_model"]],
            "projector": ["batch", patches(dims), dims["d_model"]],
            "tokens": ["batch", "tokens"],
            "embed": ["batch", "tokens", dims["d_model"]],
            "lm_head": ["batch", "tokens", dims["vocab_size"]],
            "loss": [],
        }

    def alternatives(self, dims: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        yield from super().alternatives(dims)
        if dims["vision_n_layers"] > 1 and dims["feature_layer"] == -1:
            half = dims["vision_n_layers"] // 2
            removed = f"half of the picture tower's layers: {half} remain"
            yield "Picture depth", removed, {"vision_n_layers": half}


class _Open(DecoderTopology):
    """The decoder's own rules for the dimensions that stay open."""

    def __init__(self, table: Mapping[str, Dim]) -> None:
        self.table = {**DECODER, **table}
