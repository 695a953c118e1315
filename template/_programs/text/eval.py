"""Evaluate a trained model on held-out text, beside a predictor that knows letter counts only.

    python -m PACKAGE.eval

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/eval.json`. Loss is in nats per token, perplexity its exponential; bits per byte divide by
the bytes of text behind the tokens and so compare models whatever their tokenizer.
"""

import math
from dataclasses import dataclass

import torch
from torch import nn

from .checkpoint import load_model
from .config import Config
from .data import Corpus, prepare
from .parallel import Workers, join_workers, leave_workers
from .results import Table
from .runs import evaluate_run, run_parser


@dataclass(frozen=True)
class Score:
    """Total negative log-likelihood, in nats, of some tokens and the bytes behind them."""

    nats: float
    tokens: int
    bytes: int

    @property
    def loss(self) -> float:
        """Nats per token."""
        return self.nats / self.tokens

    @property
    def perplexity(self) -> float:
        """Size of a uniform choice that is as hard."""
        return math.exp(self.loss)

    @property
    def bits_per_byte(self) -> float:
        """Bits that a byte of text costs to encode."""
        return self.nats / math.log(2) / self.bytes


@torch.no_grad()
def score(model: nn.Module, corpus: Corpus, workers: Workers, limit: int | None = None) -> Score:
    """A model's score on the first `limit` held-out sequences, in every process the same."""
    lengths = torch.tensor(corpus.tokenizer.byte_lengths())
    nats, tokens, size = 0.0, 0, 0
    for batch in corpus.val_batches(corpus.config.micro_batch, limit):
        targets = batch["tokens"][:, 1:]
        with workers.autocast():
            loss = model.loss(workers.move(batch))
        nats += loss.item() * targets.numel()
        tokens += targets.numel()
        size += int(lengths[targets].sum())
    return Score(nats, tokens, size)


def unigram_score(corpus: Corpus, limit: int | None = None) -> Score:
    """The same for tokens drawn independently with their frequency in the training text."""
    lengths = torch.tensor(corpus.tokenizer.byte_lengths())
    counts = torch.bincount(corpus.train, minlength=len(lengths)) + 1.0  # none is impossible
    surprise = -(counts / counts.sum()).log()  # (V,) nats
    targets = [batch["tokens"][:, 1:].flatten() for batch in corpus.val_batches(64, limit)]
    ids = torch.cat(targets)
    return Score(surprise[ids].sum().item(), ids.numel(), int(lengths[ids].sum()))


def evaluate(run_dir: str, device: str = "auto") -> Table:
    """Score the newest checkpoint of a run on all of its held-out text."""
    workers = join_workers(Config.tiny(device=device))
    config, model, steps = load_model(run_dir, workers.device)
    prepare(config)
    corpus = Corpus(config)
    scores = {"this model": score(model, corpus, workers), "unigram": unigram_score(corpus)}
    leave_workers(workers)
    model_score, trivial = scores.values()
    return Table(
        title="Held-out evaluation",
        context=f"{run_dir} after {steps:,} steps, {model_score.tokens:,} tokens",
        columns=("predictor", "loss (nats/token)", "perplexity", "bits per byte"),
        rows=tuple((n, s.loss, s.perplexity, s.bits_per_byte) for n, s in scores.items()),
        figures={
            "steps": steps,
            "tokens": model_score.tokens,
            "loss": model_score.loss,
            "perplexity": model_score.perplexity,
            "bits_per_byte": model_score.bits_per_byte,
            "unigram_loss": trivial.loss,
            "unigram_bits_per_byte": trivial.bits_per_byte,
        },
    )


def main() -> None:
    """Read the flags, evaluate, print and save."""
    evaluate_run(evaluate, run_parser(__doc__))


if __name__ == "__main__":
    main()
