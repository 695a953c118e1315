"""How good the outputs of several heads are."""

from collections.abc import Mapping

from torch import Tensor

from .config import Config
from .data import Corpus

Tensors = Mapping[str, Tensor]


def measure_heads(
    found: Tensors, right: Tensors, corpus: Corpus, config: Config
) -> dict[str, float]:
    """How good outputs are; values are measured in their own unit."""
    measures = {}
    if config.gives_label:
        hits = found["label"].argmax(dim=-1) == right["labels"]
        measures["accuracy"] = hits.float().mean().item()
    if config.gives_value:
        errors = (found["value"] - right["values"]).abs() * corpus.deviation
        measures["mean absolute error"] = errors.mean().item()
    if config.gives_embedding:
        cosines = (found["embedding"] @ found["embedding"].T).fill_diagonal_(-2.0)
        nearest = right["groups"][cosines.argmax(dim=1)]
        measures["recall@1"] = (nearest == right["groups"]).float().mean().item()
    return measures
