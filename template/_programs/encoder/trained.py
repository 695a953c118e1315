"""A trained encoder with its tokenizer, ready to read texts."""

import argparse
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from .codec import Codec
from .config import Config
from .corpus import read_record
from .data import load_codec
from .runs import load_run


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
    config, model, device, origin = load_run(args)
    if device.type == "cuda":
        model = model.bfloat16()
    return Trained(config, model, load_codec(config), device, read_record(config), origin)


def read_lines(path: Path) -> list[str]:
    """The lines of a file that say something."""
    if not path.is_file():
        raise ValueError(f"--file {path}: no such file")
    return [line.strip() for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
