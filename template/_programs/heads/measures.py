"""How good the outputs of several heads are on held-out samples."""

from torch import nn

from .data import Corpus
from .parallel import Workers
from .scores import Score, Tensors, answered


def score(model: nn.Module, corpus: Corpus, workers: Workers, limit: int | None = None) -> Score:
    """A model's score on the first `limit` held-out samples, in every process the same."""
    batches = corpus.val_batches(corpus.config.micro_batch, limit)
    found, loss, samples = answered(model, batches, workers)
    right = corpus.targets(corpus.val[:limit])
    return Score(loss, samples, measure(found, right, corpus))


def measure(found: Tensors, right: Tensors, corpus: Corpus) -> dict[str, float]:
    """How good outputs are; values are measured in their own unit."""
    measures = {}
    if corpus.config.gives_label:
        hits = found["label"].argmax(dim=-1) == right["labels"]
        measures["accuracy"] = hits.float().mean().item()
    if corpus.config.gives_value:
        errors = (found["value"] - right["values"]).abs() * corpus.deviation
        measures["mean absolute error"] = errors.mean().item()
    if corpus.config.gives_embedding:
        cosines = (found["embedding"] @ found["embedding"].T).fill_diagonal_(-2.0)
        nearest = right["groups"][cosines.argmax(dim=1)]
        measures["recall@1"] = (nearest == right["groups"]).float().mean().item()
    return measures


def trivial(corpus: Corpus) -> dict[str, Score]:
    """The same measures of the majority class, of the mean, and of chance."""
    right = corpus.targets(corpus.val)
    measures, names = {}, []
    if corpus.config.gives_label:
        commonest = corpus.targets(corpus.train)["labels"].bincount().argmax()
        measures["accuracy"] = (right["labels"] == commonest).float().mean().item()
        names.append("majority class")
    if corpus.config.gives_value:
        measures["mean absolute error"] = (right["values"].abs() * corpus.deviation).mean().item()
        names.append("mean")
    if corpus.config.gives_embedding:
        same = (right["groups"][:, None] == right["groups"]).sum(dim=1) - 1  # (N,)
        measures["recall@1"] = (same / max(1, len(same) - 1)).mean().item()
        names.append("chance")
    return {", ".join(names): Score(None, len(corpus.val), measures)}
