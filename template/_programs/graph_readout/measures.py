"""How good the answers about held-out graphs are."""

import torch
from torch import Tensor, nn

from .data import Corpus
from .heads import measure_heads
from .parallel import Workers
from .scores import Score


@torch.no_grad()
def score(model: nn.Module, corpus: Corpus, workers: Workers, limit: int | None = None) -> Score:
    """A model's score on the first `limit` held-out graphs, in every process the same."""
    total, graphs = 0.0, 0
    found: dict[str, list[Tensor]] = {}
    training = model.training
    model.eval()
    for batch in corpus.val_batches(corpus.config.micro_batch, limit):
        batch = workers.move(batch)
        with workers.autocast():
            outputs, loss = model(batch), model.loss(batch)
        size = len(batch["sizes"])
        total, graphs = total + loss.item() * size, graphs + size
        for name, output in outputs.items():
            found.setdefault(name, []).append(output.float().cpu())
    model.train(training)
    joined = {name: torch.cat(pieces) for name, pieces in found.items()}
    right = corpus.targets(corpus.val[:limit])
    return Score(total / graphs, graphs, measure_heads(joined, right, corpus, corpus.config))


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
        same = (right["groups"][:, None] == right["groups"]).sum(dim=1) - 1  # (G,)
        measures["recall@1"] = (same / max(1, len(same) - 1)).mean().item()
        names.append("chance")
    return {", ".join(names): Score(None, len(corpus.val), measures)}
