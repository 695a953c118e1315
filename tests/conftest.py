"""Fixtures that several suites share: the command in a process of its own, baked repositories."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

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


#: Runs a command and writes what it used to a file. A process starts with the peak memory of the
#: one that began it, so the measured one is begun by a small one.
_MEASURE = """
import json, resource, subprocess, sys, time
start = time.perf_counter()
status = subprocess.call(sys.argv[2:])
usage = resource.getrusage(resource.RUSAGE_CHILDREN)
peak = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
with open(sys.argv[1], "w") as file:
    json.dump([time.perf_counter() - start, usage.ru_utime + usage.ru_stime, peak], file)
sys.exit(status if status >= 0 else 128 - status)
"""


def run_measured(
    command: Sequence[str | Path],
    cwd: Path | None = None,
    stdin: bytes = b"",
    env: dict[str, str] | None = None,
) -> Finished:
    """Run `command` to its end; `env` is laid over an environment without colour settings."""
    environment = {k: v for k, v in os.environ.items() if k not in ("NO_COLOR", "FORCE_COLOR")}
    with TemporaryDirectory() as folder:
        usage = Path(folder) / "usage.json"
        done = subprocess.run(
            [sys.executable, "-S", "-c", _MEASURE, str(usage), *map(str, command)],
            cwd=cwd, env=environment | (env or {}), input=stdin, capture_output=True,
        )  # fmt: skip
        seconds, cpu, peak = json.loads(usage.read_text())
    encoding = (env or {}).get("PYTHONIOENCODING", "utf-8")
    out, err = (stream.decode(encoding) for stream in (done.stdout, done.stderr))
    return Finished(done.returncode, out, err, seconds, cpu, peak)


def run_metagen(*arguments: str | Path, **options: Any) -> Finished:
    """Run `metagen` with `arguments` in a process of its own; see `run_measured`."""
    return run_measured([sys.executable, "-m", "metagen", *arguments], **options)


@pytest.fixture(scope="session")
def measured() -> Callable[..., Finished]:
    """`measured(command, cwd=, stdin=, env=) -> Finished`."""
    return run_measured


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
    """Make processes that tests start independent of how the tests themselves were started."""
    for name in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS"):
        os.environ.pop(name, None)
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:  # a shell's background job ignores it
        signal.signal(signal.SIGINT, signal.default_int_handler)
    config.addinivalue_line("markers", "latex: needs latexmk, pdflatex and poppler")


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    """Add up what the scenarios of tests/survival counted, of every worker; keep it if asked to."""
    totals: Counter[str] = Counter()
    for outcome, reports in terminalreporter.stats.items():
        for report in reports:
            if isinstance(report, pytest.TestReport) and "survival/" in report.nodeid:
                totals["losses"] += outcome in ("failed", "error")
                for name, count in report.user_properties if report.when == "call" else ():
                    totals[name] += count
    if totals:
        totals["losses"] = totals.pop("losses")  # last
        counted = ", ".join(f"{name.replace('_', ' ')}: {n}" for name, n in totals.items())
        terminalreporter.write_line(f"survival: {counted}")
        if record := os.environ.get("SURVIVAL_RECORD"):
            Path(record).write_text(json.dumps(totals, indent=1) + "\n", encoding="utf-8")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    absent = [tool for tool in ("latexmk", "pdflatex", "pdffonts") if not shutil.which(tool)]
    if absent:
        mark = pytest.mark.skip(reason=f"LaTeX is not installed ({', '.join(absent)} missing)")
        for item in items:
            if item.get_closest_marker("latex"):
                item.add_marker(mark)
