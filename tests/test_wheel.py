"""The wheel: it carries the template, and works without the checkout."""

from __future__ import annotations

import os
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built and unpacked."""
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", folder, ROOT],
        check=True, capture_output=True,
    )  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def listing(folder: Path) -> set[Path]:
    return {
        path.relative_to(folder)
        for path in folder.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_the_bundle_is_the_checkout(installed: Path) -> None:
    bundle = installed / "metagen" / "_bundle"
    for name in ("template", "src/metagen"):
        assert listing(bundle / name) == listing(ROOT / name)
    assert (bundle / "copier.yml").read_bytes() == (ROOT / "copier.yml").read_bytes()
    assert listing(installed / "metagen" / "examples") == listing(ROOT / "examples")


def test_an_installed_metagen_synthesizes_the_same_tree(installed: Path, tmp_path: Path) -> None:
    trees = []
    for name, source in (("wheel", installed), ("checkout", ROOT / "src")):
        environment = os.environ | {"PYTHONPATH": str(source)}
        (tmp_path / name).mkdir()
        done = subprocess.run(
            [sys.executable, "-m", "metagen", "synth", "edge_tiny_agent", "--run-id", "run"],
            cwd=tmp_path / name, env=environment, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        run = tmp_path / name / "outputs" / "run"
        trees.append({path: (run / path).read_bytes() for path in listing(run)})
    assert trees[0].keys() == trees[1].keys()
    assert [path for path in trees[0] if trees[0][path] != trees[1][path]] == []
