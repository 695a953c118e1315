"""Copier as a library: quiet, trusted, and with its errors as ours."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from copier import VcsRef
from copier._main import Worker
from copier._subproject import Subproject
from copier._template import Template
from copier.errors import CopierError
from plumbum import ProcessExecutionError, local

if TYPE_CHECKING:
    from .synth.release import Release


Tree = dict[str, bytes]


class Refused(RuntimeError):
    """Copier, or the Git that it calls, will not go on; the message says why."""


class QuickWorker(Worker):
    """A worker that does less for the same result.

    Git is asked once what Copier asks after every file, at 6 ms each: Copier keeps the executable
    bits of tracked files where Git does not watch them, which is where `core.fileMode` is false.
    Jinja compiles only what has something to compile, which few parts of paths have.
    """

    def _render_string(self, string: str, extra_context: Any = None) -> str:
        plain = "{" not in string and "\n" not in string
        return string if plain else super()._render_string(string, extra_context)

    def _sync_git_index_executable_bit(self, *file: Any) -> None:
        if self._git_ignores_modes:
            super()._sync_git_index_executable_bit(*file)

    @cached_property
    def _git_ignores_modes(self) -> bool:
        asked = ["git", "config", "--type=bool", "--get", "core.fileMode"]
        done = subprocess.run(asked, cwd=self.subproject.local_abspath, capture_output=True)
        return done.stdout.strip() == b"false"


def run_copy(
    root: Path,
    destination: Path,
    data: Mapping[str, Any],
    release: Release,
    exclude: Sequence[str] = (),
) -> None:
    """Render the template at `root` with the answers `data` and a release already planned.

    Raises:
        Refused: Copier refuses.
    """
    with _plain_template(root) as template:
        worker = QuickWorker(
            src_path=str(template),
            dst_path=destination,
            data={**data, "_metagen": (sys.modules[__package__], release)},
            exclude=exclude,
            defaults=True,
            overwrite=True,
            quiet=True,
            unsafe=True,
            skip_tasks=True,
        )
        with _our_errors(), worker:
            worker.run_copy()


def run_update(
    project: Path, *, upgrade: bool = False, source: str | None = None
) -> tuple[Tree, Tree]:
    """Update `project` in place, from the template at `source` where that is given.

    Returns every file by its path as the recorded template had made it of the recorded answers,
    and as the present one makes it of the present answers.

    Raises:
        Refused: Copier or Git cannot do it.
    """
    recorded = Subproject(local_abspath=project).last_answers.get("_src_path")
    renders: list[Tree] = []

    class Watched(_worker_reading(source)):
        def run_copy(self) -> None:
            super().run_copy()
            folder = self.subproject.local_abspath
            if folder != project:  # the past and the present, each rendered aside
                renders.append(_files(folder))

    worker = Watched(
        dst_path=project,
        data={"_src_path": recorded} if recorded else {},
        vcs_ref=None if upgrade else VcsRef.CURRENT,
        defaults=True,
        overwrite=True,
        quiet=True,
        unsafe=True,
    )
    with _our_errors(), _git_in_utf8(), worker:
        worker.run_update()
    old, new = renders
    return old, new


def _files(folder: Path) -> Tree:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def _worker_reading(source: str | None) -> type[Worker]:
    """A worker that takes the template from `source`, though the project records another place."""
    if source is None:
        return QuickWorker
    url = os.path.abspath(source) if os.path.exists(source) else source

    class Relocated(QuickWorker):
        @cached_property
        def subproject(self) -> Subproject:
            found = Subproject(local_abspath=self.dst_path.absolute())
            self._cleanup_hooks.append(found._cleanup)
            if found.template is not None:
                found.template = Template(url=url, ref=found.template.ref)
                found._cleanup_hooks.append(found.template._cleanup)
            return found

    return Relocated


@contextmanager
def _git_in_utf8() -> Iterator[None]:
    """Read and write patches as UTF-8: in the locale's encoding they may not apply."""
    machine = type(local)
    before, machine.custom_encoding = machine.custom_encoding, "utf-8"
    try:
        yield
    finally:
        machine.custom_encoding = before


@contextmanager
def _our_errors() -> Iterator[None]:
    try:
        yield
    except ProcessExecutionError as error:
        raise Refused(error.stderr.strip() or str(error)) from error
    except (CopierError, ValueError) as error:
        if isinstance(error, KeyboardInterrupt):
            raise
        raise Refused(str(error)) from error


@contextmanager
def _plain_template(root: Path) -> Iterator[Path]:
    """What Copier needs of `root`, in a folder that is no Git repository: it would clone one."""
    with tempfile.TemporaryDirectory(prefix="metagen-template-") as folder:
        template = Path(folder)
        shutil.copyfile(root / "copier.yml", template / "copier.yml")
        ignored = shutil.ignore_patterns("_parts", "_programs", "__pycache__")
        shutil.copytree(root / "template", template / "template", ignore=ignored)
        hook = Path("src", "metagen", "copier_hook.py")
        (template / hook).parent.mkdir(parents=True)
        shutil.copyfile(root / hook, template / hook)
        yield template
