"""One specification, one tree: whatever the interpreter, its hash seed, the locale or the folder.

`golden.json` holds a digest for every example; `golden.py` says what it covers and how to rewrite
it on purpose. The default run compares a few examples in one environment that differs from the
tests' own in everything at once; the whole matrix compares all of them, one change at a time, and
under every Python of `METAGEN_PYTHONS` (paths, as in PATH) or of the PATH that has the libraries.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from metagen.specs.loader import examples

from .golden import TABLE, digest, digest_of

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = Path(__file__).with_name("golden.py")
FEW = ("edge_tiny_agent", "image_diffusion_dit", "recommender_two_tower")
GOLDEN = json.loads(TABLE.read_text(encoding="utf-8"))

ENVIRONMENTS = {
    "hash seed 0": {"PYTHONHASHSEED": "0"},
    "hash seed 4242": {"PYTHONHASHSEED": "4242"},
    "C locale": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "Turkish": {"LC_ALL": "tr_TR.UTF-8", "LANG": "tr_TR.UTF-8", "LANGUAGE": "tr"},
    "Kiritimati": {"TZ": "Pacific/Kiritimati"},
    "optimised": {"PYTHONOPTIMIZE": "2"},
    "CRLF": {
        "GIT_CONFIG_COUNT": "2",
        "GIT_CONFIG_KEY_0": "core.autocrlf",
        "GIT_CONFIG_VALUE_0": "true",
        "GIT_CONFIG_KEY_1": "core.eol",
        "GIT_CONFIG_VALUE_1": "crlf",
    },
}
PYTHONS = ("3.11", "3.12", "3.13")


def digests(
    names: tuple[str, ...],
    folder: Path,
    python: str = sys.executable,
    umask: int = -1,
    **changes: str,
) -> dict[str, str]:
    """What `golden.py` prints in an environment of its own, started in and writing to `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    changes = {"PYTHONPATH": str(ROOT / "src"), "TMPDIR": str(folder), **changes}
    done = subprocess.run(
        [python, PROGRAM, *names], cwd=folder, env=os.environ | changes, umask=umask,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return dict(line.split() for line in done.stdout.splitlines())


@pytest.fixture
def expected(count) -> Callable[[tuple[str, ...]], dict[str, str]]:
    """The digests of the table."""

    def of(names: tuple[str, ...]) -> dict[str, str]:
        count(trees_compared=len(names))
        return {name: GOLDEN[name] for name in names}

    return of


@cache
def python_of(version: str) -> str:
    """An interpreter of this version that has what MetaGen imports; empty where there is none."""
    given = os.environ.get("METAGEN_PYTHONS", "").split(os.pathsep)
    needs = "import sys, copier, copier_template_extensions, pydantic, yaml;"
    said = "print('.'.join(map(str, sys.version_info[:2])))"
    for candidate in filter(None, (*given, sys.executable, shutil.which(f"python{version}"))):
        done = subprocess.run([candidate, "-c", needs + said], capture_output=True, text=True)
        if done.stdout.strip() == version:
            return candidate
    return ""


def test_the_table_has_every_example():
    assert sorted(GOLDEN) == sorted(examples())


def test_everything_changed_at_once(tmp_path, expected):
    folder = tmp_path / "a folder, ünïcödé and 日本"
    changes = ENVIRONMENTS["hash seed 4242"] | ENVIRONMENTS["C locale"] | ENVIRONMENTS["CRLF"]
    changes |= ENVIRONMENTS["Kiritimati"]
    assert digests(FEW, folder, umask=0o077, **changes) == expected(FEW)


@pytest.mark.full
@pytest.mark.parametrize("name", sorted(examples()))
def test_every_example(name, tmp_path, expected):
    assert {name: digest_of(name, tmp_path)} == expected((name,))


@pytest.mark.full
@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_environments(name, tmp_path, expected):
    names = tuple(sorted(examples()))
    assert digests(names, tmp_path, **ENVIRONMENTS[name]) == expected(names)


@pytest.mark.full
@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_file_modes(umask, tmp_path, expected):
    assert digests(FEW, tmp_path, umask=umask) == expected(FEW)


@pytest.mark.full
@pytest.mark.parametrize("folder", ["a b", "ünïcödé", "日本 🙂", "x" * 120, "{{ x }} $(id) 'q'"])
def test_folders(folder, tmp_path, expected):
    assert digests(FEW, tmp_path / folder) == expected(FEW)


@pytest.mark.parametrize("version", PYTHONS)
def test_interpreters(version, tmp_path, expected):
    """One example by default; METAGEN_PYTHONS names interpreters that are not on the PATH."""
    python = python_of(version)
    if not python:
        pytest.skip(f"no Python {version} with MetaGen's libraries")
    assert digests(FEW[:1], tmp_path, python) == expected(FEW[:1])


@pytest.mark.full
@pytest.mark.parametrize("version", PYTHONS)
def test_interpreters_on_every_example(version, tmp_path, expected):
    python = python_of(version)
    if not python:
        pytest.skip(f"no Python {version} with MetaGen's libraries")
    names = tuple(sorted(examples()))
    assert digests(names, tmp_path, python) == expected(names)


@pytest.fixture(scope="session")
def template(tmp_path_factory) -> Path:
    """The template as Git has it, tagged."""
    folder = tmp_path_factory.mktemp("template") / "metagen"
    ignored = shutil.ignore_patterns("__pycache__", "_bundle")
    for name in ("template", "src", "examples"):
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in ("copier.yml", ".gitattributes"):
        shutil.copy(ROOT / name, folder)
    git = ["git", "-c", "user.name=x", "-c", "user.email=x@example.org"]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"], ["tag", "v0.1.0"]):
        subprocess.run([*git, *command], cwd=folder, check=True)
    return folder


@pytest.mark.parametrize("ends", ["lf", "crlf"])
def test_copier_whatever_git_does_to_line_ends(template, tmp_path, ends):
    """Copier clones the template with Git, which may be told to write CRLF, as on Windows."""
    crlf = ENVIRONMENTS["CRLF"] if ends == "crlf" else {}
    spec = examples()[FEW[0]]
    done = subprocess.run(
        [sys.executable, "-m", "copier", "copy", "--trust", "--defaults", "--quiet",
         "--skip-tasks", "--data-file", spec, template, tmp_path / "made"],
        env=os.environ | crlf, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    made = tmp_path / "made"
    shutil.copy(spec, made / "spec.yaml")  # which the task that was skipped would not touch
    for path in made.rglob("*"):
        assert path.is_dir() or b"\r" not in path.read_bytes(), path
    assert digest(made) == GOLDEN[FEW[0]]
