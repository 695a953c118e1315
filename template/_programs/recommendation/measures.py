"""How high the item that a user had next is ranked, among all that the user had not before."""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .data import Corpus
from .parallel import Workers

TOP = 10
CHUNK = 4096  # items whose vectors are computed at once


@dataclass(frozen=True)
class Score:
    """The mean loss of a predictor over held-out users, and its measures by name."""

    loss: float
    samples: int
    measures: dict[str, float]


@torch.no_grad()
def score(model: nn.Module, corpus: Corpus, workers: Workers, limit: int | None = None) -> Score:
    """A model's score on the first `limit` held-out users, in every process the same."""
    training = model.training
    model.eval()
    with workers.autocast():
        vectors = item_vectors(model, corpus, workers.device)
        scores = []
        for batch in corpus.val_batches(corpus.config.micro_batch, limit):
            users = model.users(workers.move(batch))
            scores.append(model.scores(users, vectors).float().cpu())
    model.train(training)
    return judged(torch.cat(scores), corpus, limit)


def item_vectors(model: nn.Module, corpus: Corpus, device: torch.device) -> Tensor:
    """The vector of every item of the data, (items, W)."""
    vectors = []
    for numbers in torch.arange(len(corpus.items)).split(CHUNK):
        offers = {name: tensor.to(device) for name, tensor in corpus.offers(numbers).items()}
        vectors.append(model.items(offers))
    return torch.cat(vectors)


def popularity(corpus: Corpus, limit: int | None = None) -> Score:
    """The score of recommending everyone what most users had."""
    users = len(corpus.val[:limit])
    return judged((corpus.counts + 1.0).log().expand(users, -1), corpus, limit)


def judged(scores: Tensor, corpus: Corpus, limit: int | None) -> Score:
    """Scores of all items, (users, items), against what users had; the loss is in nats."""
    held_out = list(corpus.val_batches(max(1, len(scores)), limit))
    seen = torch.cat([batch["seen"] for batch in held_out])
    answers = torch.cat([batch["answers"] for batch in held_out])
    scores = scores.masked_fill(seen, -torch.inf)
    own = scores.gather(1, answers[:, None])
    above = (scores > own).sum(dim=1)
    ties = (scores == own).sum(dim=1) - 1
    rank = above + ties / 2  # 0 is the best
    hits = rank < TOP
    measures = {
        f"recall@{TOP}": hits.float().mean().item(),
        f"nDCG@{TOP}": (hits / (rank + 2).log2()).mean().item(),
    }
    return Score(F.cross_entropy(scores, answers).item(), len(answers), measures)
