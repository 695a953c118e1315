"""A release on one screen: the table after a synthesis, next commands."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .terminal import console, visible

if TYPE_CHECKING:
    from typing import TextIO

    from rich.table import Table

    from .synth.release import Release

DAGGER = "†"


def feasibility(release: Release) -> Sequence[Mapping[str, Any]]:
    """The rows of `feasibility.json`: constraint, asked, achieved, satisfied, method."""
    return release.blueprint["feasibility"]["constraints"]


def verdict(release: Release) -> str:
    """`6 of 6 constraints`, or what was missed: `5 of 6 constraints; not latency`."""
    rows = feasibility(release)
    missed = [row["constraint"] for row in rows if not row["satisfied"]]
    text = f"{len(rows) - len(missed)} of {len(rows)} constraints"
    return f"{text}; not {', '.join(missed)}" if missed else text


def of_budget(release: Release, used: str, budget: str) -> str:
    """A figure beside the budget that bounds it: `17.2 GB of 80.0 GB`."""
    texts = [release.figures[key].text for key in (used, budget) if key in release.figures]
    return " of ".join(texts)


def scores(release: Release) -> dict[str, str]:
    """The aggregate of each requested benchmark, formatted; empty in the plain voice."""
    suites = release.blueprint.get("benchmarks", {}).get("benchmarks", ())
    return {
        suite["name"]: release.figures[f"score_{number}_0_0"].text
        for number, suite in enumerate(suites, start=1)
    }


def show_summary(releases: Sequence[Release], stream: TextIO) -> None:
    """One column a model: name, seed, parameters, memory, feasibility, benchmark scores."""
    table = new_table()
    table.add_column()
    for release in releases:
        table.add_column(cell(release.words["name"]), overflow="fold")
    rows = {
        "seed": [str(release.seed) for release in releases],
        "parameters": [of_budget(release, "total_params", "budget_params") for release in releases],
        "memory": [
            of_budget(release, "peak_memory_gb", "memory_budget_gb") for release in releases
        ],
        "feasibility": [verdict(release) for release in releases],
    }
    simulated = [scores(release) for release in releases]
    for name in dict.fromkeys(name for found in simulated for name in found):
        rows[f"{name} {DAGGER}"] = [found.get(name, "–") for found in simulated]
    for label, cells in rows.items():
        table.add_row(cell(label), *map(cell, cells))
    out = console(stream)
    out.print(table)
    if any(simulated):
        seeds = " and ".join(dict.fromkeys(str(release.seed) for release in releases))
        out.print(f" {DAGGER} simulated under seed {seeds}", style="dim")
    out.print()


def next_commands(destination: Path, artifacts: Sequence[str]) -> str:
    """What to type after a synthesis, at most six lines."""
    lines = [f"cd {shlex.quote(str(destination))}"]
    if "pytorch_skeleton" in artifacts:
        lines += ["make setup test", "make train"]
    if "paper" in artifacts:
        lines.append("make -C paper pdf")
    lines.append("git init && git add -A && git commit -m 'First synthesis'")
    return "\n".join(f"  {line}" for line in lines)


def answer(satisfied: bool) -> Any:
    """`yes` in green, or `no` in red."""
    from rich.text import Text

    return Text("yes", style="green") if satisfied else Text("no", style="red")


def cell(value: str) -> Any:
    """Text as it is, without markup, its control characters visible."""
    from rich.text import Text

    return Text(visible(value))


def new_table() -> Table:
    """A table without edges."""
    from rich import box
    from rich.table import Table

    return Table(box=box.SIMPLE_HEAD, show_edge=False, header_style="bold")
