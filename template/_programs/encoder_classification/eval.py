"""Evaluate a trained model on held-out texts, beside always answering the commonest class.

    python -m PACKAGE.eval

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/eval.json`. Accuracy is the share of right answers; macro-F1 is the mean over the classes
of the harmonic mean of precision and recall; loss is in nats per text.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .checkpoint import load_model
from .config import Config
from .data import Corpus, prepare
from .parallel import Workers, join_workers, leave_workers
from .results import Table
from .runs import evaluate_run, run_parser


@dataclass(frozen=True)
class Score:
    """Log-probabilities that a predictor gave to the classes, (N, C), and the labels, (N,)."""

    scores: Tensor
    labels: Tensor

    @property
    def loss(self) -> float:
        """Nats per text."""
        return F.nll_loss(self.scores, self.labels).item()

    @property
    def accuracy(self) -> float:
        """Share of right answers."""
        return (self.scores.argmax(-1) == self.labels).float().mean().item()

    @property
    def macro_f1(self) -> float:
        """The mean F1 of the classes that occur."""
        answers, classes = self.scores.argmax(-1), self.labels.unique()
        found = [(answers == c, self.labels == c) for c in classes]
        scores = [2 * (said & true).sum() / (said.sum() + true.sum()) for said, true in found]
        return torch.stack(scores).mean().item()


@torch.no_grad()
def score(model: nn.Module, corpus: Corpus, workers: Workers, limit: int | None = None) -> Score:
    """A model's score on the first `limit` held-out texts, in every process the same."""
    scores, labels = [], []
    for batch in corpus.val_batches(corpus.config.micro_batch, limit):
        batch = workers.move(batch)
        with workers.autocast():
            logits = model(batch["tokens"], batch["seen"])  # (B, C)
        scores.append(logits.float().log_softmax(-1).cpu())
        labels.append(batch["labels"].cpu())
    return Score(torch.cat(scores), torch.cat(labels))


def majority_score(corpus: Corpus) -> Score:
    """The same for the frequencies of the classes in training, whatever the text says."""
    labels = torch.tensor([example["label"] for example in corpus.train])
    counts = torch.bincount(labels, minlength=corpus.config.num_classes) + 1.0
    held_out = torch.tensor([example["label"] for example in corpus.val])
    return Score((counts / counts.sum()).log().expand(len(held_out), -1), held_out)


def evaluate(run_dir: str, device: str = "auto") -> Table:
    """Score the newest checkpoint of a run on all of its held-out texts."""
    workers = join_workers(Config.tiny(device=device))
    config, model, steps = load_model(run_dir, workers.device)
    prepare(config)
    corpus = Corpus(config)
    trivial = majority_score(corpus)
    scores = {"this model": score(model, corpus, workers), "majority class": trivial}
    leave_workers(workers)
    own = scores["this model"]
    return Table(
        title="Held-out evaluation",
        context=f"{run_dir} after {steps:,} steps, {len(own.labels):,} texts",
        columns=("predictor", "accuracy", "macro-F1", "loss (nats/text)"),
        rows=tuple((n, s.accuracy, s.macro_f1, s.loss) for n, s in scores.items()),
        figures={
            "steps": steps,
            "texts": len(own.labels),
            "loss": own.loss,
            "accuracy": own.accuracy,
            "macro_f1": own.macro_f1,
            "majority_loss": trivial.loss,
            "majority_accuracy": trivial.accuracy,
            "majority_macro_f1": trivial.macro_f1,
        },
    )


def main() -> None:
    """Read the flags, evaluate, print and save."""
    evaluate_run(evaluate, run_parser(__doc__))


if __name__ == "__main__":
    main()
