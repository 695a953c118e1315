"""What the tests share: an empty working folder and the smallest useful configuration."""

from pathlib import Path

import pytest
import torch

from PACKAGE import Config

ROOT = Path(__file__).resolve().parents[1]

torch.set_num_threads(1)  # the models are too small to gain from more


@pytest.fixture
def root():
    """The repository."""
    return ROOT


@pytest.fixture
def config(tmp_path, monkeypatch):
    """The tiny preset with few environments and short steps, running in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return Config.tiny(
        n_envs=4, global_batch=64, micro_batch=32, steps=6, warmup_steps=2, eval_samples=2
    )
