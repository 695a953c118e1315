"""Seeded benchmark scores and ablations: bounded, coherent, and `simulated` in every copy.

One latent ability per model, a difficulty per benchmark and sub-task, and a little noise: scores
correlate across tasks as real ones do. The generated model's aggregate is ahead of every
baseline's, by little; single sub-tasks may be lost. Draws depend on the specification without
its free text, and each on its own position, so that renaming or appending a baseline leaves the
others' scores alone.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum, log10
from typing import Any

from ..utils import formatting as fmt
from ..utils.seed import digest, rng
from .release import Figure
from .tables import Table, shortened

METHOD = "seeded draw: latent ability, task difficulty, noise"
BOUNDS = (4.0, 98.5)
LEAST_LEAD = 0.3

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

SUBTASKS = {
    "META-SOTA": (
        "Frontier recall",
        "Leaderboard transfer",
        "Release-note comprehension",
        "Claim calibration",
    ),
    "GEN-EVAL-∞": (
        "Bounded continuation",
        "Unbounded continuation",
        "Instruction following",
        "Knowing when to stop",
    ),
    "FOUNDATION-BENCH": (
        "Reasoning",
        "Retrieval in context",
        "Arithmetic",
        "Robustness to paraphrase",
    ),
}
SEEING_SUBTASKS = {
    "META-SOTA": (
        "Familiar scenes",
        "Leaderboard transfer",
        "Unfamiliar lighting",
        "Claim calibration",
    ),
    "GEN-EVAL-∞": (
        "Bounded scenes",
        "Unbounded scenes",
        "Occlusion",
        "Knowing when to look away",
    ),
    "FOUNDATION-BENCH": (
        "Fine distinctions",
        "Coarse distinctions",
        "Counting",
        "Robustness to cropping",
    ),
}
HEARING_SUBTASKS = {
    "META-SOTA": (
        "Familiar rooms",
        "Leaderboard transfer",
        "Unfamiliar accents",
        "Claim calibration",
    ),
    "GEN-EVAL-∞": (
        "Bounded recordings",
        "Unbounded recordings",
        "Overlapping sources",
        "Knowing when it is quiet",
    ),
    "FOUNDATION-BENCH": (
        "Pitch",
        "Timbre",
        "Rhythm",
        "Robustness to reverberation",
    ),
}
OTHER_SUBTASKS = ("Core", "Transfer", "Robustness", "Calibration")

COMPUTED_METRICS = ("spec-fidelity", "novelty-per-parameter")
"""Prefixes of the metrics that the engine computes; every other metric is simulated."""


@dataclass(frozen=True)
class BenchmarkDraw:
    """The simulated figures by ledger key, the document of `blueprint/benchmarks.json`, tables."""

    figures: dict[str, Figure]
    document: dict[str, Any]
    tables: dict[str, Table]


@dataclass(frozen=True)
class Scores:
    """One benchmark: `tasks[t][m]` of sub-task t and model m (0 is the generated one)."""

    name: str
    subtasks: tuple[str, ...]
    tasks: tuple[tuple[float, ...], ...]
    aggregate: tuple[float, ...]
    interval: tuple[float, ...]


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
    suite = [
        _benchmark(scope, b, name, subtasks_of(name, spec.get("modality", {})), abilities)
        for b, name in enumerate(evaluation["benchmarks"], 1)
    ]
    names = [m for m in evaluation["metrics"] if not m.lower().startswith(COMPUTED_METRICS)]
    metrics = {name: _metric(scope, k, suite, abilities) for k, name in enumerate(names, 1)}
    drawn = _figures(suite, metrics)
    return BenchmarkDraw(
        drawn,
        _document(spec_id, seed, models, suite, metrics),
        _tables(models, suite, names, drawn),
    )


def _abilities(scope: tuple[Any, ...], models: int, params: float) -> list[float]:
    """Latent abilities in points; the generated model's rises with the logarithm of its size."""
    level = 52 + 5 * log10(max(params, 1e5) / 1e6)
    own = min(level, 84) + rng(*scope, "ability", 0).uniform(-2, 2)
    behind = (rng(*scope, "ability", m).random() for m in range(1, models))
    return [own, *(own - 0.5 - 4 * u * u for u in behind)]


def subtasks_of(name: str, modality: Mapping[str, Sequence[str]]) -> tuple[str, ...]:
    """What a benchmark asks of a model that reads and writes these modalities."""
    used = {*modality.get("inputs", ()), *modality.get("outputs", ())}
    if used & {"image", "video", "3d"}:
        return SEEING_SUBTASKS.get(name, OTHER_SUBTASKS)
    if "audio" in used:
        return HEARING_SUBTASKS.get(name, OTHER_SUBTASKS)
    if used & {"time_series", "graph", "tabular", "state", "action"}:
        return OTHER_SUBTASKS
    return SUBTASKS.get(name, OTHER_SUBTASKS)


def _benchmark(
    scope: tuple[Any, ...],
    b: int,
    name: str,
    subtasks: tuple[str, ...],
    abilities: Sequence[float],
) -> Scores:
    offset = rng(*scope, b, "difficulty").uniform(-6, 6)
    rows: list[list[float]] = []
    for t in range(1, len(subtasks) + 1):
        hardness = offset + rng(*scope, b, t, "difficulty").uniform(-7, 7)
        rows.append(
            [_clamp(a + hardness + _noise(scope, b, t, m)) for m, a in enumerate(abilities)]
        )
    for m in range(1, len(abilities)):
        _concede(rows, m, LEAST_LEAD + 0.9 * rng(*scope, b, m, "lead").random())
    aggregate = tuple(_mean(row[m] for row in rows) for m in range(len(abilities)))
    interval = tuple(
        round(0.3 + 0.8 * rng(*scope, b, m, "interval").random(), 1) for m in range(len(abilities))
    )
    return Scores(name, subtasks, tuple(map(tuple, rows)), aggregate, interval)


def _noise(scope: tuple[Any, ...], *position: int) -> float:
    """A bell of standard deviation 1.25 points from three uniform draws."""
    source = rng(*scope, *position, "noise")
    return 2.5 * (source.random() + source.random() + source.random() - 1.5)


def _concede(rows: list[list[float]], m: int, lead: float) -> None:
    """Lower model m until the generated model leads its aggregate by `lead` points."""
    missing = round(lead - _mean(r[0] for r in rows) + _mean(r[m] for r in rows), 1)
    while missing > 0:
        for row in rows:
            row[m] = _clamp(row[m] - missing)
        missing = round(LEAST_LEAD - _mean(r[0] for r in rows) + _mean(r[m] for r in rows), 1)


def _metric(
    scope: tuple[Any, ...], k: int, suite: Sequence[Scores], abilities: Sequence[float]
) -> tuple[float, ...]:
    """A proximity in [0, 1], higher is better, that falls with a model's mean distance."""
    own = 0.9 + 0.08 * rng(*scope, "metric", k).random()
    behind = [
        _mean((s.aggregate[0] - s.aggregate[m]) for s in suite) if suite else abilities[0] - a
        for m, a in enumerate(abilities)
    ]
    return (round(own, 3), *(round(own - 0.002 - gap / 60, 3) for gap in behind[1:]))


def _clamp(score: float) -> float:
    return round(min(max(score, BOUNDS[0]), BOUNDS[1]), 1)


def _mean(scores: Iterable[float]) -> float:
    scores = list(scores)  # `sum` rounds differently from Python 3.12 on
    return round(fsum(scores) / len(scores), 1)


# -- what is told about them -----------------------------------------------------------------------


def _figures(
    suite: Sequence[Scores], metrics: Mapping[str, tuple[float, ...]]
) -> dict[str, Figure]:
    book: dict[str, Figure] = {}

    def enter(key: str, value: float, unit: str, text: str) -> None:
        book[key] = Figure(key, value, unit, text, "simulated", METHOD)

    for b, scores in enumerate(suite, 1):
        for t, row in enumerate((scores.aggregate, *scores.tasks)):
            for m, value in enumerate(row):
                enter(f"score_{b}_{t}_{m}", value, "points", f"{value:.1f}")
        for m, value in enumerate(scores.interval):
            enter(f"interval_{b}_{m}", value, "points", f"{value:.1f}")
    for k, row in enumerate(metrics.values(), 1):
        for m, value in enumerate(row):
            enter(f"metric_{k}_{m}", value, "", fmt.decimal(value))
    if suite:
        mean = _mean(scores.aggregate[0] for scores in suite)
        enter("bench_mean", mean, "points", f"{mean:.1f}")
        tasks = [row for scores in suite for row in scores.tasks]
        enter("bench_tasks", len(tasks), "sub-tasks", str(len(tasks)))
        if len(suite[0].aggregate) > 1:
            lost = sum(row[0] < max(row[1:]) for row in tasks)
            enter("bench_lost", lost, "sub-tasks", str(lost))
            lead = min(round(s.aggregate[0] - max(s.aggregate[1:]), 1) for s in suite)
            enter("bench_margin", lead, "points", f"{lead:.1f}")
    return book


def _document(
    spec_id: str,
    seed: int,
    models: Sequence[str],
    suite: Sequence[Scores],
    metrics: Mapping[str, tuple[float, ...]],
) -> dict[str, Any]:
    def named(row: Sequence[float], key: str = "score") -> list[dict[str, Any]]:
        return [{"model": name, key: value} for name, value in zip(models, row, strict=True)]

    return {
        "provenance": "simulated",
        "seed": seed,
        "spec_id": spec_id,
        "method": METHOD,
        "notes": [
            f"Simulated under seed {seed}. Directionally correct.",
            "Baselines evaluated under best-effort conditions.",
        ],
        "scale": "points from 0 to 100, higher is better; intervals are half-widths at 95 %",
        "models": list(models),
        "benchmarks": [
            {
                "name": s.name,
                "aggregate": [
                    {**entry, "interval": width}
                    for entry, width in zip(named(s.aggregate), s.interval, strict=True)
                ],
                "tasks": [
                    {"name": task, "scores": named(row)}
                    for task, row in zip(s.subtasks, s.tasks, strict=True)
                ],
            }
            for s in suite
        ],
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
    order = [*range(1, len(models)), 0]
    columns = tuple(shortened(models[m], min(18, max(9, 64 // len(models)))) for m in order)
    align = "l" + "r" * len(order)

    def row(name: str, keys: str) -> tuple[Any, ...]:
        return (name, *(figures[keys.format(m)] for m in order))

    results: list[tuple[Any, ...]] = []
    details: list[tuple[Any, ...]] = []
    for b, scores in enumerate(suite, 1):
        cells = ((figures[f"score_{b}_0_{m}"], "±", figures[f"interval_{b}_{m}"]) for m in order)
        results.append((shortened(scores.name, 28), *cells))
        details.append(row(shortened(scores.name, 28), f"score_{b}_0_{{}}"))
        details += [
            row(f"– {task}", f"score_{b}_{t}_{{}}") for t, task in enumerate(scores.subtasks, 1)
        ]
    proximity = [row(shortened(name, 28), f"metric_{k}_{{}}") for k, name in enumerate(metrics, 1)]
    return {
        "results": Table(("Benchmark†", *columns), align, tuple(results)),
        "subtasks": Table(("Benchmark and sub-task†", *columns), align, tuple(details)),
        "metrics": Table(("Metric†", *columns), align, tuple(proximity)),
    }


# -- ablations -------------------------------------------------------------------------------------


def score_ablations(
    rows: Sequence[Mapping[str, Any]],
    spec: Mapping[str, Any],
    seed: int,
    figures: Mapping[str, Figure],
) -> tuple[list[dict[str, Any]], dict[str, Figure]]:
    """Ablation rows with a simulated score each, and those scores as figures.

    The rows of the specification's components come first. A removal costs more the more parameters
    it takes with it; removing a component that plays the objective's role costs the most, since
    nothing is learnt without one. Without benchmarks there is no score to lose, and the rows come
    back as they were.
    """
    if "bench_mean" not in figures:
        return [dict(row) for row in rows], {}
    scope = ("ablations", structure(spec), seed)
    mean, total = figures["bench_mean"].value, figures["total_params"].value
    scored: list[dict[str, Any]] = []
    book: dict[str, Figure] = {}
    for i, row in enumerate(rows, 1):
        u = rng(*scope, i).random()
        share = min(abs(row["params_delta"]) / total, 1.0)
        decisive = row["role"] == "loss"
        drop = mean * (0.5 + 0.1 * u) if decisive else 0.4 + 1.6 * u + 0.3 * mean * share
        score = round(max(mean - drop, BOUNDS[0]), 1)
        lost = round(score - mean, 1)
        scored.append(
            {**row, "scores": {"provenance": "simulated", "mean": score, "mean_delta": lost}}
        )
        for key, value, text in (
            (f"ablation_{i}_score", score, f"{score:.1f}"),
            (f"ablation_{i}_drop", lost, fmt.signed(lost, "{:.1f}".format)),
        ):
            book[key] = Figure(key, value, "points", text, "simulated", METHOD)
        if decisive:
            text = f"{-lost:.1f}"
            figure = Figure("ablation_decisive", -lost, "points", text, "simulated", METHOD)
            book.setdefault(figure.key, figure)
    return scored, book
