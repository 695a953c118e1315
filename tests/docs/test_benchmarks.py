"""Simulated scores: bounded, coherent, ahead where they should be, and blind to free text."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from decimal import ROUND_HALF_UP, Decimal
from itertools import combinations
from math import sqrt
from statistics import correlation, fmean

import pytest

from metagen.synth import benchmarks, tables
from metagen.synth.release import Figure


def redraw(release, **changes):
    return benchmarks.draw(
        {**release.spec, **changes}, release.spec_id, release.seed, release.figures
    )


def evaluation(release, **changes):
    return {"evaluation": {**release.spec["evaluation"], **changes}}


def documents(release, seeds=60, **changes):
    """The drawn document for each of some seeds."""
    spec = {**release.spec, **changes}
    return [benchmarks.draw(spec, "", seed, release.figures).document for seed in range(seeds)]


@pytest.fixture(scope="module", params=[5e4, 1e6, 8e9, 1e15], ids="{:.0e}".format)
def sized(request, release):
    """A release whose model has some number of parameters, absurd ones included."""
    figure = replace(release.figures["total_params"], value=request.param)
    return replace(release, figures={**release.figures, "total_params": figure})


def test_scores_are_bounded_and_the_generated_model_leads_by_little(sized):
    for document in documents(sized):
        for bench in document["benchmarks"]:
            own, *others = [entry["score"] for entry in bench["aggregate"]]
            for score in others:
                assert 0.3 <= round(own - score, 1) <= 4.5
            for task in bench["tasks"]:
                assert all(20 <= entry["score"] <= 97 for entry in task["scores"])
        for metric in document["metrics"]:
            own, *others = [entry["value"] for entry in metric["values"]]
            assert 0 <= min(others) <= max(others) < own <= 1


def test_one_baseline_is_not_left_far_behind(release):
    alone = evaluation(release, baselines=["GPT-4"])
    for document in documents(release, **alone):
        for bench in document["benchmarks"]:
            own, other = [entry["score"] for entry in bench["aggregate"]]
            assert 0.3 <= round(own - other, 1) <= 4.5


def test_intervals_follow_from_the_number_of_items(release):
    for document in documents(release, 10):
        for bench in document["benchmarks"]:
            for m, entry in enumerate(bench["aggregate"]):
                shares = [(t["scores"][m]["score"] / 100, t["items"]) for t in bench["tasks"]]
                error = sqrt(sum(p * (1 - p) / n for p, n in shares)) / len(shares)
                assert entry["interval"] == pytest.approx(196 * error, abs=0.051)


def test_single_sub_tasks_are_lost_now_and_then(release):
    lost = [
        benchmarks.draw(release.spec, "", seed, release.figures).figures["bench_lost"].value
        for seed in range(30)
    ]
    assert sum(n > 0 for n in lost) > 15


def test_aggregates_are_the_means_of_what_is_printed(release):
    def mean(scores):
        exact = sum(map(Decimal, map(str, scores))) / len(scores)
        return float(exact.quantize(Decimal("0.1"), ROUND_HALF_UP))

    for document in documents(release, 20):
        for m, _ in enumerate(document["models"]):
            aggregates = [bench["aggregate"][m]["score"] for bench in document["benchmarks"]]
            assert document["mean"][m]["score"] == mean(aggregates)
            for bench, aggregate in zip(document["benchmarks"], aggregates, strict=True):
                assert aggregate == mean([task["scores"][m]["score"] for task in bench["tasks"]])


def test_models_that_are_good_at_one_benchmark_are_good_at_another(release):
    five = evaluation(release, baselines=list("abcde"))
    pairs, better = [], []
    for document in documents(release, 150, **five):
        rows = [[e["score"] for e in bench["aggregate"]] for bench in document["benchmarks"]]
        for one, other in combinations(rows, 2):
            pairs += [(x - fmean(one), y - fmean(other)) for x, y in zip(one, other, strict=True)]
            best = max(range(1, len(one)), key=one.__getitem__)
            better.append(other[best] > fmean(other[1:]))
    assert correlation(*zip(*pairs, strict=True)) > 0.7
    assert fmean(better) > 0.75


def test_free_text_decides_nothing(release):
    renamed = {
        "name": "somebody else",
        "description": "other words",
        "evaluation": {
            key: [f"{name} renamed" if key == "baselines" else name for name in names]
            for key, names in release.spec["evaluation"].items()
        },
    }
    before = {k: f.value for k, f in redraw(release).figures.items()}
    assert {k: f.value for k, f in redraw(release, **renamed).figures.items()} == before
    smaller = {**release.spec["constraints"], "context_window": "2k"}
    assert {k: f.value for k, f in redraw(release, constraints=smaller).figures.items()} != before


def test_appending_a_baseline_leaves_the_others_alone(release):
    names = release.spec["evaluation"]["baselines"]
    before = redraw(release, **evaluation(release, baselines=names)).figures
    after = redraw(release, **evaluation(release, baselines=[*names, "One More"])).figures
    assert {k: after[k] for k in before if k.startswith("score_")} == {
        k: f for k, f in before.items() if k.startswith("score_")
    }
    assert f"score_1_0_{len(names) + 1}" in after


def test_everything_is_simulated_and_in_the_ledger(release):
    drawn = redraw(release)
    assert {figure.provenance for figure in drawn.figures.values()} == {"simulated"}
    assert release.blueprint["benchmarks"]["provenance"] == "simulated"
    for table in drawn.tables.values():
        for row in table.rows:
            for cell in row[1:]:
                for part in parts(cell):
                    assert release.figures[part.key] == part


def test_computed_metrics_are_not_drawn(release_of, release):
    names = [
        "Spec-Fidelity@1",
        "spec-fidelity@3",
        "Spec-Fidelity@x",
        "Novelty-Per-Parameter (1/B)",
        "Novelty-Per-Parameter",
        "Charm",
    ]
    asked = release_of(evaluation=evaluation(release, metrics=names)["evaluation"])
    drawn = [metric["name"] for metric in asked.blueprint["benchmarks"]["metrics"]]
    assert drawn == ["Charm"]
    table = asked.tables["computed_metrics"]
    assert [row[0] for row in table.rows[:3]] == [f"Spec-Fidelity@{k}" for k in (1, 3, 5)]
    assert {f.provenance for _, f, *_ in table.rows} == {"computed"}


def test_a_computed_metric_without_a_value_says_why(release):
    figures = {k: f for k, f in release.figures.items() if k != "novelty_per_parameter"}
    name, *cells = tables.computed_metrics(figures).rows[-1]
    assert name.startswith("Novelty") and cells[:2] == ["–", "–"] and "published" in cells[2]


@pytest.mark.parametrize("missing", ["benchmarks", "baselines", "metrics"])
def test_empty_lists_leave_a_document_without_them(release, missing):
    drawn = redraw(release, **evaluation(release, **{missing: []}))
    json.dumps(drawn.document)
    assert ("bench_margin" in drawn.figures) == (missing == "metrics")
    assert bool(drawn.tables["results"].rows) == (missing != "benchmarks")


def test_every_removal_costs_and_larger_ones_cost_more(releases):
    for release in releases:
        rows = release.blueprint["ablations"]["rows"]
        if release.voice == "plain":
            assert not any("scores" in row for row in rows)
            continue
        whole = release.blueprint["ablations"]["whole"]["scores"]["mean"]
        assert whole == release.figures["bench_mean"].value
        for row in rows:
            scores = row["scores"]
            assert scores["mean_delta"] < 0 < scores["mean"]
            assert round(whole + scores["mean_delta"], 1) == scores["mean"]
        others = [row for row in rows if row["role"] != "loss"]
        for one, other in combinations(others, 2):
            sizes = [max(0, -row["params_delta"]) for row in (one, other)]
            costs = [-row["scores"]["mean_delta"] for row in (one, other)]
            if sizes[0] != sizes[1]:
                assert (sizes[0] < sizes[1]) == (costs[0] < costs[1])
        worst = min(rows, key=lambda row: row["scores"]["mean_delta"])
        assert worst["component"] == "LossComposer"
        assert release.figures["ablation_decisive"].value == -worst["scores"]["mean_delta"]


def test_what_ablations_compare_with_is_printed(release):
    assert release.tables["ablations"].rows[0][3] is release.figures["bench_mean"]
    mean = [row for row in release.tables["results"].rows if row[0] == "Mean"]
    assert mean[0][-1] is release.figures["bench_mean"]


def test_sub_tasks_suit_what_a_model_reads_and_writes():
    def asked(*modality):
        reads, writes = (part.split("+") for part in modality)
        return benchmarks._suites({"inputs": reads, "outputs": writes})["FOUNDATION-BENCH"]

    assert "Arithmetic" in asked("text", "text")
    cases = [("text", "image"), ("image", "label"), ("image+text", "text"), ("text", "label"),
             ("text+image", "video+audio"), ("state", "action"), ("time_series", "value"),
             ("graph", "label"), ("tabular", "value"), ("audio", "text"), ("text", "3d"),
             ("text", "audio"), ("state", "text"), ("video", "label")]  # fmt: skip
    assert len({tuple(asked(*case)) for case in cases}) == len(cases)
    assert not any("Arithmetic" in asked(*case) for case in cases)
    entries = json.loads(benchmarks._SUITES.read_text(encoding="utf-8"))
    for entry in entries:
        tasks = {key: names for key, names in entry.items() if key not in ("reads", "writes")}
        assert tasks.keys() == {"META-SOTA", "GEN-EVAL-∞", "FOUNDATION-BENCH", "*"}
        assert all(len(set(names)) == 4 for names in tasks.values())


@pytest.mark.parametrize("count", [0, 1, 6, 7, 20])
def test_any_number_of_names(release, count):
    names = [f"{chr(0x202E)}<b>|`$x_{i}$`{{}}\\" for i in range(count)]
    some = {key: names for key in ("benchmarks", "baselines", "metrics")}
    drawn = redraw(release, **evaluation(release, **some))
    json.dumps(drawn.document)
    for name, table in drawn.tables.items():
        printed = {cell.key for row in table.rows for part in row for cell in parts(part)}
        mean = "|bench_mean" if count > 1 else ""
        kinds = {"results": rf"score_\d+_0_|interval{mean}",
                 "subtasks": r"score|items", "metrics": r"metric"}  # fmt: skip
        assert printed == {key for key in drawn.figures if re.match(kinds[name], key)}
    results, metrics = (drawn.tables[name] for name in ("results", "metrics"))
    assert len(results.columns) == len(metrics.columns)
    assert len(results.columns) <= 8 or count == 20
    assert len(results.rows) + len(metrics.rows) <= benchmarks.LINES


def parts(cell):
    """The figures of a table's cell."""
    cells = cell if isinstance(cell, tuple) else (cell,)
    return [part for part in cells if isinstance(part, Figure)]


def test_without_benchmarks_ablations_have_no_scores(release):
    rows = [{"component": "x", "params_delta": -1, "flops_delta": 0}]
    bare = {k: f for k, f in release.figures.items() if f.provenance != "simulated"}
    assert benchmarks.score_ablations(rows, release.spec, 1, bare) == (rows, {})
