"""Every bundled specification becomes a repository whose own commands pass."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from metagen import synthesize
from metagen.specs.loader import examples

pytest.importorskip("torch")

NAMES = list(examples())


@pytest.fixture(scope="module", params=NAMES)
def repository(request, tmp_path_factory):
    """One bundled specification's repository."""
    return synthesize(request.param, tmp_path_factory.mktemp("made") / request.param).path


def make(repository: Path, *targets: str) -> str:
    """Run targets of the repository's Makefile with the environment that is already there."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    done = subprocess.run(
        ["make", "--silent", *targets, f"PYTHON={sys.executable}"],
        cwd=repository, env=environment | {"OMP_NUM_THREADS": "1"}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, f"make {' '.join(targets)}\n{done.stdout[-3000:]}{done.stderr}"
    return done.stdout


def test_its_own_checks_pass(repository):
    make(repository, "lint")
    assert "everything agrees" in make(repository, "verify")
    assert " passed" in make(repository, "test", "ARGS=-q")


def test_its_files_are_readable(repository):
    files = list(repository.glob("code/*/*.py"))
    assert "model.py" in {path.name for path in files}
    for path in files:
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
        assert len(lines) <= 375, path.name


@pytest.mark.full
def test_it_trains_evaluates_and_infers(repository):
    make(repository, "train")
    make(repository, "eval")
    make(repository, "infer")
    made = {path.name for path in (repository / "results").rglob("*") if path.is_file()}
    assert "eval.json" in made and len(made) > 1
    table = json.loads((repository / "results" / "eval.json").read_text(encoding="utf-8"))
    assert table["provenance"] == "measured" and len(table["rows"]) > 1
    make(repository, "report", "verify")
