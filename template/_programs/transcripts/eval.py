"""Evaluate a trained model on held-out sounds, beside always saying the most frequent transcript.

    python -m PACKAGE.eval

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/eval.json`. Transcripts are written greedily; error rates are edits over the length of what
was said.
"""

from collections import Counter

from torch import nn

from .checkpoint import load_model
from .config import Config
from .data import Corpus, prepare
from .losses import score
from .measures import character_error_rate, word_error_rate
from .parallel import Workers, join_workers, leave_workers
from .results import Table
from .runs import evaluate_run, run_parser

MEASURES = {"cer": character_error_rate, "wer": word_error_rate}
HEARD = 512  # held-out clips that are transcribed


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
    evaluate_run(evaluate, run_parser(__doc__))


if __name__ == "__main__":
    main()
