"""Evaluate a trained model on held-out pairs, beside two predictors that learned nothing.

    python -m PACKAGE.eval

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/eval.json`. Outputs are written greedily. Word accuracy counts reference words that stand
in their place, BLEU clipped runs of up to four words, exact matches whole texts.
"""

from collections import Counter

from torch import nn

from .checkpoint import load_model
from .config import Config
from .data import Corpus, prepare
from .losses import score
from .measures import corpus_bleu, exact_share, token_accuracy
from .parallel import Workers, join_workers, leave_workers
from .results import Table
from .runs import evaluate_run, run_parser

MEASURES = {"bleu": corpus_bleu, "word_accuracy": token_accuracy, "exact": exact_share}
WRITTEN = 512  # held-out pairs whose targets are written


def write_targets(
    model: nn.Module, corpus: Corpus, workers: Workers, limit: int | None = None
) -> list[str]:
    """The targets that a model writes, greedily, for the first `limit` held-out pairs."""
    texts = []
    end, length = corpus.tokenizer.end, corpus.config.train_length
    for batch in corpus.val_batches(corpus.config.micro_batch, limit):
        batch = workers.move(batch)
        start = batch["target"][:, :1]
        steps = min(length, corpus.config.context_length - 1)
        tokens = model.generate(batch["source"], start, end, steps, batch["mask"])
        texts += [corpus.tokenizer.decode(row) for row in tokens.tolist()]
    return texts


def held_out_texts(corpus: Corpus, limit: int) -> tuple[list[str], list[str]]:
    """Sources and references of the first `limit` held-out pairs."""
    decode = corpus.tokenizer.decode
    rows = range(min(limit, len(corpus.val)))
    pairs = [tuple(decode(ids.tolist()) for ids in corpus.val[row]) for row in rows]
    return [source for source, _ in pairs], [target for _, target in pairs]


def most_frequent_target(corpus: Corpus) -> str:
    """The target that training shows most often."""
    rows = range(min(len(corpus.train), 50_000))
    counts = Counter(tuple(corpus.train[row][1].tolist()) for row in rows)
    return corpus.tokenizer.decode(max(counts, key=lambda ids: (counts[ids], ids)))


def evaluate(run_dir: str, device: str = "auto") -> Table:
    """Score the newest checkpoint of a run on its held-out pairs."""
    workers = join_workers(Config.tiny(device=device))
    config, model, steps = load_model(run_dir, workers.device)
    prepare(config)
    corpus = Corpus(config)
    sources, references = held_out_texts(corpus, WRITTEN)
    loss = score(model, corpus, workers).loss
    outputs = {
        "this model": write_targets(model, corpus, workers, WRITTEN),
        "copy of the source": sources,
        "most frequent target": [most_frequent_target(corpus)] * len(references),
    }
    leave_workers(workers)
    measured = {
        name: {key: measure(texts, references) for key, measure in MEASURES.items()}
        for name, texts in outputs.items()
    }
    model_scores, *trivial = measured.values()
    return Table(
        title="Held-out evaluation",
        context=f"{run_dir} after {steps:,} steps, {len(references):,} pairs",
        columns=("predictor", "BLEU", "word accuracy", "exact matches", "loss (nats/token)"),
        rows=tuple(
            (name, *values.values(), loss if name == "this model" else None)
            for name, values in measured.items()
        ),
        figures={"steps": steps, "samples": len(references), "loss": loss}
        | model_scores
        | {f"trivial_{key}": max(scores[key] for scores in trivial) for key in MEASURES},
    )


def main() -> None:
    """Read the flags, evaluate, print and save."""
    evaluate_run(evaluate, run_parser(__doc__))


if __name__ == "__main__":
    main()
