"""Evaluate a trained model on held-out text, beside a predictor that knows token counts only.

    python -m PACKAGE.eval

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/eval.json`. Every token of the text is hidden once, one in seven at a time: masked accuracy
is the share that is restored, and pseudo-perplexity the exponential of the mean negative
log-likelihood (after Salazar et al. 2020, who hide one token at a time).
"""

import math
from collections import Counter
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import nn

from .checkpoint import load_model
from .config import Config
from .data import Corpus, prepare
from .parallel import Workers, join_workers, leave_workers
from .results import Table
from .runs import evaluate_run, run_parser

TURNS = 7  # each text is read so often, with another seventh of its tokens hidden
MOST = 256  # pieces of text that `eval` reads


@dataclass(frozen=True)
class Score:
    """Total negative log-likelihood, in nats, and right answers over some hidden tokens."""

    nats: float
    right: int
    tokens: int

    @property
    def loss(self) -> float:
        """Nats per hidden token."""
        return self.nats / self.tokens

    @property
    def perplexity(self) -> float:
        """Pseudo-perplexity: the size of a uniform choice that is as hard."""
        return math.exp(self.loss)

    @property
    def accuracy(self) -> float:
        """Share of hidden tokens that are restored."""
        return self.right / self.tokens


@torch.no_grad()
def score(model: nn.Module, corpus: Corpus, workers: Workers, limit: int | None = None) -> Score:
    """A model's score on the first `limit` held-out pieces, in every process the same."""
    nats, right, tokens = 0.0, 0, 0
    size = corpus.config.micro_batch
    texts = [example["tokens"] for example in corpus.val[:limit]]
    for turn in range(TURNS):
        for first in range(0, len(texts), size):
            batch = workers.move(corpus.codec.stack(texts[first : first + size]))
            places = torch.arange(batch["tokens"].size(1), device=workers.device)
            hidden = (places % TURNS == turn) & (batch["tokens"] < len(corpus.codec.tokenizer))
            question = batch["tokens"].masked_fill(hidden, corpus.codec.hidden)
            with workers.autocast():
                logits = model(question, batch["seen"])[hidden].float()  # (hidden tokens, V)
            answers = batch["tokens"][hidden]
            nats += F.cross_entropy(logits, answers, reduction="sum").item()
            right += int((logits.argmax(-1) == answers).sum())
            tokens += answers.numel()
    return Score(nats, right, tokens)


def unigram_score(corpus: Corpus, limit: int | None = None) -> Score:
    """The same for tokens drawn independently with their frequency in the training text."""
    known = range(len(corpus.codec.tokenizer))
    counts = Counter(dict.fromkeys(known, 1))  # none is impossible
    counts.update(i for example in corpus.train for i in example["tokens"] if i in known)
    total, commonest = counts.total(), max(counts, key=counts.__getitem__)
    ids = [i for example in corpus.val[:limit] for i in example["tokens"] if i in known]
    nats = sum(-math.log(counts[i] / total) for i in ids)
    return Score(nats, ids.count(commonest), len(ids))


def evaluate(run_dir: str, device: str = "auto") -> Table:
    """Score the newest checkpoint of a run on its held-out text."""
    workers = join_workers(Config.tiny(device=device))
    config, model, steps = load_model(run_dir, workers.device)
    prepare(config)
    corpus = Corpus(config)
    own, trivial = score(model, corpus, workers, MOST), unigram_score(corpus, MOST)
    leave_workers(workers)
    scores = {"this model": own, "unigram": trivial}
    return Table(
        title="Held-out evaluation",
        context=f"{run_dir} after {steps:,} steps, {own.tokens:,} tokens",
        columns=("predictor", "masked accuracy", "pseudo-perplexity", "loss (nats/token)"),
        rows=tuple((n, s.accuracy, s.perplexity, s.loss) for n, s in scores.items()),
        figures={
            "steps": steps,
            "tokens": own.tokens,
            "loss": own.loss,
            "masked_accuracy": own.accuracy,
            "pseudo_perplexity": own.perplexity,
            "unigram_loss": trivial.loss,
            "unigram_accuracy": trivial.accuracy,
            "unigram_perplexity": trivial.perplexity,
        },
    )


def main() -> None:
    """Read the flags, evaluate, print and save."""
    evaluate_run(evaluate, run_parser(__doc__))


if __name__ == "__main__":
    main()
