"""The questionnaire's tables and rules, without Copier."""

from __future__ import annotations

import json
import sys

import pytest
import yaml

from metagen.answers import (
    CHOICES,
    MULTIPLE,
    QUESTIONS,
    REPOSITORY,
    SYNOPSIS,
    choices,
    draft,
    in_order_of,
    listed,
    put,
    stated_in,
)
from metagen.package_names import STANDARD_LIBRARY, package_from, package_problem
from metagen.questionnaire import FIELDS, Questionnaire
from metagen.specs.errors import SpecError
from metagen.specs.loader import parse


def resolve(stated):
    return parse(stated).resolved()


@pytest.fixture(scope="module")
def config(root):
    return yaml.safe_load((root / "copier.yml").read_text(encoding="utf-8"))


def test_tables_and_questions_agree(config):
    asked = {name: question for name, question in config.items() if not name.startswith("_")}
    assert list(asked) == [*QUESTIONS, *REPOSITORY, "spec"]
    for name, path in QUESTIONS.items():
        assert asked[name]["default"] == f"{{{{ mg_offer.{name} }}}}"
        assert f"'{path[0]}' not in mg_given" in asked[name]["when"]
        assert asked[name]["validator"] == f"{{{{ mg_problem('{name}') }}}}"
        assert asked[name].get("multiselect", False) == (name in MULTIPLE)
        assert ("choices" in asked[name]) == (name in CHOICES)
        assert asked[name]["help"].endswith(("?", ")"))
    for name, values in REPOSITORY.items():
        offered = asked[name].get("choices", [])
        assert tuple(offered.values() if isinstance(offered, dict) else offered) == values
    assert not set(asked) & set(FIELDS), "a question named like a field would shadow it"


def test_choices_are_the_vocabulary():
    for question, vocabulary in CHOICES.items():
        assert [word for _, word in json.loads(choices(question))] == list(vocabulary.words)


def test_defaults_state_nothing():
    resolved = resolve(SYNOPSIS)
    answers = {q: _dig(resolved, path) for q, path in QUESTIONS.items()}
    assert draft(SYNOPSIS, answers, resolve).stated == SYNOPSIS


def test_defaults_follow_the_answers_before_them():
    """An image has no context window; leaving the text's default behind would invent one."""
    answers = {"q_inputs": ["image"], "q_outputs": ["label"], "q_context_window": ""}
    made = draft(SYNOPSIS, answers, resolve)
    assert made.stated == {**SYNOPSIS, "modality": {"inputs": ["image"], "outputs": ["label"]}}
    assert made.resolved["task"]["type"] == "classification"


def test_order_of_choices_states_nothing():
    stated = {**SYNOPSIS, "modality": {"inputs": ["image", "text"], "outputs": ["text"]}}
    assert draft(stated, {"q_inputs": ["text", "image"]}, resolve).stated == stated


def test_problem_is_kept_with_its_question():
    made = draft(SYNOPSIS, {"q_memory_budget": "12 bananas", "q_name": "x"}, resolve)
    assert list(made.problems) == ["q_memory_budget"]
    assert made.stated == {**SYNOPSIS, "name": "x"}


def test_given_fields_are_not_asked_again():
    stated = {**SYNOPSIS, "constraints": {"device": "edge"}}
    answers = {"q_device": "cpu"}
    assert draft(stated, answers, resolve, given={"constraints"}).stated == stated
    explicit = draft(stated, answers, resolve, given={"constraints"}, explicit={"q_device"})
    assert explicit.stated["constraints"] == {"device": "cpu"}


def test_bare_budget_is_replaced_whole():
    stated = {**SYNOPSIS, "constraints": {"parameter_budget": "7B"}}
    made = draft(stated, {"q_parameter_budget": "8B"}, resolve)
    assert made.stated["constraints"] == {"parameter_budget": {"max": "8B"}}


def test_settled_specification_is_the_truth(tmp_path):
    """In the last render of an update everything comes back as data (trap 3)."""
    spec = {**SYNOPSIS, "name": "settled"}
    data = {"spec": spec, "name": "stale", "q_name": "stale", "package_name": "torch"}
    questions = Questionnaire(data, tmp_path, data)
    assert questions.draft(data).stated == spec
    assert questions.given == frozenset(spec)


@pytest.mark.parametrize(
    ("data", "path"),
    [
        ({"nmae": "x"}, "nmae"),
        ({"q_devise": "cpu"}, "q_devise"),
        ({"q_device": "toaster"}, "constraints.device"),
        ({"q_inputs": "[text, txet]"}, "modality.inputs[1]"),
        ({"modality": "text"}, "modality"),
        ({"package_name": "torch"}, "package_name"),
        ({"license": "GPL"}, "license"),
        ({"author": "two\nlines"}, "author"),
        ({"spec": "spec.yaml"}, "spec"),
    ],
)
def test_data_is_checked_at_once(tmp_path, data, path):
    with pytest.raises(SpecError) as caught:
        Questionnaire(data, tmp_path, data)
    assert path in [problem.path for problem in caught.value.problems]


def test_all_problems_at_once(tmp_path):
    data = {"q_device": "toaster", "q_latency": "soon", "voice": "loud"}
    with pytest.raises(SpecError) as caught:
        Questionnaire(data, tmp_path, data)
    assert len(caught.value.problems) == 3


def test_helpers():
    assert put({"a": {"b": 1}, "c": 2}, ("a", "d", "e"), 3) == {
        "a": {"b": 1, "d": {"e": 3}},
        "c": 2,
    }
    assert listed("q_inputs", "[text, 'image']") == ["text", "image"]
    assert listed("q_name", "[text]") == "[text]"
    assert stated_in({"_commit": "v1", "voice": "plain", "name": "x"}) == {"name": "x"}
    assert list(in_order_of({"b": {"z": 1, "y": 2}, "a": 1}, {"a": 0, "b": {"y": 0}})) == ["a", "b"]


@pytest.mark.parametrize(
    ("name", "package"),
    [
        ("Small Talk 3.5", "small_talk_3_5"),
        ("3d-gen", "model_3d_gen"),
        ("torch", "torch_model"),
        ("class", "class_model"),
        ("Ünïcode", "unicode"),
        ("日本語", "model"),
        ("../../etc", "etc"),
        ("{{ 7 * 7 }}", "model_7_7"),
        ("x" * 99, "x" * 40),
    ],
)
def test_package_names(name, package):
    assert package_from(name) == package
    assert not package_problem(package)


def test_standard_library_is_known():
    ours = {name for name in sys.stdlib_module_names if not name.startswith("_")}
    assert ours <= STANDARD_LIBRARY


def _dig(document, path):
    for key in path:
        document = document[key]
    return document
