"""Templates in real Git repositories, rendered and updated by real Copier."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import copier
import pytest
import yaml
from copier._main import Worker

from metagen import __version__

ROOT = Path(__file__).resolve().parents[2]
TAG = f"v{__version__}"

MINIMAL = {
    "metagen_version": "1.0",
    "name": "small talk",
    "modality": {"inputs": ["text"], "outputs": ["text"]},
    "constraints": {"parameter_budget": {"max": "5M"}, "context_window": "2k"},
}
"""A small model."""

LIGHT = MINIMAL | {"outputs": {"artifacts": ["pytorch_skeleton", "training_recipe", "model_card"]}}
"""The same with fewer files, for tests that render many times."""


@pytest.fixture(scope="session")
def root() -> Path:
    """The checkout."""
    return ROOT


@pytest.fixture(scope="session", autouse=True)
def fewer_processes() -> Iterator[None]:
    """Copier asks Git for `core.fileMode` after every file it writes; nothing here unsets it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Worker, "_sync_git_index_executable_bit", lambda *_: None)
        yield


def git(folder: Path, *arguments: str) -> str:
    """Run Git as somebody, wherever the tests run."""
    identity = {"NAME": "Somebody", "EMAIL": "somebody@example.org"}
    named = {f"GIT_{who}_{k}": v for who in ("AUTHOR", "COMMITTER") for k, v in identity.items()}
    return subprocess.run(
        ["git", "-c", "core.autocrlf=false", *arguments],
        cwd=folder, env=os.environ | named, check=True, capture_output=True, text=True,
    ).stdout  # fmt: skip


def commit(folder: Path, message: str = "Edit") -> None:
    """Commit everything in `folder`."""
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", message)


@dataclass(frozen=True)
class Template:
    """A checkout of the template in a Git repository of its own."""

    path: Path

    def release(self, tag: str) -> None:
        """Commit what is there and tag it."""
        commit(self.path, tag)
        git(self.path, "tag", tag)

    def edit(self, path: str, old: str, new: str) -> None:
        """Replace `old`, which must be there."""
        file = self.path / path
        text = file.read_text(encoding="utf-8")
        assert old in text, f"{old!r} is not in {path}"
        file.write_text(text.replace(old, new, 1), encoding="utf-8")

    def copy(
        self, destination: Path, data: Mapping[str, Any] | None = None, ref: str = TAG
    ) -> Path:
        """Render it as `copier copy --trust --defaults` does."""
        copier.run_copy(
            str(self.path), destination, data=dict(data or {}), vcs_ref=ref,
            defaults=True, unsafe=True, quiet=True,
        )  # fmt: skip
        return destination

    def project(
        self, destination: Path, data: Mapping[str, Any] = LIGHT, ref: str = TAG
    ) -> Project:
        """Render it and commit the result."""
        return start(self.copy(destination, data, ref), self.path)


@dataclass(frozen=True)
class Project:
    """A generated repository under Git."""

    path: Path
    source: Path

    def read(self, path: str) -> str:
        return (self.path / path).read_text(encoding="utf-8")

    def write(self, path: str, text: str) -> None:
        (self.path / path).write_text(text, encoding="utf-8")

    def edit(self, path: str, old: str, new: str) -> None:
        assert old in self.read(path), f"{old!r} is not in {path}"
        self.write(path, self.read(path).replace(old, new, 1))

    def state(self, **changes: Any) -> None:
        """Rewrite top-level fields of `spec.yaml` and commit."""
        spec = yaml.safe_load(self.read("spec.yaml")) | changes
        self.write("spec.yaml", yaml.safe_dump(spec, allow_unicode=True, sort_keys=False))
        commit(self.path, "Change the specification")

    def update(self, **options: Any) -> list[str]:
        """Update as `copier update --defaults` does; return what `git status` then lists."""
        options = {"vcs_ref": copier.VcsRef.CURRENT} | options
        copier.run_update(
            self.path, defaults=True, overwrite=True, unsafe=True, quiet=True, **options
        )
        return self.status()

    def status(self) -> list[str]:
        return git(self.path, "status", "--porcelain", "--untracked-files=all").splitlines()

    def settle(self) -> None:
        """Commit what an update left, and check that a second one has nothing to add."""
        commit(self.path, "Update")
        assert self.update() == []


SKETCH = """
import hashlib, pathlib
root = pathlib.Path(__file__).resolve().parents[1]
ledger = hashlib.sha256((root / "blueprint" / "ledger.json").read_bytes()).hexdigest()
for folder, suffix in (("docs", "svg"), ("paper", "pdf")):
    if (root / folder).is_dir():
        (root / folder / "figures").mkdir(exist_ok=True)
        (root / folder / "figures" / f"pipeline.{suffix}").write_text(ledger)
"""
"""A draw.py that takes milliseconds, for tests that are not about figures."""


@pytest.fixture(scope="session")
def full_template(tmp_path_factory: pytest.TempPathFactory) -> Template:
    """The template as it stands, tagged with its version; do not change it."""
    made = Template(tmp_path_factory.mktemp("template") / "metagen")
    ignored = shutil.ignore_patterns("__pycache__", "_bundle")
    for name in ("template", "src"):
        shutil.copytree(ROOT / name, made.path / name, ignore=ignored)
    shutil.copy(ROOT / "copier.yml", made.path)
    git(made.path, "init", "--quiet")
    made.release(TAG)
    return made


@pytest.fixture(scope="session")
def template(full_template: Template, tmp_path_factory: pytest.TempPathFactory) -> Template:
    """The same with figures that are sketched; do not change it."""
    made = Template(tmp_path_factory.mktemp("sketching") / "metagen")
    shutil.copytree(full_template.path, made.path, ignore=shutil.ignore_patterns(".git"))
    (made.path / "template" / "blueprint" / "draw.py").write_text(SKETCH)
    git(made.path, "init", "--quiet")
    made.release(TAG)
    return made


@pytest.fixture
def own_template(template: Template, tmp_path: Path) -> Template:
    """A template of the test's own, to be changed and tagged again."""
    return Template(Path(shutil.copytree(template.path, tmp_path / "own", symlinks=True)))


def start(folder: Path, source: Path) -> Project:
    """Put a generated repository under Git."""
    git(folder, "init", "--quiet")
    commit(folder, "First synthesis")
    return Project(folder, source)


@pytest.fixture
def adopt(template: Template) -> Callable[[Path], Project]:
    """`adopt(folder) -> Project`: put a generated repository under Git."""
    return lambda folder: start(folder, template.path)


@pytest.fixture
def save() -> Callable[[Project], None]:
    """`save(project)`: commit everything."""
    return lambda project: commit(project.path)


@pytest.fixture
def copied(tmp_path: Path) -> Callable[[Path], Path]:
    """`copied(folder) -> Path`: a copy of one's own."""
    return lambda folder: Path(shutil.copytree(folder, tmp_path / "copied"))


@pytest.fixture
def project(template: Template, tmp_path: Path) -> Project:
    """A committed repository of a small specification."""
    return template.project(tmp_path / "project")


@pytest.fixture(scope="session")
def minimal(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tree of the minimal specification, rendered from a data file; do not change it."""
    return template.copy(tmp_path_factory.mktemp("minimal") / "repository", MINIMAL)


def contents(folder: Path, without: tuple[str, ...] = ()) -> dict[str, bytes]:
    """Every file of a tree by its path."""
    files = (path for path in folder.rglob("*") if path.is_file() and ".git/" not in f"{path}/")
    found = {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}
    return {name: text for name, text in sorted(found.items()) if name not in without}


@pytest.fixture(scope="session")
def tree() -> Callable[..., dict[str, bytes]]:
    """`tree(folder, without=()) -> {path: bytes}`."""
    return contents
