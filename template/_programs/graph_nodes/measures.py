"""How good the names of held-out nodes are."""

import torch
import torch.nn.functional as F
from torch import nn

from .data import Corpus
from .parallel import Workers
from .scores import Score


@torch.no_grad()
def score(model: nn.Module, corpus: Corpus, workers: Workers, limit: int | None = None) -> Score:
    """A model's score on the first `limit` held-out nodes, in every process the same."""
    nats, right, nodes = 0.0, 0, 0
    training = model.training
    model.eval()
    for batch in corpus.val_batches(corpus.config.micro_batch, limit):
        batch = workers.move(batch)
        with workers.autocast():
            scores = model(batch).float()  # (B, V)
        nats += F.cross_entropy(scores, batch["labels"], reduction="sum").item()
        right += int((scores.argmax(dim=-1) == batch["labels"]).sum())
        nodes += len(scores)
    model.train(training)
    return Score(nats / nodes, nodes, {"accuracy": right / nodes})


def trivial(corpus: Corpus) -> dict[str, Score]:
    """The same for the class frequencies of the training nodes."""
    known = corpus.labels[corpus.train]
    counts = known.bincount(minlength=corpus.config.num_classes) + 1.0
    surprise = -(counts / counts.sum()).log()  # (V,) nats; none is impossible
    labels = corpus.labels[corpus.val]
    right = (labels == counts.argmax()).float().mean().item()
    loss = surprise[labels].mean().item()
    return {"majority class": Score(loss, len(labels), {"accuracy": right})}
