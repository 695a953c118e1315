"""Fixtures that several suites share: the command in a process of its own, baked repositories."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile

import pytest


@dataclass(frozen=True)
class Finished:
    """A finished process: exit status, streams, seconds (wall and CPU), peak resident bytes."""

    status: int
    out: str
    err: str
    seconds: float
    cpu: float
    peak: int


def run_metagen(
    *arguments: str | Path,
    cwd: Path | None = None,
    stdin: bytes = b"",
    env: dict[str, str] | None = None,
) -> Finished:
    """Run `metagen` with `arguments`; `env` is laid over an environment without colour settings."""
    environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    with TemporaryFile() as source, TemporaryFile() as out, TemporaryFile() as err:
        source.write(stdin)
        source.seek(0)
        start = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, "-m", "metagen", *map(str, arguments)],
            cwd=cwd, env=environment | (env or {}), stdin=source, stdout=out, stderr=err,
        )  # fmt: skip
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        streams = []
        for stream in (out, err):
            stream.seek(0)
            streams.append(stream.read().decode())
    return Finished(
        process.returncode,
        *streams,
        seconds,
        usage.ru_utime + usage.ru_stime,
        usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024),
    )


@pytest.fixture(scope="session")
def metagen() -> Callable[..., Finished]:
    """`metagen(*arguments, cwd=, stdin=, env=) -> Finished`, in a process of its own."""
    return run_metagen


@pytest.fixture(scope="session")
def baked(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """`baked(example, **answers) -> Path`: a repository made once per session; do not change it."""
    made: dict[tuple[str, tuple[tuple[str, str], ...]], Path] = {}

    def bake(example: str = "text_llm_8b", **answers: str) -> Path:
        key = (example, tuple(sorted(answers.items())))
        if key not in made:
            options = [item for name, value in key[1] for item in (f"--{name}", value)]
            out = tmp_path_factory.mktemp("baked")
            done = run_metagen("synth", example, "--out", out, "--run-id", "repo", *options)
            assert done.status == 0, done.err
            made[key] = out / "repo"
        return made[key]

    return bake


@pytest.fixture
def bake(baked: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """Like `baked`, but a copy of one's own."""

    def copy(example: str = "text_llm_8b", **answers: str) -> Path:
        return Path(shutil.copytree(baked(example, **answers), tmp_path / "repo", symlinks=True))

    return copy


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "latex: needs latexmk, pdflatex and poppler")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    absent = [tool for tool in ("latexmk", "pdflatex", "pdffonts") if not shutil.which(tool)]
    if absent:
        mark = pytest.mark.skip(reason=f"LaTeX is not installed ({', '.join(absent)} missing)")
        for item in items:
            if item.get_closest_marker("latex"):
                item.add_marker(mark)
