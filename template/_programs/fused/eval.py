"""Evaluate a trained model on held-out samples, beside what needs no model.

    python -m PACKAGE.eval

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/eval.json`. Accuracy stands beside the commonest class of training, the mean absolute
error of values beside their mean, and recall@1, the share of embeddings whose nearest other one is
of their group, beside chance. The loss is the sum over the outputs.
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn

from .checkpoint import load_model
from .config import Config
from .data import Corpus, prepare
from .heads import measure_heads
from .parallel import Workers, join_workers, leave_workers
from .results import Table
from .runs import evaluate_run, run_parser
from .scores import Score

Tensors = Mapping[str, Tensor]


@torch.no_grad()
def score(model: nn.Module, corpus: Corpus, workers: Workers, limit: int | None = None) -> Score:
    """A model's score on the first `limit` held-out samples, in every process the same."""
    total, samples = 0.0, 0
    found: dict[str, list[Tensor]] = {}
    targets = targets_of(corpus, limit)
    training = model.training
    model.eval()
    for batch in corpus.val_batches(corpus.config.micro_batch, limit):
        batch = workers.move(batch)
        with workers.autocast():
            outputs, loss = model(batch), model.loss(batch)
        size = len(next(iter(outputs.values())))
        total, samples = total + loss.item() * size, samples + size
        for name, output in outputs.items():
            found.setdefault(name, []).append(output.float().cpu())
    model.train(training)
    joined = {name: torch.cat(pieces) for name, pieces in found.items()}
    return Score(total / samples, samples, measure_heads(joined, targets, corpus, corpus.config))


def targets_of(corpus: Corpus, limit: int | None) -> dict[str, Tensor]:
    """What is right for the first `limit` held-out samples."""
    return corpus.targets(corpus.val[:limit])


def trivial(right: Tensors, corpus: Corpus, config: Config) -> dict[str, float]:
    """The same measures of the majority class, of the mean, and of chance."""
    measures = {}
    if config.gives_label:
        commonest = corpus.targets(corpus.train)["labels"].bincount().argmax()
        measures["accuracy"] = (right["labels"] == commonest).float().mean().item()
    if config.gives_value:
        measures["mean absolute error"] = (right["values"].abs() * corpus.deviation).mean().item()
    if config.gives_embedding:
        same = (right["groups"][:, None] == right["groups"]).sum(dim=1) - 1  # (N,)
        measures["recall@1"] = (same / max(1, len(same) - 1)).mean().item()
    return measures


def evaluate(run_dir: str, device: str = "auto") -> Table:
    """Score the newest checkpoint of a run on all of its held-out samples."""
    workers = join_workers(Config.tiny(device=device))
    config, model, steps = load_model(run_dir, workers.device)
    prepare(config)
    corpus = Corpus(config)
    ours = score(model, corpus, workers)
    theirs = trivial(targets_of(corpus, None), corpus, config)
    leave_workers(workers)
    figures = {"steps": steps, "samples": ours.samples, "loss": ours.loss}
    for name, value in ours.measures.items():
        key = name.replace(" ", "_").replace("@", "_")
        figures |= {key: value, f"trivial_{key}": theirs[name]}
    beside = {"accuracy": "majority class", "mean absolute error": "mean", "recall@1": "chance"}
    return Table(
        title="Held-out evaluation",
        context=f"{run_dir} after {steps:,} steps, {ours.samples:,} samples",
        columns=("measure", "this model", "trivial predictor", "which is"),
        rows=tuple((n, v, theirs[n], beside[n]) for n, v in ours.measures.items()),
        figures=figures,
    )


def main() -> None:
    """Read the flags, evaluate, print and save."""
    evaluate_run(evaluate, run_parser(__doc__))


if __name__ == "__main__":
    main()
