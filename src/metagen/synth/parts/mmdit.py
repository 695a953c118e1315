"""The two-stream diffusion transformer: patches and text with weights of their own."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import groupby
from typing import TYPE_CHECKING, Any

from ..arrays import concatenate
from .base import Flops, Linear, Part, Tensor
from .convolution import at_places
from .dit_block import (
    ConditionEmbedding,
    FinalLayer,
    Modulation,
    TimeEmbedding,
    dit_mlp,
    modulate,
    unpatch,
)
from .norms import Norm
from .vision import PatchEmbed

if TYPE_CHECKING:
    from ..arrays import Array
    from ..trace import Trace

#: What treats a stream: shifts, scales and gates.
Treatment = tuple["Array", ...]


class Projections(Part):
    """Queries, keys and values of a stream, with normalised heads on request."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        width, self.n_heads = dims["d_model"], dims["n_heads"]
        self.q_proj = Linear(width, width, True)
        self.k_proj = Linear(width, width, True)
        self.v_proj = Linear(width, width, True)
        if dims["stream_norm"] == "rmsnorm":
            self.q_norm = Norm(width // dims["n_heads"])
            self.k_norm = Norm(width // dims["n_heads"])

    def forward(self, x: Array) -> tuple[Array, Array, Array]:
        """(B, T, D) -> (B, H, T, K) three times."""
        q, k, v = (
            project(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        if "q_norm" in self.children:
            q, k = self.q_norm(q), self.k_norm(k)
        return q, k, v


class OwnAttention(Part):
    """Attention of the patches to each other alone."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        self.width = dims["d_model"]
        self.qkv = Projections(dims)
        self.o_proj = Linear(self.width, self.width, True)

    def flops(self, batch: int, length: int) -> Flops:
        return super().flops(batch, length) + Flops(4 * batch * self.width * length * length)

    def forward(self, x: Array) -> Array:
        """(B, N, D) -> the same."""
        y = x.trace.attend(*self.qkv(x)).transpose(1, 2)
        if "q_norm" in self.qkv.children:  # queries lie head by head, and so does y
            y = y.copy()
        return self.o_proj(y.flatten(2))


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

    def read(self, x: Array, treatment: Treatment) -> tuple[Array, Array, Array]:
        """What this stream brings to the joint attention, each (B, H, T, K)."""
        shift, scale, *_ = treatment
        return self.qkv(modulate(x.trace.normalise(x), shift, scale))

    def write(self, x: Array, seen: Array, treatment: Treatment) -> Array:
        """The stream after the block, from what its tokens have seen, (B, T, D)."""
        if "mlp" not in self.children:
            return x
        if "own_attn" in self.children:
            shift, scale, gate = treatment[6:]
            own = self.own_attn(modulate(x.trace.normalise(x), shift, scale))
            return self._write(x + gate * own, seen, treatment[:6])
        return self._write(x, seen, treatment)

    def _write(self, x: Array, seen: Array, treatment: Treatment) -> Array:
        _, _, gate_attn, shift, scale, gate_mlp = treatment
        x = x + gate_attn * at_places(self.o_proj, seen)
        return x + gate_mlp * self.mlp(modulate(x.trace.normalise(x), shift, scale))


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

    def forward(self, x: Array, text: Array, c: Array) -> tuple[Array, Array]:
        """(B, N, D) and (B, S, D) under (B, D) -> the first two again."""
        for_image, for_text = self.image.modulation(c), self.text.modulation(c)
        both = zip(self.image.read(x, for_image), self.text.read(text, for_text), strict=True)
        q, k, v = (concatenate(pair, 2) for pair in both)
        y = x.trace.attend(q, k, v).transpose(1, 2).copy().flatten(2)
        image_seen, text_seen = y.split((x.shape[1], text.shape[1]), 1)
        x = self.image.write(x, image_seen, for_image)
        return x, self.text.write(text, text_seen, for_text)


class MmditBlocks(Part):
    """`n_layers` blocks: the first `dual_layers` attend twice, the last ends the text."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        n_layers, dual = dims["n_layers"], min(dims["dual_layers"], dims["n_layers"])
        kinds = [(i < dual, i == n_layers - 1) for i in (0, dual, n_layers - 1) if i < n_layers]
        self.kinds = {kind: MmditBlock(dims, dual=kind[0], last=kind[1]) for kind in kinds}
        self.order = [(i < dual, i == n_layers - 1) for i in range(n_layers)]

    def _walk(self, prefix: str) -> Iterator[tuple[str, Tensor]]:
        entries = {kind: list(block.named_tensors()) for kind, block in self.kinds.items()}
        for i, kind in enumerate(self.order):
            for name, tensor in entries[kind]:
                yield f"{prefix}{i}.{name}", tensor

    def _times(self) -> Iterator[tuple[MmditBlock, int]]:
        yield from ((block, self.order.count(kind)) for kind, block in self.kinds.items())

    def count(self, *, quantizable_only: bool = False) -> int:
        return sum(b.count(quantizable_only=quantizable_only) * n for b, n in self._times())

    def flops(self, batch: int, length: int) -> Flops:
        return sum((b.flops(batch, length) * n for b, n in self._times()), Flops())

    def each(self, trace: Trace) -> Iterator[Callable[..., tuple[Array, Array]]]:
        """The blocks one by one, checkpointed where the trace says so."""
        for kind, run in groupby(self.order):
            for _ in trace.rounds(len(list(run))):
                yield partial(trace.checkpointed, self.kinds[kind])

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
        self.side, self.patch, self.spare = side, patch, dims["largest_grid"] > side // patch
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

    def forward(self, noisy: Array, times: Array, states: Array, pooled: Array) -> Array:
        """(B, C, side, side) at (B,), (B, S, W) and (B, P) -> (B, C', side, side)."""
        trace = noisy.trace
        x = self.patch_embed(noisy) + self._positions(trace)
        pooled = pooled.narrow(1, self.pooled_embed.up_proj.tensors["weight"].shape[1])
        c = self.time_embed(times) + self.pooled_embed(pooled)
        text = self.text_proj(states)
        for block in self.blocks.each(trace):
            x, text = block(x, text, c)
        return unpatch(self.final(x, c), self.patch, self.side)

    def _positions(self, trace: Trace) -> Array:
        """(1, N, D): the middle of the table, copied out of it where it is larger."""
        table = trace.weight(self, "pos_embed").narrow(1, self.positions)
        return table.copy() if self.spare else table
