"""The language model that mixes attention with state-space layers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from .attention import Attention, Span
from .base import Embedding, Flops, Linear, Part, Repeat, Tensor
from .decoder_lm import LanguageModel
from .mamba_lm import mixer
from .mlp import MLP
from .moe import MixtureOfExperts
from .norms import Norm

if TYPE_CHECKING:
    from ..arrays import Array
    from ..trace import Trace

#: Whether a layer attends, and whether its MLP is a mixture of experts.
Kind = tuple[bool, bool]


class HybridBlock(Part):
    """One layer: attention or a state-space mixer, then an MLP or a mixture of experts."""

    def __init__(self, dims: Mapping[str, Any], attends: bool, sparse: bool) -> None:
        super().__init__()
        self.attends = attends
        self.norm = Norm(dims["d_model"])
        if attends:
            heads = (dims["n_heads"], dims["n_kv_heads"], dims["head_dim"])
            self.attn = Attention(dims["d_model"], *heads)
        else:
            self.mamba = mixer(dims)
        self.mlp_norm = Norm(dims["d_model"])
        if sparse:
            experts = (dims["n_experts"], dims["top_k"])
            self.mlp: Part = MixtureOfExperts(
                dims["d_model"], dims["d_ff"], *experts, norm_topk=dims["norm_topk"]
            )
        else:
            self.mlp = MLP(dims["d_model"], dims["d_ff"])

    def forward(self, x: Array, span: Span) -> Array:
        """(B, T, d_model) -> the same."""
        normed = self.norm(x)
        x = x + (self.attn(normed, span) if self.attends else self.mamba(normed))
        return x + self.mlp(self.mlp_norm(x))


class Pattern(Repeat):
    """Layers of several kinds in a given order; costs are those of each kind times its number."""

    def __init__(self, blocks: Mapping[Kind, Part], order: list[Kind]) -> None:
        Part.__init__(self)
        self.n, self.order = len(order), order
        self.kinds = [(blocks[kind], times) for kind, times in Counter(order).items()]
        self.blocks = blocks

    def _walk(self, prefix: str) -> Iterator[tuple[str, Tensor]]:
        entries = {kind: list(block.named_tensors()) for kind, block in self.blocks.items()}
        for i, kind in enumerate(self.order):
            for name, tensor in entries[kind]:
                yield f"{prefix}{i}.{name}", tensor

    def count(self, *, quantizable_only: bool = False) -> int:
        return sum(n * b.count(quantizable_only=quantizable_only) for b, n in self.kinds)

    def idle(self, *, quantizable_only: bool = False) -> int:
        return sum(n * b.idle(quantizable_only=quantizable_only) for b, n in self.kinds)

    def at(self, path: str) -> Tensor:
        index, _, rest = path.partition(".")
        return self.blocks[self.order[int(index)]].at(rest)

    def parts(self) -> Iterator[tuple[str, int, Part]]:
        for block, times in self.kinds:
            yield from ((name, times, module) for name, module in block.children.items())

    def flops(self, batch: int, length: int) -> Flops:
        return sum((b.flops(batch, length) * n for b, n in self.kinds), Flops())

    def runs(self) -> Iterator[tuple[Part, int]]:
        last = self.blocks[self.order[-1]]
        yield from sorted(self.kinds, key=lambda kind: kind[0] is last)

    def state_elements(self, length: int) -> int:
        return sum(n * b.state_elements(length) for b, n in self.kinds)


def layer_kinds(dims: Mapping[str, Any]) -> list[Kind]:
    """What each layer is, first to last."""
    period, offset = dims["attn_layer_period"], dims["attn_layer_offset"]
    sparse, first = dims["expert_layer_period"], dims["expert_layer_offset"]
    return [
        (i % period == offset, bool(dims["n_experts"]) and i % sparse == first)
        for i in range(dims["n_layers"])
    ]


class HybridLM(LanguageModel):
    """Embedding, layers by period and offset, final norm, output head."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        order = layer_kinds(dims)
        blocks = {kind: HybridBlock(dims, *kind) for kind in sorted(set(order))}
        self.embed = Embedding(dims["vocab_size"], dims["d_model"])
        self.blocks = Pattern(blocks, order)
        if dims["final_norm"]:
            self.norm = Norm(dims["d_model"])
        self.lm_head = Linear(dims["d_model"], dims["vocab_size"])
        if dims["tied"]:
            self.tie("lm_head.weight", "embed.weight")

    def hidden(self, trace: Trace, batch: int, length: int, past: int = 0) -> Array:
        """Final hidden states of `length` tokens after `past` others, (B, T, d_model)."""
        span = Span(trace, length, past)
        x = self.embed(trace.given(batch, length, dtype="int64"))
        for block in self.blocks.each(trace):
            x = block(x, span)
        return self.norm(x) if "norm" in self.children else x
