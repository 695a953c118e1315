"""What classifiers of clips (sounds, videos) share with the vision transformer, and what not."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from math import prod
from typing import Any

from .. import estimates
from ..dims import Dim, text
from ..parts.base import Part
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

    def activations(self, model: Part, dims: Mapping[str, Any], context: int) -> float:
        """The stream and its normalised copy beside the widest sublayer, and the clip in fp32."""
        attention = 4 * dims["n_heads"] * dims["head_dim"]
        each = 2 * dims["d_model"] + max(attention, 2 * dims["d_ff"])
        return self.length(dims) * each * estimates.ACTIVATION_BYTES + 4 * prod(self.sample(dims))

    def saved_activations(
        self, dims: Mapping[str, Any], units: int, *, checkpointing: bool
    ) -> float:
        """Per layer and position: both norms, attention's inputs and output, MLP's vectors."""
        attention = 4 * dims["n_heads"] * dims["head_dim"]
        layer = 4 * dims["d_model"] + attention + 2 * dims["d_ff"]
        n_layers = dims["n_layers"]
        kept = n_layers * dims["d_model"] + layer if checkpointing else n_layers * layer
        each = self.length(dims) * kept * estimates.ACTIVATION_BYTES
        return units * (each + 4 * prod(self.sample(dims)))

    def words(self, spec: Any, dims: Mapping[str, Any]) -> dict[str, str]:
        return {"infer_args": "--input clips/"}

    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        stream = ["batch", self.length(dims), dims["d_model"]]
        shapes: dict[str, list[Any]] = {node.id: stream for node in self.nodes}
        ends = {"head": ["batch", dims["num_classes"]], "loss": []}
        return shapes | {self.nodes[0].id: ["batch", *self.sample(dims)]} | ends
