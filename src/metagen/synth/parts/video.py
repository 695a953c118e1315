"""The transformer that classifies clips of video."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..arrays import concatenate
from .base import Flops, Part, Repeat
from .convolution import convolve
from .norms import Norm
from .vision import Head, vit_block

if TYPE_CHECKING:
    from ..arrays import Array
    from ..trace import Trace


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

    def forward(self, x: Array) -> Array:
        """(B, C, Z, Y, X) -> (B, N, d_model)."""
        return convolve(x, x.trace.matrix(self), (self.tubelets,)).transpose(1, 2)


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
        d_model, side = dims["d_model"], dims["image_size"]
        self.clip = (dims["frames"], dims["channels"], side, side)
        if dims["pool"] == "class_token":
            self.parameter("class_token", 1, 1, d_model)
        if dims["pos"] == "learned":
            self.parameter("pos_embed", 1, positions(dims), d_model)
        sizes = dims["tubelet"], dims["patch_size"], tubelets(dims)
        self.tubelet_embed = TubeletEmbed(dims["channels"], d_model, *sizes)
        self.blocks = Repeat(vit_block(dims), dims["n_layers"])
        self.norm = Norm(d_model, "layernorm", True)
        self.head = Head(d_model, dims["num_classes"])

    def forward(self, video: Array) -> Array:
        """(B, Z, C, Y, X) -> (B, V)."""
        trace = video.trace
        x = self.tubelet_embed(video.transpose(1, 2).to(trace.weights))
        if "class_token" in self.tensors:
            token = trace.weight(self, "class_token")
            x = concatenate((token.expand(x.shape[0], 1, x.shape[2]), x), 1)
        if "pos_embed" in self.tensors:
            x = x + trace.weight(self, "pos_embed")
        else:
            x = x + trace.new(x.shape[1:], x.dtype)
        for block in self.blocks.each(trace):
            x = block(x)
        if "class_token" in self.tensors:
            x = self.norm(x).select(1)
        else:
            x = self.norm(x.mean(1))
        return self.head(x)

    def loss(self, trace: Trace, batch: int, length: int) -> None:
        """The training pass over `batch` clips."""
        self(trace.given(batch, *self.clip)).float().cross_entropy()

    def answer(self, trace: Trace, batch: int, length: int) -> None:
        """Scores of `batch` clips, which are there first."""
        self(trace.new((batch, *self.clip), "fp32"))
