"""What the hook offers to Copier's questions and templates, called as Copier calls it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jinja2
import pytest
from copier.errors import UserMessageError

import metagen
from metagen import answers, copier_hook
from metagen.copier_hook import MetagenHook
from metagen.specs.loader import parse
from metagen.synth import engine
from metagen.utils.filters import FILTERS

from .conftest import LIGHT

ASKED = {"mg_offer", "mg_given", "mg_choices", "mg_package", "mg_problem", "mg_spec"}
RENDERED = {"mg", "mg_stated", "mg_answers", "fig"}


class Copier:
    """One render: an environment, a hook, and the contexts that it is called with."""

    def __init__(self, project: Path, data: dict[str, Any] | None = None, ready: Any = None):
        self.environment = jinja2.Environment()
        self.hook = MetagenHook(self.environment)
        self.data = {"_metagen": (metagen, ready), **(data or {})}
        self.project = project

    def render(self, phase: str, **answered: Any) -> dict[str, Any]:
        """What the hook adds to a context."""
        conf = {"data": self.data, "dst_path": str(self.project)}
        before = {"_copier_conf": conf, "_copier_phase": phase, **answered}
        context = dict(before)
        self.hook.hook(context)
        assert {name: context[name] for name in before} == before
        return {name: context[name] for name in context.keys() - before.keys()}


@pytest.fixture
def copier(tmp_path) -> Copier:
    return Copier(tmp_path)


def test_while_questions_are_asked(copier):
    offered = copier.render("prompt")
    assert offered.keys() == ASKED
    assert offered["mg_offer"].keys() == set(answers.QUESTIONS)
    assert offered["mg_offer"]["q_name"] == answers.SYNOPSIS["name"]
    assert offered["mg_given"] == frozenset()
    assert offered["mg_choices"] is answers.choices
    assert offered["mg_package"] == answers.SYNOPSIS["name"]
    assert json.loads(offered["mg_spec"]()) == answers.SYNOPSIS


def test_answers_change_what_is_offered(copier):
    offered = copier.render("prompt", q_name="My Model", q_outputs=["image"])
    assert offered["mg_package"] == "my_model"
    stated = json.loads(offered["mg_spec"]())
    assert (stated["name"], stated["modality"]["outputs"]) == ("My Model", ["image"])


def test_a_wrong_answer_is_said_when_asked_and_refused_when_settled(copier):
    answered = {"q_parameter_budget": "3 bananas", "q_device": "cpu"}
    offered = copier.render("prompt", **answered)
    problem = offered["mg_problem"]
    assert "is not a quantity" in problem("q_parameter_budget")
    assert problem("q_device") == ""
    with pytest.raises(UserMessageError, match="3 bananas"):
        offered["mg_spec"]()


def test_repository_answers_have_problems_of_their_own(copier):
    """What was accepted once, stored before the first question, stays accepted."""
    copier.render("prompt", license="My own")
    asked = {"package_name": "torch", "license": "My own"}
    problem = copier.render("prompt", **asked)["mg_problem"]
    assert "hide another module" in problem("package_name")
    assert problem("license") == ""
    assert copier.render("prompt", package_name="fine")["mg_problem"]("package_name") == ""


def test_data_are_given(tmp_path):
    offered = Copier(tmp_path, LIGHT).render("prompt")
    assert offered["mg_given"] == LIGHT.keys()
    assert json.loads(offered["mg_spec"]()) == LIGHT


def test_a_document_of_the_project_is_the_base(tmp_path):
    (tmp_path / "spec.yaml").write_text(json.dumps(LIGHT | {"name": "from the project"}))
    offered = Copier(tmp_path).render("prompt")
    assert offered["mg_offer"]["q_name"] == "from the project"


def test_questions_are_read_once(copier, monkeypatch):
    first = copier.render("prompt")
    (copier.project / "spec.yaml").write_text("name: [not looked at any more")
    again = copier.render("prompt")
    assert again["mg_offer"] == first["mg_offer"]


def test_a_refused_document_is_refused_on_every_call(tmp_path):
    (tmp_path / "spec.yaml").write_text("nmae: x\n")
    copier = Copier(tmp_path)
    for _ in range(2):
        with pytest.raises(UserMessageError, match='did you mean "name"') as caught:
            copier.render("prompt")
        assert caught.value.__suppress_context__


def test_refused_answers_are_refused_while_rendering(copier):
    with pytest.raises(UserMessageError, match="error: answers  nmae: unknown field"):
        copier.render("render", spec=LIGHT | {"nmae": "x"}, voice="plain")


def test_before_the_specification_is_there_nothing_is_offered(copier):
    assert copier.render("render") == {}
    assert copier.render("undefined", voice="plain") == {}


def test_while_templates_are_rendered(copier):
    given = {"voice": "plain", "package_name": "small", "_commit": "v1", "_src_path": "here"}
    shuffled = dict(reversed(LIGHT.items()))
    got = copier.render("render", spec=shuffled, **given, q_name="no", other="no")
    assert got.keys() == RENDERED
    expected = engine.plan(parse(LIGHT), voice="plain")
    assert (got["mg"].words, got["mg"].code) == (expected.words, expected.code)
    assert json.dumps(got["mg_stated"]) == json.dumps(LIGHT)  # in the order of the schema
    assert got["mg_answers"] == given | got["mg_stated"]
    assert list(got["mg_answers"])[:2] == ["_commit", "_src_path"]
    figure = sorted(got["mg"].figures)[0]
    assert callable(got["fig"]) and got["fig"](figure)
    assert copier.environment.filters.items() >= FILTERS.items()
    assert copier.environment.bytecode_cache is not None


def test_a_release_is_planned_once_for_a_specification_and_a_voice(copier, monkeypatch):
    planned = []
    plan = engine.plan
    monkeypatch.setattr(
        engine, "plan", lambda spec, voice: planned.append(voice) or plan(spec, voice=voice)
    )
    first = copier.render("render", spec=LIGHT, voice="plain")
    assert copier.render("tasks", spec=LIGHT, voice="plain")["mg"] is first["mg"]
    assert copier.render("render", spec=LIGHT, voice="confident")["mg"] is not first["mg"]
    copier.render("render", spec=LIGHT | {"name": "other"}, voice="confident")
    assert planned == ["plain", "confident", "confident"]


def test_a_release_that_is_ready_is_taken(tmp_path):
    ready = engine.plan(parse(LIGHT), voice="plain")
    got = Copier(tmp_path, ready=ready).render("render", spec=LIGHT, voice="plain")
    assert got["mg"] is ready


def test_without_a_given_engine_it_loads_the_one_beside_it(tmp_path, monkeypatch):
    loaded = []
    monkeypatch.setattr(copier_hook, "load_engine", lambda home: loaded.append(home) or metagen)
    copier = Copier(tmp_path)
    del copier.data["_metagen"]
    copier.render("prompt")
    copier.render("prompt")
    assert loaded == [copier_hook.HOME]
