"""The wheel: it carries the template, and works without the checkout."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

from metagen import __version__

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


@pytest.fixture(scope="module")
def home(installed: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of a new environment with the wheel, and the libraries of this one after it."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    (wheel,) = installed.parent.glob("*.whl")
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    here = sysconfig.get_paths()["purelib"]
    options = ["--python", str(python), "install", "--quiet", "--no-deps", "--no-index", str(wheel)]
    subprocess.run([sys.executable, "-m", "pip", *options], check=True, capture_output=True)
    (site,) = folder.rglob("site-packages")
    (site / "others.pth").write_text(f"{here}\n")
    return python.parent


@pytest.fixture(scope="module")
def tagged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The template in a Git repository, under the tag that the wheel's version names."""
    folder = tmp_path_factory.mktemp("origin") / "template"
    for name in ("src", "template"):
        shutil.copytree(ROOT / name, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "copier.yml", folder)
    commit(folder, "init")
    git(folder, "tag", f"v{__version__}")
    return folder


def git(folder: Path, *arguments: str) -> str:
    identity = ["-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
    return subprocess.run(
        ["git", *identity, *arguments], cwd=folder, check=True, capture_output=True, text=True
    ).stdout


def commit(folder: Path, *first: str) -> None:
    for command in (*[[word] for word in first], ["add", "-A"], ["commit", "-qm", "x"]):
        git(folder, *command)


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


def test_a_repository_of_the_wheel_updates_from_the_tag(
    home: Path, tagged: Path, tmp_path: Path
) -> None:
    """Installed without a network, used outside any checkout, updated by both commands."""
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    environment["PATH"] = f"{home}{os.pathsep}{environment['PATH']}"

    def run(*command: object, cwd: Path = tmp_path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*map(str, command)], cwd=cwd, env=environment, capture_output=True, text=True
        )

    found = run("python", "-c", "import metagen; print(metagen.__file__)").stdout
    assert found.startswith(str(home.parent)), found
    done = run("metagen", "synth", "edge_tiny_agent", "--run-id", "run")
    assert done.returncode == 0, done.stderr
    project = tmp_path / "outputs" / "run"
    commit(project, "init")
    done = run("metagen", "update", "--template", tagged, cwd=project)
    assert (done.returncode, git(project, "status", "--porcelain")) == (0, ""), done.stderr

    answers = project / ".copier-answers.yml"
    answers.write_text(answers.read_text().replace("gh:metagen/template", str(tagged)))
    commit(project)
    options = ("--trust", "--defaults", "--quiet", "--vcs-ref", ":current:")
    done = run("python", "-m", "copier", "update", *options, cwd=project)
    assert (done.returncode, git(project, "status", "--porcelain")) == (0, ""), done.stderr
