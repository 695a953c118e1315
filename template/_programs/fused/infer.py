"""Predict the outputs of samples by a trained model.

    python -m PACKAGE.infer --input questions.csv

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/predictions.csv` with a row for each sample, `results/outputs.npz` with what every head
gave, and `results/predictions.png` with the pictures, where there are any. `--input` is a CSV or
JSONL file with a column for each input; without it held-out samples are taken. Before any training
it uses the untrained tiny model.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from . import data
from .results import RESULTS
from .runs import load_run, predict_run, run_parser


@torch.inference_mode()
def predict(args: argparse.Namespace) -> list[dict[str, str]]:
    """A row about each sample; writes what every head gave, and what else there is to see."""
    config, model, device, origin = load_run(args)
    print(f"[{origin}]")
    data.prepare(config)
    corpus = data.Corpus(config)
    samples = corpus.val
    if args.input is not None:
        samples = list(data.read_table(args.input, data.inputs_of(config)))
    samples = samples[: args.limit]
    if not samples:
        raise ValueError(f'--input "{args.input}": no samples there')
    batch = corpus.inputs(samples)
    outputs = model({name: tensor.to(device) for name, tensor in batch.items()})
    outputs = {name: tensor.float().cpu() for name, tensor in outputs.items()}
    rows = [{"sample": str(i), **shown(sample)} for i, sample in enumerate(samples)]
    captions = [[] for _ in rows]
    RESULTS.mkdir(exist_ok=True)
    np.savez(RESULTS / "outputs.npz", **{name: x.numpy() for name, x in outputs.items()})
    if config.gives_label:
        shares, picks = outputs["label"][:, : len(corpus.classes)].softmax(dim=-1).max(dim=-1)
        for row, caption, share, pick in zip(rows, captions, shares, picks, strict=True):
            row |= {"predicted label": corpus.classes[pick], "probability": f"{share:.4f}"}
            caption.append(corpus.classes[pick])
    if config.gives_value:
        values = outputs["value"] * corpus.deviation + corpus.mean
        for row, caption, value in zip(rows, captions, values, strict=True):
            row["predicted value"] = f"{value:.4g}"
            caption.append(f"{value:.2g}")
    if config.gives_embedding:
        vectors = outputs["embedding"]
        nearest = (vectors @ vectors.T).fill_diagonal_(-2.0).argmax(dim=1)
        for row, other in zip(rows, nearest.tolist(), strict=True):
            row["nearest sample"] = str(other)
    if config.reads_image:
        words = [", ".join(caption) or f"sample {i}" for i, caption in enumerate(captions)]
        data.reader("image").sheet(batch["images"], words).save(RESULTS / "predictions.png")
        print(f"wrote {RESULTS / 'predictions.png'}")
    return rows


def shown(sample: dict) -> dict[str, str]:
    """What a row of the table says about a sample: its inputs, and what is known of its outputs."""
    return {name: str(value) for name, value in sample.items() if name != "number"}


def main() -> None:
    """Read the flags, predict, print and save."""
    parser = run_parser(__doc__)
    parser.add_argument("--input", type=Path, help="CSV or JSONL (default: held-out samples)")
    parser.add_argument("--limit", type=int, default=24, help="at most so many samples")
    predict_run(predict, parser, "predictions", "outputs.npz")


if __name__ == "__main__":
    main()
