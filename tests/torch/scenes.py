"""What the comparisons of models for scenes share: a model in two forms, and random weights."""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch

from metagen.synth.codegen import network_sources
from metagen.synth.topologies import TOPOLOGIES

from .packages import PARTS, config_of, module, part

_names = itertools.count()


def from_parts(topology: str, sizes: Mapping[str, Any]) -> torch.nn.Module:
    """The model of the parts as they stand."""
    return part(TOPOLOGIES[topology].top).build_model(config_of(**sizes))


def from_source(topology: str, sizes: Mapping[str, Any]) -> torch.nn.Module:
    """The model of `model.py` as a release with these switches would have it."""
    found = TOPOLOGIES[topology]
    switches = found.switches({name: sizes.get(name, d.default) for name, d in found.table.items()})
    folder = Path(tempfile.mkdtemp())
    for name, text in (
        ("config", (PARTS / "config.py").read_text(encoding="utf-8")),
        ("model", network_sources(found, switches)["model"]),
    ):
        (folder / f"{name}.py").write_text(text, encoding="utf-8")
    package = f"generated_scene_{next(_names)}"
    return module(package, folder, "model").build_model(config_of(**sizes))


FORMS = {"parts": from_parts, "generated": from_source}


def noisy(model: torch.nn.Module) -> torch.nn.Module:
    """A model with random values everywhere, norms, biases and statistics included."""
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if not tensor.is_floating_point():
                continue
            noise = torch.randn(tensor.shape, generator=generator)
            if tensor.dim() > 1:
                tensor.copy_(noise / tensor[0].numel() ** 0.5)
            elif name.endswith("running_var"):
                tensor.copy_(1 + 0.2 * noise.abs())
            else:
                tensor.add_(0.2 * noise)
    return model.eval()
