"""The commands that every model has."""

import json

import pytest
from small import SMALL

from PACKAGE import bench, report
from PACKAGE import eval as evaluation
from PACKAGE.speed import QUANTITIES


def test_evaluation_asks_for_a_run(config, run, capsys):
    with pytest.raises(SystemExit) as stop:
        run(evaluation)
    assert stop.value.code == 2
    assert "train first" in capsys.readouterr().err


def test_benchmarks_become_a_report(config, run, tmp_path):
    (tmp_path / "paper").mkdir()
    sizes = [f"--{name.replace('_', '-')}={value}" for name, value in SMALL.items()]
    run(bench, "--preset=tiny", "--device=cpu", "--repeats=1", *sizes)
    bench_file = tmp_path / "results" / "bench.json"
    measured = json.loads(bench_file.read_text(encoding="utf-8"))
    assert measured["provenance"] == "measured"
    assert all(measured["figures"][name] > 0 for name in QUANTITIES)
    run(report)
    assert "## Benchmark" in (tmp_path / "docs" / "measured.md").read_text(encoding="utf-8")
    assert r"\begin{table}" in (tmp_path / "paper" / "measured.tex").read_text(encoding="utf-8")
