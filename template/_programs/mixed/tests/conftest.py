"""What the tests share: an empty working folder and a small configuration."""

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
    """The tiny preset with small batches, running in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return Config.tiny(global_batch=16, micro_batch=16, steps=60, eval_samples=32)
