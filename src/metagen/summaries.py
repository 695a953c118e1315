"""A release on one screen: the table after a synthesis, the estimate, next commands."""

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

ESTIMATE = (
    ("parameters", "total_params"),
    ("layers", "n_layers"),
    ("width", "d_model"),
    ("heads", "n_heads"),
    ("key/value heads", "n_kv_heads"),
    ("feed-forward width", "d_ff"),
    ("vocabulary", "vocab_size"),
    ("context", "context_window"),
    ("experts", "n_experts"),
    ("image size", "image_size"),
    ("patch size", "patch_size"),
    ("weights", "weights_gb"),
    ("decode state", "kv_cache_gb"),
    ("peak memory, inference", "peak_memory_gb"),
    ("FLOPs per token", "flops_per_token"),
    ("FLOPs per frame", "flops_per_frame"),
    ("FLOPs per denoising step", "flops_per_step"),
    ("FLOPs per sample", "flops_per_sample"),
    ("decoding speed", "decode_tokens_per_s"),
    ("first token", "first_token_s"),
    ("throughput", "samples_per_s"),
    ("one sample", "latency_s"),
    ("training tokens", "train_tokens"),
    ("training samples", "train_samples"),
    ("training time", "train_days"),
    ("Spec-Fidelity@1", "spec_fidelity_1"),
    ("Novelty-Per-Parameter", "novelty_per_parameter"),
)


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
    table = _table()
    table.add_column()
    for release in releases:
        table.add_column(_text(release.words["name"]), overflow="fold")
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
        table.add_row(_text(label), *map(_text, cells))
    out = console(stream)
    out.print(table)
    if any(simulated):
        seeds = " and ".join(dict.fromkeys(str(release.seed) for release in releases))
        out.print(f" {DAGGER} simulated under seed {seeds}", style="dim")
    out.print()


def show_estimate(release: Release, stream: TextIO) -> None:
    """The planned numbers with their provenance, then the feasibility table."""
    out = console(stream)
    numbers = _table()
    numbers.add_column(_text(release.words["name"]))
    numbers.add_column("", justify="right")
    numbers.add_column("")
    for label, key in ESTIMATE:
        if key in release.figures:
            figure = release.figures[key]
            numbers.add_row(label, _text(figure.text), figure.provenance)
    out.print(numbers)
    out.print()
    constraints = _table()
    for heading in ("constraint", "asked", "achieved", "satisfied"):
        constraints.add_column(heading, overflow="fold")
    for row in feasibility(release):
        cells = (str(row[key]) for key in ("constraint", "asked", "achieved"))
        constraints.add_row(*map(_text, cells), _answer(row["satisfied"]))
    out.print(constraints)


def estimate_document(release: Release) -> dict[str, Any]:
    """The same as plain data, every figure of the ledger that is not simulated included."""
    return {
        "name": release.words["name"],
        "metagen_version": release.version,
        "seed": release.seed,
        "spec_id": release.spec_id,
        "figures": {
            key: {
                "value": figure.value,
                "unit": figure.unit,
                "text": figure.text,
                "provenance": figure.provenance,
                "method": figure.method,
            }
            for key, figure in release.figures.items()
            if figure.provenance != "simulated"
        },
        "feasibility": [dict(row) for row in feasibility(release)],
        "notes": [
            {"code": note.code, "path": note.path, "message": note.message}
            for note in release.notes
        ],
    }


def next_commands(destination: Path, artifacts: Sequence[str]) -> str:
    """What to type after a synthesis, at most six lines."""
    lines = [f"cd {shlex.quote(str(destination))}"]
    if "pytorch_skeleton" in artifacts:
        lines += ["make setup test", "make train"]
    if "paper" in artifacts:
        lines.append("make -C paper pdf")
    lines.append("git init && git add -A && git commit -m 'First synthesis'")
    return "\n".join(f"  {line}" for line in lines)


def _answer(satisfied: bool) -> Any:
    from rich.text import Text

    return Text("yes", style="green") if satisfied else Text("no", style="red")


def _text(value: str) -> Any:
    from rich.text import Text

    return Text(visible(value))


def _table() -> Table:
    from rich import box
    from rich.table import Table

    return Table(box=box.SIMPLE_HEAD, show_edge=False, header_style="bold")
