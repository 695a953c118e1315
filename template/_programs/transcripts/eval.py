"""Evaluate a trained model on held-out sounds, beside always saying the most frequent transcript.

    python -m PACKAGE.eval

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/eval.json`. Transcripts are written greedily; error rates are edits over the length of what
was said.
"""

import argparse
from collections import Counter
from dataclasses import dataclass

import torch
from torch import nn

from .checkpoint import load_model, newest_run
from .config import Config
from .data import Corpus, prepare
from .measures import character_error_rate, word_error_rate
from .parallel import Workers, join_workers, leave_workers
from .results import Table

MEASURES = {"cer": character_error_rate, "wer": word_error_rate}
HEARD = 512  # held-out clips that are transcribed


@dataclass(frozen=True)
class Score:
    """Negative log-likelihood of held-out transcripts, in nats per token, and their number."""

    loss: float
    samples: int


@torch.no_grad()
def score(model: nn.Module, corpus: Corpus, workers: Workers, limit: int | None = None) -> Score:
    """A model's score on the first `limit` held-out clips, in every process the same."""
    nats, samples = 0.0, 0
    for batch in corpus.val_batches(corpus.config.micro_batch, limit):
        size = len(batch["target"])
        with workers.autocast():
            nats += model.loss(workers.move(batch)).item() * size
        samples += size
    return Score(nats / samples, samples)


def transcribe(
    model: nn.Module, corpus: Corpus, workers: Workers, limit: int | None = None
) -> list[str]:
    """What a model hears, greedily, in the first `limit` held-out clips."""
    texts, end = [], corpus.tokenizer.end
    for batch in corpus.val_batches(corpus.config.micro_batch, limit):
        batch = workers.move(batch)
        start, steps = batch["target"][:, :1], corpus.config.context_length - 1
        tokens = model.generate(batch["source"], start, end, steps)
        texts += [corpus.tokenizer.decode(row) for row in tokens.tolist()]
    return texts


def most_frequent_transcript(corpus: Corpus) -> str:
    """The transcript that training shows most often."""
    counts = Counter(clip.text for clip in corpus.train)
    return max(counts, key=lambda text: (counts[text], text))


def evaluate(run_dir: str, device: str = "auto") -> Table:
    """Score the newest checkpoint of a run on its held-out clips."""
    workers = join_workers(Config.tiny(device=device))
    config, model, steps = load_model(run_dir, workers.device)
    prepare(config)
    corpus = Corpus(config)
    references = [clip.text for clip in corpus.val[:HEARD]]
    loss = score(model, corpus, workers, HEARD).loss
    outputs = {
        "this model": transcribe(model, corpus, workers, HEARD),
        "most frequent transcript": [most_frequent_transcript(corpus)] * len(references),
    }
    leave_workers(workers)
    measured = {
        name: {key: measure(texts, references) for key, measure in MEASURES.items()}
        for name, texts in outputs.items()
    }
    model_rates, trivial = measured.values()
    return Table(
        title="Held-out evaluation",
        context=f"{run_dir} after {steps:,} steps, {len(references):,} clips",
        columns=("predictor", "character error rate", "word error rate", "loss (nats/token)"),
        rows=tuple(
            (name, *rates.values(), loss if name == "this model" else None)
            for name, rates in measured.items()
        ),
        figures={"steps": steps, "samples": len(references), "loss": loss}
        | model_rates
        | {f"trivial_{key}": value for key, value in trivial.items()},
    )


def main() -> None:
    """Read the flags, evaluate, print and save."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run-dir", help="folder of the run (default: the one saved last)")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    args = parser.parse_args()
    run_dir = args.run_dir or newest_run()
    if run_dir is None:
        parser.exit(2, "error: nothing to evaluate below runs/; train first\n")
    try:
        table = evaluate(str(run_dir), args.device)
    except ValueError as error:
        parser.exit(2, f"error: {error}\n")
    print(table.plain())
    print(f"wrote {table.save('eval')}")


if __name__ == "__main__":
    main()
