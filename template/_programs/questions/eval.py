"""Evaluate a trained model by its answers about held-out pictures.

    python -m PACKAGE.eval

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/eval.json`. An answer is right when it is the reference to the letter; the predictor to
beat gives every question its most frequent answer in the training data, without looking. Loss is
in nats per token of the answers.
"""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import nn

from .checkpoint import load_model
from .config import Config
from .data import Corpus, load_picture, prepare
from .model import IGNORED
from .parallel import Workers, join_workers, leave_workers
from .pictures import to_tensor
from .results import Table
from .runs import evaluate_run, run_parser
from .samples import prompt_of, question_of

QUESTIONS = 512  # held-out questions that an evaluation answers


@dataclass(frozen=True)
class Score:
    """Total negative log-likelihood, in nats, of the tokens of some answers."""

    nats: float
    tokens: int

    @property
    def loss(self) -> float:
        """Nats per token."""
        return self.nats / self.tokens


@torch.no_grad()
def score(model: nn.Module, corpus: Corpus, workers: Workers, limit: int | None = None) -> Score:
    """A model's score on the first `limit` held-out samples, in every process the same."""
    nats, tokens = 0.0, 0
    for batch in corpus.val_batches(corpus.config.micro_batch, limit):
        count = int((batch["labels"] != IGNORED).sum())
        with workers.autocast():
            nats += model.loss(workers.move(batch)).item() * count
        tokens += count
    return Score(nats, tokens)


@torch.inference_mode()
def answer(
    model: nn.Module, corpus: Corpus, samples: list[dict[str, str]], length: int
) -> list[str]:
    """The model's answers of at most `length` tokens; questions of one length go together."""
    tokenizer, config = corpus.tokenizer, corpus.config
    device = model.embed.weight.device
    prompts = [prompt_of(question_of(sample), tokenizer) for sample in samples]
    answers = [""] * len(samples)
    for size in sorted(set(map(len, prompts))):
        rows = [row for row, prompt in enumerate(prompts) if len(prompt) == size]
        for first in range(0, len(rows), 64):
            group = rows[first : first + 64]
            images = to_tensor([load_picture(samples[row]["image"], config) for row in group])
            asked = torch.tensor([prompts[row] for row in group], device=device)
            images = images.to(device, model.embed.weight.dtype)
            said = model.generate(images, asked, length)[:, size:].tolist()
            for row, ids in zip(group, said, strict=True):
                end = ids.index(tokenizer.end) if tokenizer.end in ids else len(ids)
                answers[row] = tokenizer.decode(ids[:end])
    return answers


def most_frequent(samples: Iterable[dict[str, str]], asked: Iterable[str]) -> list[str]:
    """The most frequent answer to each question, or of all where a question is new."""
    known: dict[str, Counter] = {}
    everything: Counter = Counter()
    for sample in samples:
        known.setdefault(question_of(sample), Counter())[sample["text"]] += 1
        everything[sample["text"]] += 1
    return [known.get(question, everything).most_common(1)[0][0] for question in asked]


def evaluate(run_dir: str, device: str = "auto") -> Table:
    """Let the newest checkpoint of a run answer held-out questions."""
    workers = join_workers(Config.tiny(device=device))
    config, model, steps = load_model(run_dir, workers.device)
    prepare(config)
    corpus = Corpus(config)
    found, samples = score(model, corpus, workers), corpus.val[:QUESTIONS]
    longest = max(len(corpus.tokenizer.encode(sample["text"])) for sample in samples)
    answers = answer(model, corpus, samples, longest + 1)
    blind = most_frequent(corpus.train, map(question_of, samples))
    leave_workers(workers)
    right = [sample["text"] for sample in samples]
    accuracy, trivial = (share_equal(said, right) for said in (answers, blind))
    return Table(
        title="Answers about held-out pictures",
        context=f"{run_dir} after {steps:,} steps, {len(samples):,} questions",
        columns=("predictor", "accuracy", "loss (nats/token)"),
        rows=(("this model", accuracy, found.loss), ("most frequent answer", trivial, None)),
        figures={
            "steps": steps,
            "questions": len(samples),
            "loss": found.loss,
            "accuracy": accuracy,
            "trivial_accuracy": trivial,
        },
    )


def share_equal(said: list[str], right: list[str]) -> float:
    """The share of answers that are the reference."""
    return sum(a == b for a, b in zip(said, right, strict=True)) / len(right)


def main() -> None:
    """Read the flags, evaluate, print and save."""
    evaluate_run(evaluate, run_parser(__doc__))


if __name__ == "__main__":
    main()
