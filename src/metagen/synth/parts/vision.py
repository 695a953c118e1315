"""Patch embeddings and the blocks of vision transformers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..arrays import concatenate
from .base import Flops, Linear, Part, Repeat
from .convolution import Conv2d
from .mlp import MLP
from .norms import Norm

if TYPE_CHECKING:
    from ..arrays import Array
    from ..trace import Trace


class PatchEmbed(Part):
    """Square patches of an image to vectors: a convolution as wide as its stride."""

    def __init__(
        self, in_channels: int, d_model: int, patch_size: int, image_size: int, *, bias: bool = True
    ) -> None:
        super().__init__()
        size = (image_size, image_size)
        self.proj = Conv2d(in_channels, d_model, patch_size, size, stride=patch_size, bias=bias)

    def forward(self, x: Array) -> Array:
        """(B, C, Y, X) -> (B, N, d_model)."""
        return self.proj(x).flatten(2).transpose(1, 2)


class VitAttention(Part):
    """Self-attention of every position to every position, with biases."""

    def __init__(self, d_model: int, n_heads: int, head_dim: int, *, qkv_bias: bool = True) -> None:
        super().__init__()
        self.n_heads, self.width = n_heads, n_heads * head_dim
        self.q_proj = Linear(d_model, self.width, qkv_bias)
        self.k_proj = Linear(d_model, self.width, qkv_bias)
        self.v_proj = Linear(d_model, self.width, qkv_bias)
        self.o_proj = Linear(self.width, d_model, True)

    def flops(self, batch: int, length: int) -> Flops:
        """Projections, plus scores and weighted sum: 4 · heads · head_dim for each pair."""
        pairs = Flops(4 * batch * self.width * length * length)
        return super().flops(batch, length) + pairs

    def forward(self, x: Array) -> Array:
        """(B, T, d_model) -> the same."""
        q, k, v = (
            project(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        y = x.trace.attend(q, k, v)
        return self.o_proj(y.transpose(1, 2).flatten(2))


class VitBlock(Part):
    """One pre-norm layer of a vision transformer (Dosovitskiy et al., 2021, eq. 2 and 3)."""

    def __init__(
        self,
        d_model: int,
        n_heads: int,
        head_dim: int,
        d_ff: int,
        *,
        qkv_bias: bool = True,
        activation: str = "gelu",
    ) -> None:
        super().__init__()
        self.attn_norm = Norm(d_model, "layernorm", True)
        self.attn = VitAttention(d_model, n_heads, head_dim, qkv_bias=qkv_bias)
        self.mlp_norm = Norm(d_model, "layernorm", True)
        self.mlp = MLP(d_model, d_ff, gated=False, bias=True, activation=activation)

    def forward(self, x: Array) -> Array:
        """(B, T, d_model) -> the same."""
        x = x + self.attn(self.attn_norm(x))
        return x + self.mlp(self.mlp_norm(x))


class Head(Linear):
    """A linear layer with a bias that reads one vector for each sample, not one per position."""

    def __init__(self, in_features: int, out_features: int) -> None:
        super().__init__(in_features, out_features, True)

    def flops(self, batch: int, length: int) -> Flops:
        return super().flops(batch, 1)


class VisionTransformer(Part):
    """Patches, learned positions, `n_layers` blocks, a final norm and a classification head."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        width = dims["d_model"]
        self.positions = positions(dims)
        self.picture = (dims["channels"], dims["image_size"], dims["image_size"])
        if dims["pool"] == "class_token":
            self.parameter("class_token", 1, 1, width)
        self.parameter("pos_embed", 1, self.positions, width)
        self.patch_embed = PatchEmbed(
            dims["channels"], width, dims["patch_size"], dims["image_size"]
        )
        self.blocks = Repeat(vit_block(dims), dims["n_layers"])
        self.norm = Norm(width, "layernorm", True)
        self.head = Head(width, dims["num_classes"])

    def flops(self, batch: int, length: int) -> Flops:
        """Forward FLOPs of `batch` images; the sequence is as long as the image has patches."""
        return super().flops(batch, self.positions)

    def features(self, images: Array) -> Array:
        """One vector for each image, (B, C, Y, X) -> (B, d_model)."""
        trace = images.trace
        x = self.patch_embed(images)
        if "class_token" in self.tensors:
            token = trace.weight(self, "class_token")
            x = concatenate((token.expand(x.shape[0], 1, x.shape[2]), x), 1)
        x = x + trace.weight(self, "pos_embed")
        for block in self.blocks.each(trace):
            x = block(x)
        x = self.norm(x)
        return x.select(1) if "class_token" in self.tensors else x.mean(1)

    def loss(self, trace: Trace, batch: int, length: int) -> None:
        """The training pass over `batch` images."""
        images = trace.given(batch, *self.picture)
        self.head(self.features(images)).float().cross_entropy()

    def answer(self, trace: Trace, batch: int, length: int) -> None:
        """The scores of `batch` images, which are there first."""
        self.head(self.features(trace.new((batch, *self.picture))))


def positions(dims: Mapping[str, Any]) -> int:
    """Length of the sequence: the patches, and the class token where there is one."""
    patches = (dims["image_size"] // dims["patch_size"]) ** 2
    return patches + (dims["pool"] == "class_token")


def vit_block(dims: Mapping[str, Any]) -> VitBlock:
    """The block that a topology's dimensions describe."""
    return VitBlock(
        dims["d_model"],
        dims["n_heads"],
        dims["head_dim"],
        dims["d_ff"],
        qkv_bias=dims["attn_qkv_bias"],
        activation=dims["activation"],
    )
