"""A trained encoder with its tokenizer, ready to read texts."""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .checkpoint import load_model, newest_run
from .codec import Codec
from .config import Config
from .data import corpus_folder, load_codec
from .model import build_model
from .parallel import pick_device


@dataclass(frozen=True)
class Trained:
    """A model in evaluation mode, and a line on where it comes from."""

    config: Config
    model: nn.Module
    codec: Codec
    device: torch.device
    description: dict[str, Any]
    origin: str

    @torch.inference_mode()
    def read(self, batch: dict[str, Tensor]) -> Tensor:
        """What the model makes of rows of texts, in fp32 on the CPU."""
        return self.model(**{k: v.to(self.device) for k, v in batch.items()}).float().cpu()


def load_trained(args: argparse.Namespace) -> Trained:
    """The newest checkpoint of `--run-dir`; before any training, the untrained tiny model."""
    device = pick_device(args.device)
    run_dir = args.run_dir or newest_run()
    if run_dir is None:
        config = Config.tiny()
        model = build_model(config).to(device).eval()
        description = {}
        origin = "untrained tiny model (no run below runs/ yet; train first)"
    else:
        config, model, steps = load_model(run_dir, device)
        record = corpus_folder(config) / "corpus.json"
        description = json.loads(record.read_text(encoding="utf-8"))
        origin = f"{run_dir} after {steps:,} steps"
    if device.type == "cuda":
        model = model.bfloat16()
    return Trained(config, model, load_codec(config), device, description, origin)


def run_parser(description: str) -> argparse.ArgumentParser:
    """A parser with the flags that say which run to read and where to compute."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--run-dir", type=Path, help="folder of the run")
    parser.add_argument("--device", default="auto", help="auto, cpu, cuda or mps")
    return parser


def read_lines(path: Path) -> list[str]:
    """The lines of a file that say something."""
    if not path.is_file():
        raise ValueError(f"--file {path}: no such file")
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
