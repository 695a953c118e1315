"""Checkpoints: weights in safetensors, everything else that an exact resume needs beside them.

A checkpoint is a folder `<run_dir>/step-00000100/` with `model.safetensors` (parameters under
their blueprint names, tied ones once), `state.pt` (optimizer, step, random state) and
`config.json`. It appears under its name only when it is complete.
"""

import shutil
from dataclasses import replace
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.distributed.checkpoint.state_dict import (
    StateDictOptions,
    get_model_state_dict,
    get_optimizer_state_dict,
    set_model_state_dict,
    set_optimizer_state_dict,
)

from .config import Config
from .model import build_model
from .parallel import Workers, aliases

KEPT = 2  # newest checkpoints that stay on disk


def save_checkpoint(
    config: Config,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    step: int,
    workers: Workers,
) -> Path:
    """Write the state after `step` steps; every process takes part, the first one writes."""
    folder = Path(config.run_dir) / f"step-{step:08d}"
    options = StateDictOptions(full_state_dict=True, cpu_offload=True)
    weights = get_model_state_dict(model, options=options)
    moments = get_optimizer_state_dict(model, optimizer, options=options)
    if workers.first:
        partial = folder.with_suffix(".partial")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
        save_file(owned(weights, aliases(model)), partial / "model.safetensors")
        state = {"step": step, "optimizer": moments, "rng": random_state(workers.device)}
        torch.save(state, partial / "state.pt")
        config.save(partial / "config.json")
        shutil.rmtree(folder, ignore_errors=True)
        partial.rename(folder)
        for old in checkpoints(config.run_dir)[:-KEPT]:
            shutil.rmtree(old)
    workers.wait()
    return folder


def load_checkpoint(
    folder: Path, model: nn.Module, optimizer: torch.optim.Optimizer, workers: Workers
) -> int:
    """Restore model, optimizer and random state from a checkpoint; return its step."""
    options = StateDictOptions(full_state_dict=True)
    set_model_state_dict(model, read_weights(folder, model), options=options)
    state = torch.load(folder / "state.pt", map_location="cpu", weights_only=True)
    set_optimizer_state_dict(model, optimizer, state["optimizer"], options=options)
    torch.set_rng_state(state["rng"]["cpu"])
    if workers.device.type == "cuda":
        torch.cuda.set_rng_state(state["rng"]["cuda"], workers.device)
    return state["step"]


def read_weights(folder: Path, model: nn.Module) -> dict[str, Tensor]:
    """The state dict that a checkpoint holds for `model`, aliases of tied parameters included."""
    weights = load_file(folder / "model.safetensors")
    for alias, owner in aliases(model).items():
        weights[alias] = weights[owner]
    return weights


def owned(weights: dict[str, Tensor], ties: dict[str, str]) -> dict[str, Tensor]:
    """A state dict without the aliases."""
    return {name: weight.contiguous() for name, weight in weights.items() if name not in ties}


def random_state(device: torch.device) -> dict[str, Tensor]:
    """The state of the global random generators."""
    state = {"cpu": torch.get_rng_state()}
    if device.type == "cuda":
        state["cuda"] = torch.cuda.get_rng_state(device)
    return state


def checkpoints(run_dir: str | Path) -> list[Path]:
    """The complete checkpoints of a run, oldest first."""
    return sorted(p for p in Path(run_dir).glob("step-*") if p.suffix != ".partial")


def latest_checkpoint(run_dir: str | Path) -> Path:
    """The newest checkpoint of a run; raise `ValueError` if it has none."""
    found = checkpoints(run_dir)
    if not found:
        raise ValueError(f"--run-dir {run_dir}: no checkpoint there; train first")
    return found[-1]


def newest_run(root: str | Path = "runs") -> Path | None:
    """The run below `root` that saved a checkpoint last, if any did."""
    found = [folder for run in Path(root).glob("*") for folder in checkpoints(run)]
    return max(found, key=lambda f: f.stat().st_mtime_ns).parent if found else None


def load_model(run_dir: str | Path, device: torch.device) -> tuple[Config, nn.Module, int]:
    """A run's configuration, its model in evaluation mode, and the steps it was trained for."""
    folder = latest_checkpoint(run_dir)
    config = replace(Config.load(folder / "config.json"), run_dir=str(run_dir))
    model = build_model(config)
    model.load_state_dict(read_weights(folder, model))
    return config, model.to(device).eval(), int(folder.name.removeprefix("step-"))
