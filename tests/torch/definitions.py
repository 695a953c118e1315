"""What denoisers are made of, written out from its definition: loops over queries and heads."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .packages import config_of, part


def build_drawn(name: str, **sizes: Any) -> tuple[Any, nn.Module]:
    """A configuration, and a release of it with every weight drawn, in double precision."""
    config = config_of(**sizes)
    model = part(name).build_model(config).double().eval()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(0.2 * torch.randn(parameter.shape, generator=generator))
    return config, model


def linear(weights: Mapping[str, Tensor], name: str, x: Tensor) -> Tensor:
    """A linear layer with a bias."""
    return x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]


def norm(x: Tensor) -> Tensor:
    """Layer normalisation without weights."""
    return F.layer_norm(x, x.shape[-1:], eps=1e-6)


def wave(value: float, width: int, order=(math.cos, math.sin)) -> list[float]:
    """Sines and cosines of one number at falling frequencies, in `order`."""
    angles = [value * 10_000 ** (-i / (width // 2)) for i in range(width // 2)]
    return [f(a) for f in order for a in angles]


def attention(
    weights: Mapping[str, Tensor], prefix: str, x: Tensor, seen: Tensor, heads: int
) -> Tensor:
    """Softmax attention of `x` (T, D) to `seen` (S, D), one query and one head at a time."""
    q, k, v = (
        linear(weights, f"{prefix}.{n}_proj", y) for n, y in (("q", x), ("k", seen), ("v", seen))
    )
    size, out = q.size(-1) // heads, torch.zeros_like(q)
    for head in range(heads):
        part_of = slice(head * size, (head + 1) * size)
        for t in range(len(q)):
            scores = k[:, part_of] @ q[t, part_of] / math.sqrt(size)
            out[t, part_of] = scores.softmax(0) @ v[:, part_of]
    return linear(weights, f"{prefix}.o_proj", out)


def modulated_block(
    weights: Mapping[str, Tensor],
    name: str,
    h: Tensor,
    told: Tensor,
    heads: int,
    context: Tensor | None = None,
    groups: Sequence[Tensor] = (),
) -> Tensor:
    """One block over tokens `h` (T, D) that is modulated by `told` (D,).

    Tokens see those of their own group, all where there are no `groups`; and then the `context`.
    """
    modulation = linear(weights, f"{name}.modulation", F.silu(told))
    shift, scale, gate, shift2, scale2, gate2 = modulation.chunk(6)
    y = norm(h) * (1 + scale) + shift
    mixed = torch.zeros_like(y)
    for group in groups or [torch.arange(len(y))]:
        mixed[group] = attention(weights, f"{name}.attn", y[group], y[group], heads)
    h = h + gate * mixed
    if context is not None:
        y = norm(h) * weights[f"{name}.cross_norm.weight"] + weights[f"{name}.cross_norm.bias"]
        h = h + attention(weights, f"{name}.cross_attn", y, context, heads)
    y = norm(h) * (1 + scale2) + shift2
    hidden = F.gelu(linear(weights, f"{name}.mlp.up_proj", y), approximate="tanh")
    return h + gate2 * linear(weights, f"{name}.mlp.down_proj", hidden)
