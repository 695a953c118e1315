"""`synth`, `demo` and `paper`: what they write, what they say, what they refuse."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

import metagen as package

RUN_ID = r"run-\d{8}-\d{6}-[0-9a-f]{8}"

SMALL = """\
metagen_version: "1.0"
name: "small"
modality: {inputs: ["text"], outputs: ["text"]}
constraints: {parameter_budget: {max: "2M"}, context_window: "2k"}
"""


def test_the_path_is_data_and_the_summary_is_not(metagen: Callable, tmp_path: Path) -> None:
    done = metagen("synth", "text_llm_8b", cwd=tmp_path)
    assert done.status == 0, done.err
    made = tmp_path / done.out.strip()
    assert re.fullmatch(rf"outputs/{RUN_ID}\n", done.out)
    estimate = json.loads((made / "blueprint/params_estimate.json").read_text())
    ledger = json.loads((made / "blueprint/ledger.json").read_text())
    release = package.plan(package.load_spec("text_llm_8b"))
    total = release.figures["total_params"]
    assert estimate["total_params"] == total.value
    assert total.text in done.err and total.text in json.dumps(ledger)
    for word in ("seed", "42", "parameters", "memory", "feasibility", "META-SOTA", "simulated"):
        assert word in done.err
    commands = [line for line in done.err.splitlines() if re.match(r"  \S", line)]
    assert 2 <= len(commands) <= 6
    assert commands[0] == f"  cd {made.relative_to(tmp_path)}"
    assert not (made / ".git").exists()


def test_the_origin_is_the_published_template(baked: Callable) -> None:
    answers = yaml.safe_load((baked("text_llm_8b") / ".copier-answers.yml").read_text())
    assert answers["_src_path"] == "gh:metagen/template"
    assert answers["_commit"] == f"v{package.__version__}"


def test_options_reach_the_repository(metagen: Callable, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    done = metagen(
        *("synth", "small.yaml", "--out", "here/there", "--run-id", "r1", "--seed", "7"),
        *("--package", "tiny_pkg", "--author", "A. Person", "--license", "MIT", "--voice", "plain"),
        cwd=tmp_path,
    )
    assert (done.status, done.out) == (0, "here/there/r1\n"), done.err
    made = tmp_path / "here/there/r1"
    answers = yaml.safe_load((made / ".copier-answers.yml").read_text())
    assert answers["package_name"] == "tiny_pkg"
    assert (answers["author"], answers["license"]) == ("A. Person", "MIT")
    assert answers["voice"] == "plain"
    resolved = yaml.safe_load((made / "spec_resolved.yaml").read_text())
    assert resolved["reproducibility"]["seed"] == 7
    assert (made / "code/tiny_pkg/model.py").is_file()
    assert "simulated" not in done.err
    assert not (made / "blueprint/benchmarks.json").exists()


def test_seed_zero_is_a_seed(metagen: Callable, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    done = metagen("synth", "small.yaml", "--run-id", "zero", "--seed", "0", cwd=tmp_path)
    assert done.status == 0
    resolved = yaml.safe_load((tmp_path / "outputs/zero/spec_resolved.yaml").read_text())
    assert resolved["reproducibility"]["seed"] == 0


@pytest.mark.parametrize("filled", [True, False])
def test_an_existing_run_folder_is_refused(filled: bool, metagen: Callable, tmp_path: Path) -> None:
    (tmp_path / "outputs/run").mkdir(parents=True)
    if filled:
        (tmp_path / "outputs/run/mine.txt").write_text("mine")
    done = metagen("synth", "edge_tiny_agent", "--run-id", "run", cwd=tmp_path)
    assert (done.status, done.out) == (1, "")
    assert "error: " in done.err and "outputs/run" in done.err and "Traceback" not in done.err
    left = [path.name for path in tmp_path.rglob("*") if path.is_file()]
    assert left == (["mine.txt"] if filled else [])


def test_an_output_folder_that_is_a_file(metagen: Callable, tmp_path: Path) -> None:
    (tmp_path / "outputs").write_text("a file")
    done = metagen("synth", "edge_tiny_agent", cwd=tmp_path)
    assert (done.status, done.out) == (1, "")
    assert "error: " in done.err and "Traceback" not in done.err
    assert (tmp_path / "outputs").read_text() == "a file"


def test_the_same_document_by_path_stdin_name_and_json(metagen: Callable, tmp_path: Path) -> None:
    (tmp_path / "small.yaml").write_text(SMALL)
    (tmp_path / "small.json").write_text(json.dumps(yaml.safe_load(SMALL)))
    for source, run in (("small.yaml", "a"), ("-", "b"), ("small.json", "c")):
        done = metagen("synth", source, "--run-id", run, cwd=tmp_path, stdin=SMALL.encode())
        assert done.status == 0, done.err
    trees = [
        {
            path.relative_to(tmp_path / "outputs" / run): path.read_bytes()
            for path in (tmp_path / "outputs" / run).rglob("*")
            if path.is_file() and path.name != "spec.yaml"
        }
        for run in "abc"
    ]
    assert trees[0].keys() == trees[1].keys() == trees[2].keys()
    assert trees[0] == trees[1] == trees[2]


def test_demo_makes_two_repositories_every_time(metagen: Callable, tmp_path: Path) -> None:
    done = metagen("demo", "--out", "made", cwd=tmp_path)
    assert done.status == 0, done.err
    paths = done.out.splitlines()
    assert len(paths) == 2
    assert all(re.fullmatch(rf"made/{RUN_ID}", path) for path in paths)
    assert all((tmp_path / path / "README.md").is_file() for path in paths)
    assert "text_llm_8b" in done.err and "edge_tiny_agent" in done.err
    again = metagen("demo", "--out", "made", cwd=tmp_path)
    assert again.status == 0, again.err


def test_paper_writes_the_latex_project_and_nothing_else(
    metagen: Callable, tmp_path: Path, baked: Callable
) -> None:
    done = metagen("paper", "text_llm_8b", cwd=tmp_path)
    assert (done.status, done.out) == (0, "paper\n"), done.err
    assert [path.name for path in tmp_path.iterdir()] == ["paper"]
    whole = baked("text_llm_8b") / "paper"
    names = {path.relative_to(whole) for path in whole.rglob("*") if path.is_file()}
    alone = {
        path.relative_to(tmp_path / "paper")
        for path in (tmp_path / "paper").rglob("*")
        if path.is_file()
    }
    assert names <= alone
    again = metagen("paper", "edge_tiny_agent", cwd=tmp_path)
    assert again.status == 0, again.err
    assert "edge" in (tmp_path / "paper/main.tex").read_text().lower()


def test_paper_refuses_a_folder_that_is_not_one(metagen: Callable, tmp_path: Path) -> None:
    (tmp_path / "paper").mkdir()
    (tmp_path / "paper/thesis.tex").write_text("years of work")
    done = metagen("paper", "edge_tiny_agent", cwd=tmp_path)
    assert (done.status, done.out) == (1, "")
    assert "error: " in done.err and "Traceback" not in done.err
    assert [path.name for path in (tmp_path / "paper").iterdir()] == ["thesis.tex"]


def test_update_refuses_what_is_not_a_generated_repository(
    metagen: Callable, tmp_path: Path
) -> None:
    for folder in (tmp_path, tmp_path / "absent"):
        done = metagen("update", folder)
        assert done.status == 1
        assert done.err.startswith("error: ") and "Traceback" not in done.err


def test_synthesis_is_quick(metagen: Callable, tmp_path: Path) -> None:
    """A bound on work, loose enough for a busy machine; `make bench` measures."""
    runs = [metagen("synth", "text_llm_8b", "--run-id", f"r{i}", cwd=tmp_path) for i in range(2)]
    assert min(run.cpu for run in runs) < 4
