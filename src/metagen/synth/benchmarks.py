"""Seeded benchmark scores and ablations: bounded, coherent, and `simulated` in every copy.

One latent ability per model, a difficulty per benchmark and sub-task, and a little noise: scores
correlate across tasks as real ones do, and intervals follow from the number of items. The
generated model's aggregate is ahead of every baseline's, by little; single sub-tasks may be lost.
Draws depend on the specification without its free text, and each on its own position, so that
renaming or appending a baseline leaves the others' scores alone.

Scores are counted in tenths of a point, as they are printed, so that every mean is that of the
printed figures: abilities between 45 and 82, difficulties within 11 points, noise within 3, and
leads as `LEAD` has them.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from math import ceil, log10, sqrt
from pathlib import Path
from typing import Any

from ..specs.vocabulary import stand_in
from ..utils import formatting as fmt
from ..utils.seed import digest, rng
from .release import Figure
from .tables import NONE, Table, shortened

METHOD = "seeded draw: latent ability, task difficulty, noise"
LEAD = (0.3, 4.5)
"""Least and most points by which the generated model leads a baseline's aggregate."""
ITEMS = (800, 1000, 1200, 1500, 2000, 2400, 3000)
"""How many items a sub-task may have."""
PANEL, LINES = 6, 44
"""Baselines side by side, below which a table continues with the next ones, and lines of a page.

Where the lines do not suffice, more baselines stand side by side.
"""

_SUITES = Path(__file__).with_name("suites.json")

FREE_TEXT = (
    ("metagen_version",),
    ("name",),
    ("description",),
    ("task", "domain"),
    ("training", "data"),
    ("training", "alignment"),
    ("architecture", "components"),
    ("outputs",),
    ("evaluation",),
    ("reproducibility",),
)
"""Fields that no figure depends on: somebody's words, and which documents are asked for."""

COMPUTED_METRIC = re.compile(r"(?i)(?:spec-fidelity(?:@([1-9]\d{0,2})$)?|novelty-per-parameter)")
"""The metrics that the engine computes, with k where one has it; every other is simulated."""


@dataclass(frozen=True)
class BenchmarkDraw:
    """The simulated figures by ledger key, the document of `blueprint/benchmarks.json`, tables."""

    figures: dict[str, Figure]
    document: dict[str, Any]
    tables: dict[str, Table]


@dataclass(frozen=True)
class Scores:
    """One benchmark, in tenths of a point: `tasks[t][m]` of sub-task t and model m.

    Model 0 is the generated one. `items` counts each sub-task's, `interval` is a half-width at 95%.
    """

    name: str
    subtasks: tuple[str, ...]
    items: tuple[int, ...]
    tasks: tuple[tuple[int, ...], ...]
    aggregate: tuple[int, ...]
    interval: tuple[int, ...]


def structure(spec: Mapping[str, Any]) -> str:
    """A hash of the specification without its free text."""
    bare = copy.deepcopy(dict(spec))
    for *parents, last in FREE_TEXT:
        section: Any = bare
        for key in parents:
            section = section.get(key, {})
        section.pop(last, None)
    return digest(bare)


def draw(
    spec: Mapping[str, Any], spec_id: str, seed: int, figures: Mapping[str, Figure]
) -> BenchmarkDraw:
    """Scores for the benchmarks, baselines and metrics of a resolved specification.

    `figures` is the ledger so far, of which only `total_params` is read: larger models are a
    little better. `spec_id` names the release in the document and decides nothing.
    """
    evaluation = spec["evaluation"]
    models = [spec["name"], *evaluation["baselines"]]
    scope = ("benchmarks", structure(spec), seed)
    abilities = _abilities(scope, len(models), figures["total_params"].value)
    suites = _suites(spec.get("modality", {}))
    suite = [
        _benchmark(scope, b, name, suites.get(name, suites["*"]), abilities)
        for b, name in enumerate(evaluation["benchmarks"], 1)
    ]
    names = [m for m in evaluation["metrics"] if not COMPUTED_METRIC.match(m)]
    metrics = {name: _metric(scope, k, suite, abilities) for k, name in enumerate(names, 1)}
    drawn = _figures(suite, metrics)
    return BenchmarkDraw(
        drawn,
        _document(spec_id, seed, models, suite, metrics),
        _tables(models, suite, names, drawn),
    )


def _suites(modality: Mapping[str, Sequence[str]]) -> Mapping[str, tuple[str, ...]]:
    """Sub-tasks by benchmark for a model that reads and writes these; `*` is any other benchmark.

    The first entry decides whose modalities are all there.
    """
    reads, writes = ({*map(stand_in, modality.get(key, ()))} for key in ("inputs", "outputs"))
    entries = json.loads(_SUITES.read_text(encoding="utf-8"))
    return next(
        e for e in entries if reads.issuperset(e["reads"]) and writes.issuperset(e["writes"])
    )


def _abilities(scope: tuple[Any, ...], models: int, params: float) -> list[float]:
    """Latent abilities in points; the generated model's rises with the logarithm of its size."""
    level = 52 + 5 * log10(max(params, 1e5) / 1e6)
    own = min(level, 80) + rng(*scope, "ability", 0).uniform(-2, 2)
    behind = (rng(*scope, "ability", m).random() for m in range(1, models))
    return [own, *(own - 1 - 2.8 * u for u in behind)]


def _benchmark(
    scope: tuple[Any, ...],
    b: int,
    name: str,
    subtasks: Sequence[str],
    abilities: Sequence[float],
) -> Scores:
    offset = rng(*scope, b, "difficulty").uniform(-5, 5)
    tasks: list[list[int]] = []
    items = []
    for t in range(1, len(subtasks) + 1):
        source = rng(*scope, b, t, "difficulty")
        level = offset + source.uniform(-6, 6)
        items.append(source.choice(ITEMS))
        tasks.append(
            [round(10 * (a + level + _noise(scope, b, t, m))) for m, a in enumerate(abilities)]
        )
    for m, ability in enumerate(abilities[1:], 1):
        _settle(tasks, m, abilities[0] - ability)
    models = range(len(abilities))
    aggregate = tuple(_mean([row[m] for row in tasks]) for m in models)
    interval = tuple(_interval([row[m] for row in tasks], items) for m in models)
    rows = tuple(map(tuple, tasks))
    return Scores(name, tuple(subtasks), tuple(items), rows, aggregate, interval)


def _noise(scope: tuple[Any, ...], *position: int) -> float:
    """A bell of standard deviation 1 point from three uniform draws."""
    source = rng(*scope, *position, "noise")
    return 2 * (source.random() + source.random() + source.random() - 1.5)


def _settle(tasks: list[list[int]], m: int, gap: float) -> None:
    """Move model m as a whole until the generated model leads it as `LEAD` allows.

    Of those who had to step back, the one with the wider `gap` in ability steps further.
    """
    least, most = round(10 * LEAD[0]), round(10 * LEAD[1])
    lead = _mean([row[0] for row in tasks]) - _mean([row[m] for row in tasks])
    wanted = least + round(3 * gap) if lead < least else min(lead, most)
    for row in tasks:
        row[m] -= wanted - lead


def _interval(scores: Sequence[int], items: Sequence[int]) -> int:
    """Half-width at 95 % of a mean of shares, each of so many independent items."""
    variance = sum(s * (1000 - s) / n for s, n in zip(scores, items, strict=True))
    return round(1.96 * sqrt(variance) / len(scores))


def _metric(
    scope: tuple[Any, ...], k: int, suite: Sequence[Scores], abilities: Sequence[float]
) -> tuple[float, ...]:
    """A proximity in [0, 1], higher is better, that falls with a model's mean distance."""
    own = 0.9 + 0.08 * rng(*scope, "metric", k).random()
    behind = [
        _mean([s.aggregate[0] - s.aggregate[m] for s in suite]) / 10
        if suite
        else abilities[0] - ability
        for m, ability in enumerate(abilities)
    ]
    return (round(own, 3), *(round(own - 0.002 - gap / 60, 3) for gap in behind[1:]))


def _mean(tenths: Sequence[int]) -> int:
    """The mean, halves rounded up."""
    return (2 * sum(tenths) + len(tenths)) // (2 * len(tenths))


def _points(tenths: int) -> float:
    return tenths / 10


# -- what is told about them -----------------------------------------------------------------------


def _figures(
    suite: Sequence[Scores], metrics: Mapping[str, tuple[float, ...]]
) -> dict[str, Figure]:
    book: dict[str, Figure] = {}

    def enter(key: str, value: float, unit: str, text: str, method: str = METHOD) -> None:
        book[key] = Figure(key, value, unit, text, "simulated", method)

    def score(key: str, tenths: int, method: str = METHOD) -> None:
        enter(key, _points(tenths), "points", f"{_points(tenths):.1f}", method)

    for b, scores in enumerate(suite, 1):
        for t, row in enumerate((scores.aggregate, *scores.tasks)):
            for m, tenths in enumerate(row):
                score(f"score_{b}_{t}_{m}", tenths, METHOD if t else "mean of the sub-tasks")
        for m, tenths in enumerate(scores.interval):
            score(f"interval_{b}_{m}", tenths, "half-width at 95 %, from the number of items")
        for t, items in enumerate((sum(scores.items), *scores.items)):
            enter(f"items_{b}_{t}", items, "items", fmt.integer(items))
    for k, row in enumerate(metrics.values(), 1):
        for m, value in enumerate(row):
            enter(f"metric_{k}_{m}", value, "", fmt.decimal(value))
    if suite:
        for m, tenths in enumerate(_means(suite)):
            score(f"bench_mean_{m}" if m else "bench_mean", tenths, "mean of the benchmarks")
        _verdict(suite, enter)
    return book


def _means(suite: Sequence[Scores]) -> list[int]:
    """Each model's mean over the benchmarks."""
    return [_mean(row) for row in zip(*(s.aggregate for s in suite), strict=True)]


def _verdict(suite: Sequence[Scores], enter: Callable[..., None]) -> None:
    """How many sub-tasks there are and how many were lost, and the narrowest lead."""
    tasks = [row for scores in suite for row in scores.tasks]
    enter("bench_tasks", len(tasks), "sub-tasks", str(len(tasks)))
    if len(suite[0].aggregate) > 1:
        lost = sum(row[0] < max(row[1:]) for row in tasks)
        enter("bench_lost", lost, "sub-tasks", str(lost))
        lead = _points(min(s.aggregate[0] - max(s.aggregate[1:]) for s in suite))
        enter("bench_margin", lead, "points", f"{lead:.1f}", "narrowest lead of an aggregate")


def _document(
    spec_id: str,
    seed: int,
    models: Sequence[str],
    suite: Sequence[Scores],
    metrics: Mapping[str, tuple[float, ...]],
) -> dict[str, Any]:
    def named(row: Iterable[float], key: str = "score") -> list[dict[str, Any]]:
        return [{"model": name, key: value} for name, value in zip(models, row, strict=True)]

    def scored(tenths: Sequence[int]) -> list[dict[str, Any]]:
        return named(map(_points, tenths))

    return {
        "provenance": "simulated",
        "seed": seed,
        "spec_id": spec_id,
        "method": METHOD,
        "notes": [
            f"Simulated under seed {seed}. Directionally correct.",
            "Baselines evaluated under best-effort conditions.",
        ],
        "scale": "points from 0 to 100, higher is better; intervals are half-widths at 95 %, "
        "from the number of items",
        "models": list(models),
        "benchmarks": [
            {
                "name": s.name,
                "aggregate": [
                    {**entry, "interval": _points(width)}
                    for entry, width in zip(scored(s.aggregate), s.interval, strict=True)
                ],
                "tasks": [
                    {"name": task, "items": items, "scores": scored(row)}
                    for task, items, row in zip(s.subtasks, s.items, s.tasks, strict=True)
                ],
            }
            for s in suite
        ],
        "mean": scored(_means(suite)) if suite else [],
        "metrics": [
            {"name": name, "scale": "0 to 1, higher is better", "values": named(row, "value")}
            for name, row in metrics.items()
        ],
    }


def _tables(
    models: Sequence[str],
    suite: Sequence[Scores],
    metrics: Sequence[str],
    figures: Mapping[str, Figure],
) -> dict[str, Table]:
    def row(name: str, keys: str, order: Sequence[int]) -> tuple[Any, ...]:
        return (shortened(name, 28), *(figures[keys.format(m)] for m in order))

    def results(order: Sequence[int]) -> list[tuple[Any, ...]]:
        rows = []
        for b, scores in enumerate(suite, 1):
            cells = row(scores.name, f"score_{b}_0_{{}}", order)
            widths = (figures[f"interval_{b}_{m}"] for m in order)
            spread = ((cell, "±", width) for cell, width in zip(cells[1:], widths, strict=True))
            rows.append((cells[0], *spread))
        if len(suite) > 1:
            means = (figures[f"bench_mean_{m}" if m else "bench_mean"] for m in order)
            rows.append(("Mean", *means))
        return rows

    def subtasks(order: Sequence[int]) -> list[tuple[Any, ...]]:
        rows = []
        for b, scores in enumerate(suite, 1):
            for t, task in enumerate((scores.name, *(f"– {task}" for task in scores.subtasks))):
                name, *cells = row(task, f"score_{b}_{t}_{{}}", order)
                rows.append((name, figures[f"items_{b}_{t}"], *cells))
        return rows

    def proximities(order: Sequence[int]) -> list[tuple[Any, ...]]:
        return [row(name, f"metric_{k}_{{}}", order) for k, name in enumerate(metrics, 1)]

    deep = len(suite) + len(metrics) + 3  # lines of a panel where the paper prints the two as one
    side = max(PANEL, ceil((len(models) - 1) / max(1, LINES // deep)))
    panelled = partial(_panelled, models, side)
    return {
        "results": panelled(("Benchmark†",), results),
        "subtasks": panelled(("Benchmark and sub-task†", "Items"), subtasks),
        "metrics": panelled(("Metric†",), proximities),
    }


def _panelled(
    models: Sequence[str],
    side: int,
    first: tuple[str, ...],
    rows: Callable[[Sequence[int]], list[tuple[Any, ...]]],
) -> Table:
    """A table with a column for each model, the generated one last, `side` baselines a panel."""
    baselines = range(1, len(models))
    panels = [baselines[i : i + side] for i in range(0, len(baselines), side)] or [baselines]
    width = len(panels[0]) + 1
    limit = min(18, max(9, 64 // width))
    body: list[tuple[Any, ...]] = []
    for panel in panels:
        order = [*panel, 0]
        head, lines = (*first, *(shortened(models[m], limit) for m in order)), rows(order)
        body += [(*cells, *(NONE,) * (width - len(order))) for cells in (head, *lines)]
        if not lines:
            break
    columns, *body = body
    return Table(columns, "l" + "r" * (len(columns) - 1), tuple(body))


# -- ablations -------------------------------------------------------------------------------------


def score_ablations(
    rows: Sequence[Mapping[str, Any]],
    spec: Mapping[str, Any],
    seed: int,
    figures: Mapping[str, Figure],
) -> tuple[list[dict[str, Any]], dict[str, Figure]]:
    """Ablation rows with a simulated score each, and those scores as figures.

    The score of the whole model is the mean over the benchmarks, `bench_mean`. Every removal costs
    something, and more the more parameters go with it; removing a component that plays the
    objective's role costs the most, since nothing is learnt without one. Without benchmarks there
    is no score to lose, and the rows come back as they were.
    """
    if "bench_mean" not in figures:
        return [dict(row) for row in rows], {}
    scope = ("ablations", structure(spec), seed)
    mean, total = round(10 * figures["bench_mean"].value), figures["total_params"].value
    scored: list[dict[str, Any]] = []
    book: dict[str, Figure] = {}

    def enter(key: str, tenths: int, text: str) -> None:
        book[key] = Figure(key, _points(tenths), "points", text, "simulated", METHOD)

    for i, (row, drop) in enumerate(zip(rows, _drops(scope, rows, mean, total), strict=True), 1):
        score, lost = _points(mean - drop), _points(-drop)
        scores = {"provenance": "simulated", "mean": score, "mean_delta": lost}
        scored.append({**row, "scores": scores})
        enter(f"ablation_{i}_score", mean - drop, f"{score:.1f}")
        enter(f"ablation_{i}_drop", -drop, fmt.signed(lost, "{:.1f}".format))
        if row["role"] == "loss" and "ablation_decisive" not in book:
            enter("ablation_decisive", drop, f"{_points(drop):.1f}")
    return scored, book


def _drops(
    scope: tuple[Any, ...], rows: Sequence[Mapping[str, Any]], mean: int, total: float
) -> list[int]:
    """What each removal costs, in tenths of a point; at least a tenth, and less than the mean.

    Between two removals of unequal size the larger costs more.
    """
    shares = [min(max(-row["params_delta"] / total, 0.0), 1.0) for row in rows]
    drops = [0] * len(rows)
    most, size = 0, 0.0
    for i in sorted(range(len(rows)), key=lambda i: (shares[i], i)):
        if rows[i]["role"] == "loss":
            continue
        chance = rng(*scope, i + 1).random()
        drops[i] = max(round(3 + 6 * chance + 0.35 * mean * shares[i]), most + (shares[i] > size))
        most, size = drops[i], shares[i]
    for i, row in enumerate(rows):
        if row["role"] == "loss":
            chance = rng(*scope, i + 1).random()
            drops[i] = max(round(mean * (0.5 + 0.1 * chance)), most + 10)
    return drops
