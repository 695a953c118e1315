"""Simulated scores: bounded, coherent, ahead where they should be, and blind to free text."""

from __future__ import annotations

import json

import pytest

from metagen.synth import benchmarks


def redraw(release, **changes):
    return benchmarks.draw(
        {**release.spec, **changes}, release.spec_id, release.seed, release.figures
    )


def evaluation(release, **changes):
    return {"evaluation": {**release.spec["evaluation"], **changes}}


def test_scores_are_bounded_and_the_generated_model_leads_by_little(release):
    for seed in range(60):
        drawn = benchmarks.draw(release.spec, release.spec_id, seed, release.figures)
        for bench in drawn.document["benchmarks"]:
            own, *others = [entry["score"] for entry in bench["aggregate"]]
            best = max(others)
            assert 0.3 <= round(own - best, 1) <= 6
            assert own - min(others) <= 9
            for task in bench["tasks"]:
                assert all(4 <= entry["score"] <= 98.5 for entry in task["scores"])
        for metric in drawn.document["metrics"]:
            own, *others = [entry["value"] for entry in metric["values"]]
            assert 0 <= min(others) <= max(others) < own <= 1


def test_single_sub_tasks_are_lost_now_and_then(release):
    lost = [
        benchmarks.draw(release.spec, "", seed, release.figures).figures["bench_lost"].value
        for seed in range(30)
    ]
    assert sum(n > 0 for n in lost) > 15


def test_aggregates_are_the_means_of_their_tasks(release):
    for bench in release.blueprint["benchmarks"]["benchmarks"]:
        for m, entry in enumerate(bench["aggregate"]):
            scores = [task["scores"][m]["score"] for task in bench["tasks"]]
            assert entry["score"] == pytest.approx(sum(scores) / len(scores), abs=0.051)


def test_models_that_are_good_at_one_thing_are_good_at_another(release):
    ranks = []
    for seed in range(40):
        document = benchmarks.draw(release.spec, "", seed, release.figures).document
        order = [
            sorted(range(1, len(document["models"])), key=lambda m: bench["aggregate"][m]["score"])
            for bench in document["benchmarks"]
        ]
        ranks.append(order[0][-1] == order[1][-1])
    assert sum(ranks) / len(ranks) > 1.5 / (len(document["models"]) - 1)


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
                for part in cell if isinstance(cell, tuple) else (cell,):
                    assert part == "±" or release.figures[part.key] == part


def test_computed_metrics_are_not_drawn(release):
    spec = evaluation(release, metrics=["Spec-Fidelity@1", "Novelty-Per-Parameter", "Charm"])
    names = [metric["name"] for metric in redraw(release, **spec).document["metrics"]]
    assert names == ["Charm"]
    assert {f.provenance for _, f, *_ in release.tables["computed_metrics"].rows} == {"computed"}


@pytest.mark.parametrize("missing", ["benchmarks", "baselines", "metrics"])
def test_empty_lists_leave_a_document_without_them(release, missing):
    drawn = redraw(release, **evaluation(release, **{missing: []}))
    json.dumps(drawn.document)
    assert ("bench_margin" in drawn.figures) == (missing == "metrics")
    assert bool(drawn.tables["results"].rows) == (missing != "benchmarks")


def test_removing_the_objective_costs_most(release):
    rows = release.blueprint["ablations"]["rows"]
    worst = min(rows, key=lambda row: row["scores"]["mean_delta"])
    assert worst["component"] == "LossComposer"
    assert all(row["scores"]["mean_delta"] < 0 for row in rows)
    assert release.figures["ablation_decisive"].value == -worst["scores"]["mean_delta"]


def test_without_benchmarks_ablations_have_no_scores(release):
    rows = [{"component": "x", "params_delta": -1, "flops_delta": 0}]
    bare = {k: f for k, f in release.figures.items() if f.provenance != "simulated"}
    assert benchmarks.score_ablations(rows, release.spec, 1, bare) == (rows, {})
