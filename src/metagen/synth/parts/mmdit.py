"""The two-stream diffusion transformer: patches and text with weights of their own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from .base import Flops, Linear, Part, Tensor
from .dit_block import ConditionEmbedding, FinalLayer, Modulation, TimeEmbedding, dit_mlp
from .norms import Norm
from .vision import PatchEmbed


class Projections(Part):
    """Queries, keys and values of a stream, with normalised heads on request."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        width = dims["d_model"]
        self.q_proj = Linear(width, width, True)
        self.k_proj = Linear(width, width, True)
        self.v_proj = Linear(width, width, True)
        if dims["stream_norm"] == "rmsnorm":
            self.q_norm = Norm(width // dims["n_heads"])
            self.k_norm = Norm(width // dims["n_heads"])


class OwnAttention(Part):
    """Attention of the patches to each other alone."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        self.width = dims["d_model"]
        self.qkv = Projections(dims)
        self.o_proj = Linear(self.width, self.width, True)

    def flops(self, batch: int, length: int) -> Flops:
        return super().flops(batch, length) + Flops(4 * batch * self.width * length * length)


class Stream(Part):
    """One kind of token in a block: a `dual` one also attends alone, a `last` one is only read."""

    def __init__(self, dims: Mapping[str, Any], *, dual: bool = False, last: bool = False) -> None:
        super().__init__()
        width = dims["d_model"]
        self.modulation = Modulation(width, 2 if last else 9 if dual else 6)
        self.qkv = Projections(dims)
        if not last:
            self.o_proj = Linear(width, width, True)
            self.mlp = dit_mlp(width, dims["d_ff"])
        if dual:
            self.own_attn = OwnAttention(dims)


class MmditBlock(Part):
    """One layer of both streams (Esser et al., 2024, figure 2b)."""

    def __init__(self, dims: Mapping[str, Any], *, dual: bool = False, last: bool = False) -> None:
        super().__init__()
        self.width, self.text_length = dims["d_model"], dims["prompt_length"]
        self.image = Stream(dims, dual=dual)
        self.text = Stream(dims, last=last)

    def flops(self, batch: int, length: int) -> Flops:
        """Both streams, and the joint attention over patches and text."""
        own = self.image.flops(batch, length) + self.text.flops(batch, self.text_length)
        return own + Flops(4 * batch * self.width * (length + self.text_length) ** 2)


class MmditBlocks(Part):
    """`n_layers` blocks: the first `dual_layers` attend twice, the last ends the text."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        n_layers, dual = dims["n_layers"], min(dims["dual_layers"], dims["n_layers"])
        kinds = [(i < dual, i == n_layers - 1) for i in (0, dual, n_layers - 1) if i < n_layers]
        self.kinds = {kind: MmditBlock(dims, dual=kind[0], last=kind[1]) for kind in kinds}
        self.order = [(i < dual, i == n_layers - 1) for i in range(n_layers)]

    def _walk(self) -> Iterator[tuple[str, Tensor]]:
        entries = {kind: list(block.named_tensors()) for kind, block in self.kinds.items()}
        for i, kind in enumerate(self.order):
            for name, tensor in entries[kind]:
                yield f"{i}.{name}", tensor

    def _times(self) -> Iterator[tuple[MmditBlock, int]]:
        yield from ((block, self.order.count(kind)) for kind, block in self.kinds.items())

    def count(self, *, quantizable_only: bool = False) -> int:
        return sum(b.count(quantizable_only=quantizable_only) * n for b, n in self._times())

    def flops(self, batch: int, length: int) -> Flops:
        return sum((b.flops(batch, length) * n for b, n in self._times()), Flops())

    def parts(self) -> Iterator[tuple[str, int, Part]]:
        """The children of the blocks: name, copies, module; a name recurs where blocks differ."""
        for block, n in self._times():
            yield from ((name, n, module) for name, module in block.children.items())


class Mmdit(Part):
    """Twin of the text-conditioned MM-DiT (Esser et al., 2024).

    `side` is that of the square that it denoises, in pixels or latent positions.
    """

    def __init__(
        self, dims: Mapping[str, Any], channels_in: int, channels_out: int, side: int
    ) -> None:
        super().__init__()
        width, patch = dims["d_model"], dims["patch_size"]
        self.positions, self.text_length = (side // patch) ** 2, dims["prompt_length"]
        self.buffer("pos_embed", 1, dims["largest_grid"] ** 2, width)
        self.patch_embed = PatchEmbed(channels_in, width, patch, side)
        self.time_embed = TimeEmbedding(dims["time_features"], width)
        self.pooled_embed = ConditionEmbedding(dims["pooled_dim"], width)
        self.text_proj = Linear(dims["text_d_model"], width, True)
        self.blocks = MmditBlocks(dims)
        self.final = FinalLayer(width, patch * patch * channels_out)

    def flops(self, batch: int, length: int) -> Flops:
        """Forward FLOPs of one denoising step of `batch` samples."""
        text = self.text_proj.flops(batch, self.text_length)
        others = (m for m in self.children.values() if m is not self.text_proj)
        return sum((m.flops(batch, self.positions) for m in others), text)
