"""Runs on the command line: the flags that name one, its model, and what is asked of it."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import torch
from torch import nn

from .checkpoint import load_model, newest_run
from .config import Config
from .model import build_model
from .parallel import pick_device
from .results import RESULTS, Table, save_rows


def run_parser(description: str) -> argparse.ArgumentParser:
    """A parser with the flags that say which run to read and where to compute."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    newest = "folder of the run (default: the one saved last)"
    parser.add_argument("--run-dir", type=Path, help=newest)
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    return parser


def load_run(args: argparse.Namespace) -> tuple[Config, nn.Module, torch.device, str]:
    """A run's configuration, its model and where that is, and a line on where it comes from.

    Before any training it is the untrained tiny model. Raise `ValueError` for a folder without
    checkpoints.
    """
    device = pick_device(args.device)
    run_dir = args.run_dir or newest_run()
    if run_dir is None:
        config = Config.tiny(run_dir="runs/untrained")
        model = build_model(config).to(device).eval()
        origin = "untrained tiny model (no run below runs/ yet; train first)"
    else:
        config, model, steps = load_model(run_dir, device)
        origin = f"{run_dir} after {steps:,} steps"
    return config, model, device, origin


def evaluate_run(evaluate: Callable[..., Table], parser: argparse.ArgumentParser) -> None:
    """Read the flags, evaluate the run that they name, print and save.

    `evaluate` takes the run's folder, and every other flag of `parser` by its name.
    """
    flags = vars(parser.parse_args())
    run_dir = flags.pop("run_dir") or newest_run()
    if run_dir is None:
        parser.exit(2, "error: nothing to evaluate below runs/; train first\n")
    try:
        table = evaluate(str(run_dir), **flags)
    except ValueError as error:
        parser.exit(2, f"error: {error}\n")
    print(table.plain())
    print(f"wrote {table.save('eval')}")


def predict_run(
    predict: Callable[[argparse.Namespace], Sequence[Mapping[str, str]]],
    parser: argparse.ArgumentParser,
    table: str,
    *beside: str,
) -> None:
    """Read the flags, predict as they say, print and save.

    `predict` returns the rows of `results/<table>.csv`, and writes the files beside it.
    """
    try:
        rows = predict(parser.parse_args())
    except ValueError as error:
        parser.exit(2, f"error: {error}\n")
    path = save_rows(table, rows)
    for row in rows[:8]:
        print("; ".join(f"{name}: {value}" for name, value in row.items() if value))
    print("wrote " + ", ".join(map(str, (path, *(RESULTS / name for name in beside)))))
