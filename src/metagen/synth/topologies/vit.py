"""The vision transformer that classifies images."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import log2, log10
from typing import Any

from ...specs.errors import Problem
from ..dims import Dim, choice, flag, number, real, text
from ..parts.vision import VisionTransformer, VitBlock, positions, vit_block
from ..solver import Frame, interpolate
from .base import Node, short_run
from .stack import NARROW, STACK, STACK_NODES, STACK_SHOWN, StackTopology, tiny_stack

TABLE: Mapping[str, Dim] = {
    "image_size": number(224, "side of an image, in pixels", low=8, high=2**14),
    "channels": number(3, "channels of an image", high=1024),
    "patch_size": number(None, "side of a patch, in pixels", high=1024),
    "num_classes": number(1000, "labels to choose from", high=10**7),
    **STACK,
    "pool": choice("class_token", "what the head reads", "class_token", "mean"),
    "activation": choice("gelu", "feed-forward nonlinearity", "gelu", "gelu_tanh", "quick_gelu"),
    "norm_eps": real(1e-6, "epsilon of the normalisation layers", low=1e-12, high=1.0),
    "attn_qkv_bias": flag(True, "biases on the query, key and value projections"),
}  # fmt: skip

#: The fields of `Config` that pictures with one label need.
PICTURE_SETTINGS: Mapping[str, Dim] = {
    "data": text("folder with a folder per class, CSV of path,label, or dataset; empty: built in"),
}

#: (log10 of the budget, d_model / n_layers): DeiT-Ti, DeiT-S, ViT-B, ViT-L, ViT-g, ViT-G, ViT-22B.
ASPECT = ((5, 8), (6.7, 16), (7.3, 32), (7.9, 64), (8.5, 43), (9, 35), (9.3, 35), (10.3, 128))


class VitTopology(StackTopology):
    """Patch embedding, blocks of bidirectional attention and MLP, classification head."""

    id = "vit"
    phrase = "vision transformer"
    objective = "classification"
    covers = {
        "inputs": frozenset({"image"}),
        "outputs": frozenset({"label"}),
        "objective": frozenset({"classification"}),
        "task": frozenset({"classification"}),
        "family": frozenset({"transformer"}),
    }
    served_as = "classification: the answer is a label"
    unit = "image"
    rate_unit = "img/s"
    table = TABLE
    aliases = {"hidden_size": "d_model", "in_channels": "channels"}
    floor = {"d_model": 32, "n_layers": 1, "n_heads": 1, "head_dim": 32, "d_ff": 64}
    top = "vit"
    exports = ("VisionTransformer", "build_model")
    programs = ("common", "batches", "reading", "classes", "classifier", "images")
    settings = PICTURE_SETTINGS
    shown = {
        **STACK_SHOWN,
        "patch_size": "Patch size",
        "image_size": "Image size",
    }
    nodes = (
        Node("pixels", "input"),
        Node("embed", "patch embedding", ("patch_embed",)),
        *STACK_NODES,
        Node("head", "classification head", ("head",)),
        Node("loss", "cross-entropy over the classes"),
    )
    batch = 1024  # Touvron et al., 2021, Table 9
    narrow = NARROW
    most_units_per_param = 20.0

    def given(self, spec: Any) -> dict[str, Any]:
        return picture_dims(spec)

    def contradictions(self, pins: Mapping[str, Any]) -> list[Problem]:
        size, patch = pins.get("image_size"), pins.get("patch_size")
        if size and patch and size < patch:
            message = f"{patch} is above image_size ({size})"
            return [Problem("architecture.dims.patch_size", message)]
        return []

    def base(self, budget: float, frame: Frame) -> dict[str, Any]:
        dims = super().base(budget, frame)
        if dims["patch_size"] is None:
            dims["patch_size"] = patch_size(dims["image_size"], budget)
        return dims

    def build(self, dims: Mapping[str, Any]) -> VisionTransformer:
        return VisionTransformer(dims)

    def block(self, dims: Mapping[str, Any]) -> VitBlock:
        return vit_block(dims)

    def aspect(self, budget: float) -> float:
        return interpolate(ASPECT, log10(max(budget, 1e5)))

    def length(self, dims: Mapping[str, Any]) -> int:
        return positions(dims)

    def switches(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        return super().switches(dims) | {"patched": True}

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        size, patch = tiny_picture(dims["image_size"], dims["patch_size"], largest=8)
        return {
            "image_size": size,
            "patch_size": patch,
            "num_classes": min(10, dims["num_classes"]),
            **tiny_stack(dims, n_layers=4, d_ff=256),
            **short_run(steps=600, batch=32, learning_rate=0.003, warmup=50),
            "eval_interval": 200,
            "checkpoint_interval": 200,
        }

    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        size = dims["image_size"]
        shapes = {node.id: ["batch", positions(dims), dims["d_model"]] for node in self.nodes}
        return shapes | {
            "pixels": ["batch", dims["channels"], size, size],
            "head": ["batch", dims["num_classes"]],
            "loss": [],
        }

    def alternatives(self, dims: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        yield from super().alternatives(dims)
        if dims["pool"] == "class_token":
            yield "Class token", "the token: the head reads the mean", {"pool": "mean"}
        coarse = 2 * dims["patch_size"]
        if dims["image_size"] % coarse == 0:
            removed = f"every second row and column of patches: their side is {coarse}"
            yield "Fine patches", removed, {"patch_size": coarse}


def picture_dims(spec: Any) -> dict[str, Any]:
    """What a spec says about its pictures and their labels."""
    asked = {name: getattr(spec.task, name) for name in ("image_size", "channels", "num_classes")}
    return {name: value for name, value in asked.items() if value}


def patch_size(image_size: int, budget: float) -> int:
    """Side of a patch: 16 pixels, 14 from 500M on (ViT-H/14), at least 16 patches.

    A side that divides the image's is taken where there is one near.
    """
    wanted = max(1, min(14 if budget >= 5e8 else 16, image_size // 4))
    near = [p for p in range(-(-wanted // 2), image_size // 4 + 1) if image_size % p == 0]
    best = min(near, key=lambda p: abs(log2(p / wanted)), default=wanted)
    return best if best <= 2 * wanted else wanted


def tiny_picture(image_size: int, patch: int, largest: int = 4) -> tuple[int, int]:
    """Sides of a picture and of its patches in the tiny preset, never above the full ones."""
    patch = min(largest, patch)
    return max(patch, min(32, image_size) // patch * patch), patch
