"""Predict the outputs of samples by a trained model.

    python -m PACKAGE.infer --input samples.csv

Reads the newest checkpoint of `--run-dir` (default: of the run saved last) and writes
`results/predictions.csv` with a row for each sample, `results/outputs.npz` with what every head
gave, and in `results/predictions/` each output in its own kind of file: a text, PNG, WAV, GIF, CSV,
OBJ or JSON. `--input` is a CSV or JSONL file with a column for each input; without it held-out
samples are taken. Before any training it uses the untrained tiny model.
"""

import argparse
from importlib import import_module
from pathlib import Path
from types import ModuleType

import numpy as np
import torch

from . import data
from .config import Config
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
    batch = {name: tensor.to(device) for name, tensor in corpus.inputs(samples).items()}
    if config.gives_text:
        from .tokenizer import load_tokenizer

        outputs = model.predict(batch, load_tokenizer(config).end)
    else:
        outputs = model.predict(batch)
    outputs = {name: tensor.cpu() for name, tensor in outputs.items()}
    folder = RESULTS / "predictions"
    folder.mkdir(parents=True, exist_ok=True)
    np.savez(RESULTS / "outputs.npz", **{name: x.float().numpy() for name, x in outputs.items()})
    rows = []
    for i, sample in enumerate(samples):
        row = {"sample": str(i), **shown(sample, config)}
        for name, column in data.outputs_of(config).items():
            stem = folder / f"{i:03d}_{name}"
            note = corpus.notes[column]
            row[f"predicted {name}"] = writer(name, config).write(
                name, outputs, i, note, stem, config
            )
        rows.append(row)
    return rows


def writer(name: str, config: Config) -> ModuleType:
    """The module that writes an output."""
    if name == "audio":
        return import_module(".sounds", __package__)
    return data.kind(name, config)


def shown(sample: dict, config: Config) -> dict[str, str]:
    """What a row of the table says about a sample, as far as words and numbers can."""
    if "number" in sample:
        known = data.synthetic.concept(sample["number"])
        return {"concept": data.synthetic.KINDS[known.kind], "level": f"{known.level:.2f}"}
    return {name: str(sample[name])[:60] for name in data.inputs_of(config)}


def main() -> None:
    """Read the flags, predict, print and save."""
    parser = run_parser(__doc__)
    parser.add_argument("--input", type=Path, help="CSV or JSONL (default: held-out samples)")
    parser.add_argument("--limit", type=int, default=12, help="at most so many samples")
    predict_run(predict, parser, "predictions", "outputs.npz", "predictions")


if __name__ == "__main__":
    main()
