"""What a resumed run needs besides a checkpoint: environments as they stood, and memories.

It lies beside the checkpoint of the same step, as `<run_dir>/experience-00000100.pt`, and is
complete before that appears.
"""

from pathlib import Path

import torch
from torch import Tensor

from .checkpoint import checkpoints
from .parallel import Workers

State = dict[str, Tensor | dict[str, Tensor]]


def experience_file(run_dir: str | Path, step: int) -> Path:
    """Where the experience of `step` steps lies."""
    return Path(run_dir) / f"experience-{step:08d}.pt"


def save_experience(run_dir: str, step: int, state: State, workers: Workers) -> None:
    """Write the experience after `step` steps, from the first process."""
    if workers.first:
        path = experience_file(run_dir, step)
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(path)


def load_experience(run_dir: str, step: int) -> State:
    """The experience that belongs to the checkpoint of `step` steps."""
    path = experience_file(run_dir, step)
    if not path.exists():
        raise ValueError(f"--run-dir {run_dir}: {path.name} is missing, so nothing can be resumed")
    return torch.load(path, map_location="cpu", weights_only=True)


def forget_older(run_dir: str, workers: Workers) -> None:
    """Delete the experience of checkpoints that are gone."""
    if workers.first:
        kept = {int(folder.name.removeprefix("step-")) for folder in checkpoints(run_dir)}
        for path in Path(run_dir).glob("experience-*.pt"):
            if int(path.stem.removeprefix("experience-")) not in kept:
                path.unlink()
