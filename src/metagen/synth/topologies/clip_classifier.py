"""What classifiers of clips (sounds, videos) share with the vision transformer, and what not."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any

from ..dims import Dim, text
from ..parts.vision import VitBlock
from .vit import VitTopology

#: The fields of `Config` that labelled files need.
CLIP_SETTINGS: Mapping[str, Dim] = {
    "data": text(
        "folder with a folder of clips per class, CSV, or Hugging Face dataset; empty: built in"
    ),
}


class ClipTopology(VitTopology):
    """A vision transformer over the patches of something that is not a picture."""

    served_as = "classification: the answer is a label"
    unit = "clip"
    rate_unit = "samples/s"
    aliases = {"hidden_size": "d_model"}
    settings = CLIP_SETTINGS

    @abstractmethod
    def sample(self, dims: Mapping[str, Any]) -> list[int]:
        """Shape of one clip."""

    def block(self, dims: Mapping[str, Any]) -> VitBlock:
        sizes = (dims[k] for k in ("d_model", "n_heads", "head_dim", "d_ff"))
        return VitBlock(*sizes, qkv_bias=dims["attn_qkv_bias"])

    def words(self, spec: Any, dims: Mapping[str, Any]) -> dict[str, str]:
        return {"infer_args": "--input clips/"}

    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        stream = ["batch", self.length(dims), dims["d_model"]]
        shapes: dict[str, list[Any]] = {node.id: stream for node in self.nodes}
        ends = {"head": ["batch", dims["num_classes"]], "loss": []}
        return shapes | {self.nodes[0].id: ["batch", *self.sample(dims)]} | ends
