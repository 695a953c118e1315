"""Choosing the next token."""

import torch
from torch import Tensor


def sample(
    logits: Tensor,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """One choice for each row of scores, (B, V) -> (B, 1); see `generate`."""
    if temperature < 0:
        raise ValueError(f"temperature is {temperature}; it must be at least 0")
    if top_k is not None and top_k < 1:
        raise ValueError(f"top_k is {top_k}; it must be at least 1")
    if top_p is not None and not 0 < top_p <= 1:
        raise ValueError(f"top_p is {top_p}; it must lie in (0, 1]")
    if temperature == 0:
        return logits.argmax(dim=-1, keepdim=True)
    logits = logits.float() / temperature
    if top_k is not None:
        kth = logits.topk(min(top_k, logits.size(-1))).values[:, -1:]  # (B, 1)
        logits = logits.masked_fill(logits < kth, -torch.inf)
    if top_p is not None:
        probabilities, order = logits.softmax(dim=-1).sort(dim=-1, descending=True)  # (B, V)
        likelier = probabilities.cumsum(dim=-1) - probabilities  # mass before each token
        beyond = torch.zeros_like(likelier, dtype=torch.bool).scatter(-1, order, likelier >= top_p)
        logits = logits.masked_fill(beyond, -torch.inf)
    return torch.multinomial(logits.softmax(dim=-1), 1, generator=generator)
