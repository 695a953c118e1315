"""Two versions of the template, and fresh copies of what they make."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from copier import VcsRef

from metagen.copier_run import QuickWorker

from ..template.conftest import TAG, Template, contents, full_template, template  # noqa: F401
from .scenarios import BASES, Tree, changed

NEXT = "v90.0.0"


def copy(source: Path, destination: Path, data: dict[str, Any], ref: str) -> Path:
    """`copier copy --trust --defaults`."""
    options = {"defaults": True, "unsafe": True, "quiet": True}
    with QuickWorker(str(source), destination, data=data, vcs_ref=ref, **options) as worker:
        worker.run_copy()
    return destination


def update(project: Path, data: dict[str, Any] | None = None, upgrade: bool = False) -> None:
    """`copier update --trust --defaults`."""
    ref = None if upgrade else VcsRef.CURRENT
    options = {"defaults": True, "overwrite": True, "unsafe": True, "quiet": True}
    with QuickWorker(dst_path=project, data=data or {}, vcs_ref=ref, **options) as worker:
        worker.run_update()


@pytest.fixture
def count(record_property: Callable[[str, int], None]) -> Callable[..., None]:
    """`count(faults_injected=1)`: numbers that are added up and printed when the run ends."""

    def add(**numbers: int) -> None:
        for name, number in numbers.items():
            record_property(name, number)

    return add


@pytest.fixture(scope="session")
def versions(template: Template, tmp_path_factory: pytest.TempPathFactory) -> Template:  # noqa: F811
    """The template as it stands, and under the tag `NEXT` what a later one might be.

    The engine, the parts, the documents and the questions differ; a file is new, one is gone, one
    is called something else, and one question more is asked.
    """
    import shutil

    path = tmp_path_factory.mktemp("versions") / "metagen"
    made = Template(Path(shutil.copytree(template.path, path, symlinks=True)))
    made.edit("src/metagen/__init__.py", '__version__ = "', '__version__ = "9')
    made.edit("src/metagen/synth/words.py", '"title": ', '"generation": "two", "title": ')
    made.edit("src/metagen/answers.py", '"author": (),', '"author": (),\n    "contact": (),')
    made.edit("template/_programs/common/train.py", "On a laptop", "On any laptop")
    made.edit("template/README.md.jinja", "\n", "\n\nGeneration {{ mg.words.generation }}.\n")
    made.edit("template/Makefile.jinja", ".DEFAULT_GOAL", "# Next.\n.DEFAULT_GOAL")
    made.edit("copier.yml", "help: What is the model called?", "help: Its name?")
    made.edit(
        "copier.yml",
        "voice:\n",
        "contact:\n  type: str\n  default: nobody@example.org\n"
        "  validator: \"{{ mg_problem('contact') }}\"\n\nvoice:\n",
    )
    folder = made.path / "template"
    (folder / "Dockerfile.jinja").unlink()
    (folder / "CITATION.cff.jinja").rename(folder / "citation.yaml.jinja")
    (folder / "CHANGELOG.md.jinja").write_text("# Changes\n\nAsk {{ contact | md }}.\n")
    made.release(NEXT)
    return made


@pytest.fixture(scope="session")
def fresh(versions: Template, tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`fresh(base, change, ref) -> Path`: a fresh copy, made once; do not change it."""
    made: dict[tuple[str, str, str], Path] = {}

    def make(base: str, change: str = "nothing", ref: str = TAG) -> Path:
        key = (base, change, ref)
        if key not in made:
            data = changed(BASES[base], change)
            package = {"package_name": base, "author": "Somebody"}
            folder = tmp_path_factory.mktemp("fresh") / "repository"
            made[key] = copy(versions.path, folder, data | package, ref)
        return made[key]

    return make


@pytest.fixture(scope="session")
def tree() -> Iterator[Callable[[Path], Tree]]:
    """`tree(folder) -> {path: bytes}`."""
    yield contents
