"""However a specification arrives, the same repository comes out (invariant 2)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pexpect
import pytest
import yaml

from metagen import synthesize

COPIER = Path(sys.executable).with_name("copier")
CLEAR = "\x01\x0b"  # to the start of the line, then delete to its end
DOWN, ENTER = "\x1b[B", "\r"

SPEC = {
    "metagen_version": "1.0",
    "name": "small talk",
    "modality": {"inputs": ["text"], "outputs": ["text"]},
    "constraints": {"device": "cpu", "parameter_budget": {"max": "5M"}, "context_window": "2k"},
}
EXPLICIT = {
    "q_name": "small talk",
    "q_device": "cpu",
    "q_parameter_budget": "5M",
    "q_context_window": "2k",
}
# spec.yaml keeps its author's wording, and the manifest does not record it.
WORDING = ("spec.yaml",)


@pytest.fixture(scope="module")
def by_data(full_template, tmp_path_factory, tree):
    return tree(full_template.copy(tmp_path_factory.mktemp("doors") / "repository", SPEC))


def test_questionnaire(full_template, tmp_path, tree, by_data):
    """Only four things are typed; everything else is left at its default and states nothing."""
    environment = os.environ | {"PROMPT_TOOLKIT_NO_CPR": "1", "TERM": "xterm", "COLUMNS": "100"}
    child = pexpect.spawn(
        str(COPIER), ["copy", "--trust", str(full_template.path), "repository"],
        cwd=str(tmp_path), env=environment, encoding="utf-8", timeout=30, dimensions=(60, 120),
    )  # fmt: skip
    for question, keys in (
        ("called", CLEAR + "small talk" + ENTER),
        ("one sentence", ENTER),
        ("does it read", ENTER),
        ("does it produce", ENTER),
        ("does it run", _choose("cpu")),
        ("How soon", ENTER),
        ("How many parameters", CLEAR + "20 bananas" + ENTER),
        ("is not a quantity", CLEAR + "5M" + ENTER),
        ("How much memory", ENTER),
        ("How long", CLEAR + "2k" + ENTER),
        ("What should the repository contain", ENTER),
        ("package called", ENTER),
        ("authors", ENTER),
        ("license", ENTER),
        ("documents sound", ENTER),
    ):
        child.expect(question)
        child.send(keys)
    child.expect("To change the model")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
    assert tree(tmp_path / "repository") == by_data


def _choose(device: str) -> str:
    """Keys that move from the default device to another one."""
    devices = ["cpu", "consumer_gpu", "datacenter_gpu", "edge"]
    steps = (devices.index(device) - devices.index("consumer_gpu")) % len(devices)
    return DOWN * steps + ENTER


def test_explicit_answers(full_template, tmp_path, tree, by_data):
    assert tree(full_template.copy(tmp_path / "repository", EXPLICIT)) == by_data


def test_edited_document(full_template, tmp_path, tree, by_data):
    """A spec.yaml that is there already is the specification, in its own words."""
    text = "# mine\n" + yaml.safe_dump(SPEC, sort_keys=False)
    (tmp_path / "repository").mkdir()
    (tmp_path / "repository" / "spec.yaml").write_text(text)
    made = tree(full_template.copy(tmp_path / "repository"))
    assert made.pop("spec.yaml").decode() == text
    assert made == {name: text for name, text in by_data.items() if name not in WORDING}


def test_synthesis(tmp_path, tree, by_data):
    """The engine's own door differs in what Copier records of the template's origin, only."""
    synthesize(SPEC, tmp_path / "repository")
    made, expected = tree(tmp_path / "repository"), dict(by_data)
    ours = _without_origin(made.pop(".copier-answers.yml"))
    assert ours == _without_origin(expected.pop(".copier-answers.yml"))
    assert made == expected


def _without_origin(answers: bytes) -> list[str]:
    return [line for line in answers.decode().splitlines() if not line.startswith("_src_path:")]


def test_precedence(template, tmp_path):
    """Explicit answers beat data, data beats spec.yaml, spec.yaml beats defaults."""
    document = SPEC | {"name": "document", "description": "Document", "task": {"domain": "x"}}
    (tmp_path / "spec.yaml").write_text(yaml.safe_dump(document))
    data = {"name": "data", "description": "Data", "q_name": "explicit"}
    template.copy(tmp_path, data)
    resolved = yaml.safe_load((tmp_path / "spec_resolved.yaml").read_text())
    found = resolved["name"], resolved["description"], resolved["task"]["domain"]
    assert found == ("explicit", "Data", "x")


def test_defaults_state_nothing(minimal):
    answers = yaml.safe_load((minimal / ".copier-answers.yml").read_text())
    assert list(answers) == [
        "_commit", "_src_path", "package_name", "author", "license", "voice",
        "metagen_version", "name", "modality", "constraints",
    ]  # fmt: skip
    assert list(answers["constraints"]) == ["parameter_budget", "context_window"]


def test_explicit_default_is_stated(template, tmp_path):
    template.copy(tmp_path / "repository", {"q_device": "consumer_gpu"})
    answers = yaml.safe_load((tmp_path / "repository" / ".copier-answers.yml").read_text())
    assert answers["constraints"] == {"device": "consumer_gpu"}


def test_what_cannot_be_chosen_stays(template, tmp_path):
    """A modality beyond the choices survives the question that cannot offer it."""
    data = {**SPEC, "modality": {"inputs": ["text", "taste"], "outputs": ["text"]}}
    project = template.project(tmp_path / "project", data)
    assert project.update() == []
    assert yaml.safe_load(project.read(".copier-answers.yml"))["modality"] == data["modality"]


def test_bake(copie, template):
    """pytest-copie passes answers as defaults: good enough for a plain bake."""
    baked = copie.copy(
        {"q_name": "small talk", "q_parameter_budget": "5M"}, template_dir=template.path
    )
    assert baked.exception is None
    assert baked.exit_code == 0
    resolved = yaml.safe_load((baked.project_dir / "spec_resolved.yaml").read_text())
    assert resolved["name"] == "small talk"
    assert resolved["constraints"]["parameter_budget"] == {"max": "5M"}
    assert baked.answers["package_name"] == "small_talk"
