"""What the tests share: an empty working folder, the small configuration, a model of it."""

import sys
from pathlib import Path

import pytest
import torch
from small import SMALL

from PACKAGE import Config, build_model
from PACKAGE.data import Corpus, prepare

torch.set_num_threads(1)  # the models are too small to gain from more


@pytest.fixture
def root():
    """The repository."""
    return Path(__file__).resolve().parents[1]


@pytest.fixture
def config(tmp_path, monkeypatch):
    """The small configuration, running in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    return Config.tiny(**SMALL)


@pytest.fixture
def corpus(config):
    """What the small configuration trains on, and is evaluated with."""
    prepare(config)
    return Corpus(config)


@pytest.fixture
def model(config):
    """A model of the small configuration that was never trained."""
    return build_model(config).eval()


@pytest.fixture
def run(monkeypatch):
    """`run(program, *flags)` calls a program's `main` as the command line would."""

    def main(program, *flags):
        monkeypatch.setattr(sys, "argv", [program.__name__, *flags])
        program.main()

    return main
