"""The transformer that classifies clips of video."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .base import Flops, Part, Repeat
from .norms import Norm
from .vision import Head, vit_block


class TubeletEmbed(Part):
    """Twin of an `nn.Conv3d` as wide as its stride: tubelets of a clip to vectors."""

    def __init__(
        self, channels: int, d_model: int, tubelet: int, patch_size: int, tubelets: int
    ) -> None:
        super().__init__()
        self.tubelets = tubelets
        self.parameter("weight", d_model, channels, tubelet, patch_size, patch_size)
        self.parameter("bias", d_model)

    def flops(self, batch: int, length: int) -> Flops:
        return Flops(2 * batch * self.tubelets * self.tensors["weight"].numel)


def tubelets(dims: Mapping[str, Any]) -> int:
    """Tubelets of a clip."""
    patches = (dims["image_size"] // dims["patch_size"]) ** 2
    return dims["frames"] // dims["tubelet"] * patches


def positions(dims: Mapping[str, Any]) -> int:
    """Length of the sequence: the tubelets, and the class token where there is one."""
    return tubelets(dims) + (dims["pool"] == "class_token")


class VideoClassifier(Part):
    """Tubelet embedding and joint space-time attention (Arnab et al., 2021, model 1)."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        d_model = dims["d_model"]
        if dims["pool"] == "class_token":
            self.parameter("class_token", 1, 1, d_model)
        if dims["pos"] == "learned":
            self.parameter("pos_embed", 1, positions(dims), d_model)
        sizes = dims["tubelet"], dims["patch_size"], tubelets(dims)
        self.tubelet_embed = TubeletEmbed(dims["channels"], d_model, *sizes)
        self.blocks = Repeat(vit_block(dims), dims["n_layers"])
        self.norm = Norm(d_model, "layernorm", True)
        self.head = Head(d_model, dims["num_classes"])
