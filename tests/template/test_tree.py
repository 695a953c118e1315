"""The files of a generated repository: which, well-formed, and the same everywhere."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
import tomllib

import pytest
import yaml

from metagen import synthesize

ALWAYS = """
.copier-answers.yml .gitignore .metagen-manifest.json .pre-commit-config.yaml CITATION.cff LICENSE
MODEL_LICENSE.md Makefile README.md spec.yaml spec_resolved.yaml logs/metagen.log
blueprint/architecture.yaml blueprint/charts.py blueprint/draw.py blueprint/feasibility.json
blueprint/graph.json blueprint/ink.py blueprint/ledger.json blueprint/params_estimate.json
blueprint/pipeline.py blueprint/state_dict.json docs/summary.json
"""
ARTIFACTS = {
    "pytorch_skeleton": """
        .github/workflows/ci.yml Dockerfile pyproject.toml blueprint/seal.json
        code/small_talk/__init__.py code/small_talk/bench.py code/small_talk/checkpoint.py
        code/small_talk/checks.py code/small_talk/config.py code/small_talk/corpus.py
        code/small_talk/data.py code/small_talk/eval.py
        code/small_talk/flags.py code/small_talk/infer.py code/small_talk/logs.py
        code/small_talk/model.py code/small_talk/optim.py code/small_talk/parallel.py
        code/small_talk/reading.py code/small_talk/refusals.py code/small_talk/report.py
        code/small_talk/results.py code/small_talk/runs.py code/small_talk/speed.py
        code/small_talk/synthetic.py code/small_talk/timing.py code/small_talk/tokenizer.py
        code/small_talk/verify.py
        tests/conftest.py tests/small.py tests/test_blueprint.py tests/test_commands.py
        tests/test_config.py tests/test_data.py tests/test_model.py tests/test_programs.py
        tests/test_seeds.py tests/wrong.py
    """,
    "training_recipe": """
        blueprint/training_plan.yaml code/small_talk/train.py tests/test_accumulation.py
        tests/test_learning.py tests/test_training.py
    """,
    "benchmark_report": "docs/eval_report.md blueprint/benchmarks.json blueprint/ablations.yaml",
    "model_card": "docs/model_card.md docs/data_card.md docs/limitations.md",
    "paper": """
        blueprint/ablations.yaml paper/Makefile paper/bibliography.bib paper/ledger.tex
        paper/main.tex paper/metagen.sty paper/modules.tex paper/specification.tex
        paper/sections/abstract.tex paper/sections/appendix.tex
        paper/sections/ethics.tex paper/sections/experiments.tex
        paper/sections/intro.tex paper/sections/limitations.tex paper/sections/method.tex
        paper/sections/related_work.tex
    """,
}
LARGE = {"code/small_talk/bpe.py", "tests/test_bpe.py"}
ALL = tuple(ARTIFACTS)
SMALL = {"name": "small talk", "constraints": {"parameter_budget": "5M", "context_window": "2k"}}


def expected(artifacts, voice="confident"):
    """The files of SPEC section 3 for these artifacts, drawn figures aside."""
    names = set((ALWAYS + " ".join(ARTIFACTS[name] for name in artifacts)).split())
    if "pytorch_skeleton" not in artifacts:
        names -= {name for name in names if name.startswith(("code/", "tests/"))}
    if voice == "plain":
        names.remove("blueprint/benchmarks.json")
    return names


def not_drawn(files):
    return {name for name in files if "/figures/" not in name}


@pytest.mark.parametrize(
    ("artifacts", "voice"), [(ALL, "confident"), ((), "confident"), (ALL, "plain")]
    + [pytest.param((name,), "confident", marks=pytest.mark.full) for name in ALL]
)  # fmt: skip
def test_files(template, tmp_path, tree, artifacts, voice):
    data = SMALL | {"outputs": {"artifacts": list(artifacts)}, "voice": voice}
    files = tree(template.copy(tmp_path / "repository", data))
    assert not_drawn(files) == expected(artifacts, voice)


def test_files_of_a_large_model(template, tmp_path, tree):
    """Above 20M parameters there is a tokenizer to train."""
    files = tree(template.copy(tmp_path / "repository", {"name": "small talk"}))
    assert not_drawn(files) == expected(ALL) | LARGE


def test_figures(full_template, tmp_path, tree):
    files = tree(full_template.copy(tmp_path / "repository", SMALL))
    names = ("ablation", "benchmarks", "memory", "parameters", "pipeline", "roofline")
    drawn = {f"docs/figures/{name}.svg" for name in names}
    drawn |= {f"paper/figures/{name}.pdf" for name in names}
    assert {name for name in files if "/figures/" in name} == drawn


@pytest.mark.parametrize(
    ("artifacts", "more"),
    [
        (["model_card"], set()),
        (["paper"], {"docs/figures/ablation.svg", "paper/figures/ablation.pdf"}),
    ],
)
def test_figures_of_what_was_asked_for(full_template, tmp_path, tree, artifacts, more):
    data = SMALL | {"outputs": {"artifacts": artifacts}}
    files = tree(full_template.copy(tmp_path / "repository", data))
    always = ("memory", "parameters", "pipeline", "roofline")
    drawn = {f"docs/figures/{name}.svg" for name in always}
    drawn |= {f"paper/figures/{name}.pdf" for name in always if "paper" in artifacts}
    assert {name for name in files if "/figures/" in name} == drawn | more


def test_every_format_reads(minimal):
    readers = {
        ".json": json.loads,
        ".yaml": yaml.safe_load,
        ".yml": yaml.safe_load,
        ".cff": yaml.safe_load,
        ".toml": tomllib.loads,
        ".py": ast.parse,
    }
    for path in minimal.rglob("*"):
        if path.suffix in readers:
            assert readers[path.suffix](path.read_text(encoding="utf-8")) is not None, path


def test_no_stray_braces(minimal):
    """What Jinja should have eaten; GitHub's own `${{ }}` is not in the repository's files."""
    for path in minimal.rglob("*"):
        if path.is_file() and path.suffix not in (".svg", ".pdf", ".tex", ".sty", ".bib", ".py"):
            text = path.read_text(encoding="utf-8")
            for brace in ("{{", "{%", "{#", "%}"):
                assert brace not in text, f"{brace} in {path}"


def test_text_files_end_with_one_newline(minimal):
    for path in minimal.rglob("*"):
        if path.is_file() and path.suffix not in (".svg", ".pdf"):
            content = path.read_bytes()
            assert content.endswith(b"\n") and not content.endswith(b"\n\n"), path
            assert b"\r" not in content, path


def test_no_path_of_this_machine(minimal, tmp_path):
    for path in minimal.rglob("*"):
        if path.is_file() and path.name != ".copier-answers.yml":
            text = path.read_bytes()
            assert b"/tmp/" not in text and str(tmp_path.parent).encode() not in text, path
            assert os.path.expanduser("~").encode() + b"/" not in text, path


HOSTILE = {
    "metagen_version": "1.0",
    "name": "a\"b'c {{ 7*7 }} {% x %} \\n & $(id) `id` %s",
    "description": "; rm -rf ~ # ${HOME} \\end{document} <script>|---| [x](y) \u202f \U0001f600",
    "modality": {"inputs": ["text"], "outputs": ["text"]},
    "constraints": {"parameter_budget": "5M", "context_window": "2k"},
    "author": 'O\'Neil "{{ x }}" & Söhne',
}


def test_hostile_strings(template, tmp_path, adopt):
    """Nothing that somebody writes is ever markup, code or a template."""
    project = template.project(tmp_path / "project", HOSTILE)
    resolved = yaml.safe_load(project.read("spec_resolved.yaml"))
    assert resolved["name"] == HOSTILE["name"]
    assert " ".join(resolved["description"].split()) == " ".join(HOSTILE["description"].split())
    pyproject = tomllib.loads(project.read("pyproject.toml"))
    assert pyproject["project"]["authors"] == [{"name": HOSTILE["author"]}]
    assert yaml.safe_load(project.read("CITATION.cff"))["authors"][0]["name"] == HOSTILE["author"]
    assert HOSTILE["author"] in project.read("LICENSE")
    test_every_format_reads(project.path)
    assert project.update() == []


def test_makefile(minimal):
    """Every target of SPEC section 3, each with a line of help."""
    wanted = "setup test lint train eval infer bench figures paper verify report update".split()
    done = subprocess.run(["make", "help"], cwd=minimal, capture_output=True, text=True, check=True)
    assert {line.split()[0] for line in done.stdout.splitlines()} == {*wanted, "help"}
    listed = subprocess.run(
        ["make", "--dry-run", "PYTHON=/usr/bin/python3", "test", "lint", "train", "verify"],
        cwd=minimal, capture_output=True, text=True, check=True,
    ).stdout  # fmt: skip
    assert "/usr/bin/python3 -m pytest" in listed and "pip install" not in listed


@pytest.mark.parametrize("name", ["Apache-2.0", "MIT"])
def test_license(template, tmp_path, name):
    made = template.copy(tmp_path / "repository", {"license": name, "author": "Ada & Co."})
    text = (made / "LICENSE").read_text()
    assert "Ada & Co." in text
    assert ("Apache License" in text) == (name == "Apache-2.0")
    assert f'license = "{name}"' in (made / "pyproject.toml").read_text()


def test_same_everywhere(tmp_path, tree):
    """Another folder, time zone, locale and hash seed: the same bytes, figures included."""
    program = "import sys, metagen; metagen.synthesize('edge_tiny_agent', sys.argv[1])"
    trees = []
    for folder, seed, zone, locale in (
        ("one", "0", "UTC", "C"),
        ("a deeper/two", "4242", "Pacific/Kiritimati", "tr_TR.UTF-8"),
    ):
        environment = os.environ | {"PYTHONHASHSEED": seed, "TZ": zone, "LC_ALL": locale}
        target = tmp_path / folder / "repository"
        subprocess.run([sys.executable, "-c", program, target], env=environment, check=True)
        trees.append(tree(target))
    assert trees[0] == trees[1]
    assert [name for name in trees[0] if name.endswith((".svg", ".pdf"))]


def test_deterministic_in_one_process(tmp_path, tree):
    one, two = (synthesize("edge_tiny_agent", tmp_path / name).path for name in "ab")
    assert tree(one) == tree(two)


def test_template_file_names(root):
    """Windows can check the template out."""
    for path in (root / "template").rglob("*"):
        assert not set(path.name) & set('"<>:|?*\\'), path
