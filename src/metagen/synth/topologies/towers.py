"""What models with a picture tower share: its dimensions, its ladder of sizes, its pictures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ...specs.errors import Problem
from ..dims import Dim, choice, flag, number
from ..solver import interpolate

ACTIVATIONS = ("quick_gelu", "gelu", "gelu_tanh")

PICTURE: Mapping[str, Dim] = {
    "image_size": number(224, "side of a picture, in pixels", low=4, high=2**13),
    "patch_size": number(16, "side of a patch, in pixels", high=1024),
    "channels": number(3, "channels of a picture", high=1024),
}

VISION: Mapping[str, Dim] = {
    "vision_d_model": number(None, "width of the picture tower", low=4, high=2**18),
    "vision_n_layers": number(None, "blocks of the picture tower", high=2048),
    "vision_n_heads": number(None, "attention heads of the picture tower", high=4096),
    "vision_d_ff": number(None, "hidden width of the picture tower's MLP", high=2**20),
    "class_token": flag(True, "a learned token before the patches"),
    "patch_bias": flag(False, "bias on the patch embedding"),
    "pre_norm": flag(True, "normalise the embedded patches"),
}  # fmt: skip

TEXT: Mapping[str, Dim] = {
    "text_d_model": number(None, "width of the text tower", low=4, high=2**18),
    "text_n_layers": number(None, "blocks of the text tower", high=2048),
    "text_n_heads": number(None, "attention heads of the text tower", high=4096),
    "text_d_ff": number(None, "hidden width of the text tower's MLP", high=2**20),
    "text_causal": flag(True, "tokens of the text tower see earlier tokens only"),
}

#: (log10 of a tower's parameters, width / depth): ViT-Ti/16, S, B, L, H, bigG and ViT-22B.
ASPECT = ((4, 12), (5, 14), (6.7, 16), (7.3, 32), (7.9, 64), (8.5, 43), (9, 40), (10.3, 128),
          (12, 160))  # fmt: skip


def tower_aspect(log_params: float) -> float:
    """The customary width over depth of a tower."""
    return interpolate(ASPECT, log_params)


def heads(width: int) -> int:
    """Heads of 64 features where they fit, fewer and narrower ones in small towers."""
    if width % 64 == 0 and width >= 256:
        return width // 64
    return next(n for n in (4, 3, 2, 1) if width % n == 0)


def picture_dims(spec: Any) -> dict[str, Any]:
    """The size of pictures where the task states one."""
    size = getattr(spec.task, "image_size", None)
    return {"image_size": size} if size else {}


def fitting_patch(image_size: int, patch_size: int) -> int:
    """The largest patch, at most `patch_size`, that divides a picture into equal ones."""
    return max(p for p in range(1, min(patch_size, image_size) + 1) if image_size % p == 0)


def tiny_picture(dims: Mapping[str, Any]) -> dict[str, int]:
    """Pictures of the tiny preset: at most 32 pixels, in patches of at most 8."""
    size = min(32, dims["image_size"])
    return {"image_size": size, "patch_size": fitting_patch(size, min(8, dims["patch_size"]))}


def tower_problems(pins: Mapping[str, Any], prefixes: tuple[str, ...]) -> list[Problem]:
    """Pinned dimensions of towers that no model can have at once."""
    problems = []
    size, patch = pins.get("image_size"), pins.get("patch_size")
    if size and patch and patch > size:
        message = f"{patch} is more than image_size ({size})"
        problems.append(Problem("architecture.dims.patch_size", message))
    for prefix in prefixes:
        width, n_heads = pins.get(f"{prefix}_d_model"), pins.get(f"{prefix}_n_heads")
        if width and n_heads and width % n_heads:
            message = f"{n_heads} does not divide {prefix}_d_model ({width})"
            problems.append(Problem(f"architecture.dims.{prefix}_n_heads", message))
    layers, feature = pins.get("vision_n_layers"), pins.get("feature_layer", -1)
    if layers and layers < -feature:
        message = f"{feature} reaches before the first of {layers} blocks"
        problems.append(Problem("architecture.dims.feature_layer", message))
    return problems


def pooling(*words: str) -> Dim:
    """How a tower becomes one vector."""
    return choice(words[0], "what becomes of the patches: their class token, or attention", *words)
