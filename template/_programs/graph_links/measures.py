"""How well held-out links stand out from pairs without one."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .data import Corpus
from .parallel import Workers
from .scores import Score


@torch.no_grad()
def score(model: nn.Module, corpus: Corpus, workers: Workers, limit: int | None = None) -> Score:
    """A model's score on the first `limit` held-out links, in every process the same.

    Accuracy takes a pair for linked where that is likelier than not.
    """
    found, truth = [], []
    training = model.training
    model.eval()
    for batch in corpus.val_batches(corpus.config.micro_batch, limit):
        with workers.autocast():
            found.append(model(workers.move(batch)).float().cpu())  # (P,)
        truth.append(batch["labels"])
    model.train(training)
    scores, labels = torch.cat(found), torch.cat(truth)
    loss = F.binary_cross_entropy_with_logits(scores, labels).item()
    right = ((scores > 0) == (labels > 0)).float().mean().item()
    return Score(loss, len(labels), {"AUC": area(scores, labels), "accuracy": right})


def area(scores: Tensor, labels: Tensor) -> float:
    """Share of (linked, unlinked) pairs of pairs that scores put in order, ties for a half."""
    linked, others = scores[labels > 0], scores[labels == 0].sort().values
    below = torch.searchsorted(others, linked)
    equal = torch.searchsorted(others, linked, right=True) - below
    return ((below + equal / 2).mean() / len(others)).item()


def trivial(corpus: Corpus) -> dict[str, Score]:
    """The same of one answer to everything: as many pairs are linked as not."""
    pairs = 2 * len(corpus.val)
    return {"chance": Score(torch.tensor(2.0).log().item(), pairs, {"AUC": 0.5, "accuracy": 0.5})}
