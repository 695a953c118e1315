"""Time MetaGen's commands beside what they cannot be faster than.

    python benchmarks/bench_cli.py [--runs 5] [--write]

Each command runs in a process of its own, once to warm the disk and then `--runs` times; medians
are reported. The yardsticks are `import copier` and a plain `copier copy` of the synthesized tree,
flat: the same files with nothing left to render. `--write` puts the table into
docs/performance.md.
"""

from __future__ import annotations

import argparse
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "performance.md"
EXAMPLE = "text_llm_8b"
METAGEN = [sys.executable, "-m", "metagen"]

PLAN = """
import sys, time
from metagen import load_spec, plan
spec = load_spec(sys.argv[1])
start = time.perf_counter()
plan(spec)
print(time.perf_counter() - start)
"""


def seconds(command: list[str], cwd: Path) -> float:
    """Wall-clock seconds of one successful run of `command`."""
    start = time.perf_counter()
    subprocess.run(command, cwd=cwd, check=True, capture_output=True)
    return time.perf_counter() - start


def median(command: list[str], cwd: Path, runs: int, clean: Path | None = None) -> float:
    """The median over `runs` runs after one that does not count; `clean` is removed before each."""
    times = []
    for _ in range(runs + 1):
        if clean:
            shutil.rmtree(clean, ignore_errors=True)
        times.append(seconds(command, cwd))
    return statistics.median(times[1:])


def engine(cwd: Path, runs: int) -> float:
    """The median seconds of `plan()` alone, each in a fresh process."""
    command = [sys.executable, "-c", PLAN, EXAMPLE]
    found = [
        float(subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout)
        for _ in range(runs + 1)
    ]
    return statistics.median(found[1:])


def flat_template(repository: Path, destination: Path) -> Path:
    """A Copier template without questions or Jinja whose copy is `repository`."""
    shutil.copytree(repository, destination)
    for answers in destination.glob(".copier*"):
        answers.unlink() if answers.is_file() else shutil.rmtree(answers)
    (destination / "copier.yml").write_text("_exclude: [copier.yml]\n")
    return destination


def measure(runs: int) -> list[tuple[str, float, str]]:
    """Rows of (what, median seconds, budget) in the order of the table."""
    with tempfile.TemporaryDirectory() as folder:
        cwd = Path(folder)
        spec = [*METAGEN, "synth", EXAMPLE, "--out", "out", "--run-id", "run"]
        rows = [
            ("`import copier`", median([sys.executable, "-c", "import copier"], cwd, runs), ""),
            ("`metagen --help`", median([*METAGEN, "--help"], cwd, runs), "0.5"),
            ("`metagen validate`", median([*METAGEN, "validate", EXAMPLE], cwd, runs), "0.6"),
            ("`plan()`, the engine", engine(cwd, runs), "0.1"),
            ("`metagen synth`, figures included", median(spec, cwd, runs, cwd / "out"), "1.5"),
        ]
        flat = flat_template(cwd / "out" / "run", cwd / "flat")
        copy = [sys.executable, "-m", "copier", "copy", "--quiet", str(flat), "copy"]
        plain = median(copy, cwd, runs, cwd / "copy")
        rows.insert(1, ("`copier copy` of the same tree, flat", plain, ""))
        return rows


def table(rows: list[tuple[str, float, str]]) -> str:
    """The Markdown table, each row with its ratio to the plain copy."""
    plain = rows[1][1]
    lines = ["| command | median, s | budget, s | × plain copy |", "|---|---:|---:|---:|"]
    for what, value, budget in rows:
        lines.append(f"| {what} | {value:.2f} | {budget or '–'} | {value / plain:.2f} |")
    return "\n".join(lines)


def page(rows: list[tuple[str, float, str]], runs: int) -> str:
    """docs/performance.md."""
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    return f"""# Performance

Measured by `make bench` on the machine that last ran it ({machine}); medians of {runs} runs,
each in a process of its own, with `{EXAMPLE}`.

{table(rows)}

The two yardsticks are what any tool on top of Copier pays: importing it, and copying the same files
with nothing to render. What keeps the rest small: imports wait until they are used, the engine is
pure Python over a tree of distinct shapes, figures are drawn in a process of their own while Copier
renders, templates hold few tags, and compiled templates are cached.

How fast the generated models are is theirs to measure: `make bench` in a generated repository. On a
GPU, `python benchmarks/gpu.py` does so for several budgets and records predicted beside measured;
it has not been run on one yet, so there are no such figures here.
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--write", action="store_true", help="rewrite docs/performance.md")
    options = parser.parse_args()
    rows = measure(options.runs)
    print(table(rows))
    if options.write:
        PAGE.write_text(page(rows, options.runs), encoding="utf-8")


if __name__ == "__main__":
    main()
