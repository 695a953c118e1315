"""Evaluate a trained model by retrieval among held-out pairs, beside chance.

    python -m PACKAGE.eval

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/eval.json`. Held-out pairs are dealt into galleries; recall@1 is the share of texts whose
most similar picture of the gallery is theirs, and the same for pictures. Loss is in nats.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .checkpoint import load_model
from .config import Config
from .data import Corpus, prepare
from .parallel import Workers, join_workers, leave_workers
from .results import Table
from .runs import evaluate_run, run_parser

GALLERY = 64  # pairs that a text or a picture is compared with, itself included


@dataclass(frozen=True)
class Score:
    """Sums over the pairs of all galleries."""

    nats: float
    picture_hits: int
    text_hits: int
    pairs: int
    galleries: int

    @property
    def loss(self) -> float:
        """Contrastive loss in nats."""
        return self.nats / self.pairs

    @property
    def picture_recall(self) -> float:
        """Share of texts that find their picture first."""
        return self.picture_hits / self.pairs

    @property
    def text_recall(self) -> float:
        """Share of pictures that find their text first."""
        return self.text_hits / self.pairs

    @property
    def chance(self) -> float:
        """Recall of a blind choice."""
        return self.galleries / self.pairs


@torch.no_grad()
def score(model: nn.Module, corpus: Corpus, workers: Workers, limit: int | None = None) -> Score:
    """A model's score on the first `limit` held-out pairs, in every process the same."""
    nats, picture_hits, text_hits, pairs, galleries = 0.0, 0, 0, 0, 0
    for batch in corpus.val_batches(GALLERY, limit):
        size = len(batch["tokens"])
        if galleries and size < GALLERY:
            break  # a smaller gallery would be an easier one
        batch = workers.move(batch)
        with workers.autocast():
            similarity = model(batch)  # (pictures, texts)
            nats += model.loss(batch).item() * size
        equal = same_texts(batch["tokens"])
        picture_hits += hits(similarity.T, equal)
        text_hits += hits(similarity, equal)
        pairs, galleries = pairs + size, galleries + 1
    return Score(nats, picture_hits, text_hits, pairs, galleries)


def same_texts(tokens: Tensor) -> Tensor:
    """Which texts are equal, (B, T) -> (B, B): two pictures with one caption match each other."""
    return (tokens[:, None] == tokens).all(dim=-1)


def hits(similarity: Tensor, equal: Tensor) -> int:
    """Rows whose largest similarity stands where `equal` is set."""
    return int(equal.gather(1, similarity.argmax(dim=1, keepdim=True)).sum())


def evaluate(run_dir: str, device: str = "auto") -> Table:
    """Score the newest checkpoint of a run on all of its held-out pairs."""
    workers = join_workers(Config.tiny(device=device))
    config, model, steps = load_model(run_dir, workers.device)
    prepare(config)
    found = score(model, Corpus(config), workers)
    leave_workers(workers)
    rows = (
        ("this model", found.picture_recall, found.text_recall, found.loss),
        ("chance", found.chance, found.chance, None),
    )
    size = found.pairs // found.galleries
    return Table(
        title="Held-out retrieval",
        context=f"{run_dir} after {steps:,} steps, {found.pairs:,} pairs in galleries of {size}",
        columns=(
            "predictor",
            "text to picture recall@1",
            "picture to text recall@1",
            "loss (nats)",
        ),
        rows=rows,
        figures={
            "steps": steps,
            "pairs": found.pairs,
            "loss": found.loss,
            "picture_recall_1": found.picture_recall,
            "text_recall_1": found.text_recall,
            "chance": found.chance,
        },
    )


def main() -> None:
    """Read the flags, evaluate, print and save."""
    evaluate_run(evaluate, run_parser(__doc__))


if __name__ == "__main__":
    main()
