"""What an author reads when a document is wrong: shape, position, and everything at once."""

from __future__ import annotations

import pickle
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from metagen.specs.errors import Problem, SpecError, closest, dotted, show
from metagen.specs.loader import load_spec, load_text, parse
from metagen.specs.reader import read_document
from metagen.specs.schema import ModelSpec

from .messages import RECORD

GOOD = 'metagen_version: "1.0"\nname: x\nmodality: {inputs: [text], outputs: [text]}\n'

WRONG = """\
metagen_version: "1.0"
name: 123
descriptoin: hello
seed: 4
modality:
  inputs: [txet, "image"]
  outputs: [zorgon]
  output: x
task: generation
constraints:
  latency: realtme
  parameter_budget: {max: "20 bananas"}
  memory_budget: 12Gb
  throughput: "30 fqs"
  throughput: "30 fqs"
training:
  compute: {hardware: "8xBanana", duration: "-3 days"}
  data: {governance: {pi: "x"}}
architecture:
  components:
    - {name: A, type: b}
    - {name: A}
    - 3
  dims: [1]
reproducibility: {seed: -1, determinism: "ok"}
"""

FOUND = [
    # line, column, path, suggestion
    (2, 7, "name", "123"),
    (3, 1, "descriptoin", "description"),
    (4, 1, "seed", "reproducibility.seed"),
    (6, 12, "modality.inputs[0]", "text"),
    (7, 13, "modality.outputs[0]", None),
    (8, 3, "modality.output", "outputs"),
    (9, 7, "task", None),
    (11, 12, "constraints.latency", "real-time"),
    (12, 27, "constraints.parameter_budget.max", None),
    (13, 18, "constraints.memory_budget", "12GB"),
    (14, 15, "constraints.throughput", "30fps"),
    (15, 3, "constraints.throughput", None),
    (17, 23, "training.compute.hardware", None),
    (17, 45, "training.compute.duration", None),
    (18, 23, "training.data.governance.pi", "pii"),
    (22, 7, "architecture.components[1].type", None),
    (23, 7, "architecture.components[2]", None),
    (24, 9, "architecture.dims", None),
    (25, 25, "reproducibility.seed", None),
]


def test_everything_at_once_each_in_its_place(refuse):
    problems = refuse(WRONG).problems
    assert [(p.line, p.column, p.path, p.suggestion) for p in problems] == FOUND


def test_the_shape_of_the_terminal(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "bad.yaml").write_text(
        GOOD + "constraints:\n  device: cpu\n  parameter_budget: {max: 20 bananas}\n"
    )
    with pytest.raises(SpecError) as caught:
        load_spec("bad.yaml")
    assert str(caught.value) == (
        'error: bad.yaml:6:27  constraints.parameter_budget.max: "20 bananas" is not a quantity\n'
        '  allowed: a number with K, M, B or T, such as "350M" or "20B", or "∞"\n'
        "hint: metagen schema | jq '.properties.constraints'"
    )


def test_suggestions_are_hints(refuse):
    text = str(refuse(GOOD.replace("[text]", "[txet]", 1)))
    assert 'modality.inputs[0]: "txet" is not an input modality\n  allowed: text, image' in text
    assert 'hint: did you mean "text"?\n' in text


@pytest.mark.parametrize(
    ("paths", "hint"),
    [
        (["constraints.device", "constraints"], "metagen schema | jq '.properties.constraints'"),
        (["nmae", "seed"], "metagen schema | jq '.properties | keys'"),
        (["constraints.device", "task.type"], "metagen schema"),
        ([""], None),
    ],
)
def test_the_last_line_says_where_to_look(paths, hint):
    last = str(SpecError([Problem(path, "wrong") for path in paths])).splitlines()[-1]
    assert last == (f"hint: {hint}" if hint else "error: spec: wrong")


def test_without_a_file_the_path_is_the_place():
    with pytest.raises(SpecError) as caught:
        parse({"metagen_version": "1.0", "name": "x", "modality": {"inputs": "text"}}, "answers")
    assert str(caught.value).startswith("error: answers  modality.outputs: is missing\n")
    assert caught.value.problems[0].line is None


@pytest.mark.parametrize(
    "missing", ["metagen_version", "name", "modality", "modality.inputs", "modality.outputs"]
)
def test_what_is_missing_is_said(refuse, missing):
    document = {
        "metagen_version": '"1.0"',
        "name": "x",
        "modality": "{inputs: text, outputs: text}",
    }
    section, _, field = missing.partition(".")
    if field:
        document[section] = re.sub(rf"{field}: text,? ?", "", document[section])
    else:
        del document[section]
    error = refuse("".join(f"{key}: {value}\n" for key, value in document.items()))
    assert [(p.path, p.message) for p in error.problems] == [(missing, "is missing")]
    assert error.problems[0].line


@pytest.mark.parametrize(
    ("line", "path", "message"),
    [
        ("name: [x]", "name", "a list is not text"),
        ("name: ''", "name", '"" is empty'),
        ("name: true", "name", "true is not text"),
        ("name: 1.5", "name", "1.5 is not text"),
        ("name: 0o17\ntask: {num_classes: true}", "task.num_classes", "true is not a whole number"),
        ("task: {num_classes: 1.5}", "task.num_classes", "1.5 is not a whole number"),
        ("task: {num_classes: '0777'}", "task.num_classes", '"0777" is not a whole number'),
        ("task: {num_classes: 1}", "task.num_classes", "1 is out of range"),
        ("task: {horizon: 0}", "task.horizon", "0 is out of range"),
        ("reproducibility: {seed: 1:30}", "reproducibility.seed", '"1:30" is not a whole number'),
        ("reproducibility: {seed: .nan}", "reproducibility.seed", "NaN is not a whole number"),
        ("outputs: {artifacts: [papr]}", "outputs.artifacts[0]", '"papr" is not an artifact'),
        ("training: {objective: []}", "training.objective", "an empty list"),
        ("training: {objective: {}}", "training.objective", "a mapping is not a list"),
        ("evaluation: {metrics: [a, 2]}", "evaluation.metrics[1]", "2 is not text"),
        ("architecture: {dims: {a: [x]}}", "architecture.dims.a", "a list is not a dimension"),
        ("architecture: {dims: {a: .inf}}", "architecture.dims.a", "inf is not a dimension"),
        ("constraints: 3", "constraints", "3 is not a mapping"),
        ("constraints: {parameter_budget: [1]}", "constraints.parameter_budget", "a list is not"),
        ("constraints: {memory_budget: yes}", "constraints.memory_budget", '"yes" is not a quan'),
        ("constraints: {throughput: ∞}", "constraints.throughput", '"∞" is not allowed here'),
        ("modality: text", "modality", '"text" is not a mapping'),
        ('description: "a\\0b"', "description", '"a\\u0000b" holds the character U+0000'),
        ('description: "a\\e[31m"', "description", '"a\\u001b[31m" holds the character U+001B'),
        ('name: "a\\u202eb"', "name", '"a\\u202eb" holds the character U+202E'),
        (f"name: {'x' * 101}", "name", None),
        (f"description: {'x' * 4001}", "description", None),
        (
            "architecture: {components: [{name: A, type: a}, {name: A, type: b}]}",
            "architecture.components",
            '"A" names two components',
        ),
    ],
)
def test_wrong_values(refuse, line, path, message):
    field = line.split(":")[0]
    base = "".join(row + "\n" for row in GOOD.splitlines() if not row.startswith(f"{field}:"))
    (problem,) = refuse(base + line + "\n").problems
    assert problem.path == path
    assert message is None or problem.message.startswith(message)
    assert problem.line


@pytest.mark.parametrize(
    ("section", "typo", "meant"),
    [
        ("", "modalty", "modality"),
        ("", "constraint", "constraints"),
        ("modality", "ouputs", "outputs"),
        ("constraints", "latecy", "latency"),
        ("constraints", "objective", "training.objective"),
        ("training.data.governance", "copyrihgt", "copyright"),
        ("training.compute", "hardwre", "hardware"),
        ("reproducibility", "sed", "seed"),
        ("outputs", "artefacts", "artifacts"),
        ("task", "num_class", "num_classes"),
        ("evaluation", "zzz", None),
    ],
)
def test_misspelt_fields_at_every_depth(refuse, section, typo, meant):
    nested = f"{typo}: 1"
    for name in reversed(section.split(".") if section else []):
        nested = f"{name}: {{{nested}}}"
    good = "".join(row + "\n" for row in GOOD.splitlines() if not nested.startswith(row[:8]))
    error = refuse(f"{good}{nested}\n")
    (problem,) = (p for p in error.problems if p.message == "unknown field")
    assert problem.path == (f"{section}.{typo}" if section else typo)
    assert problem.suggestion == meant
    row = (good + nested).splitlines()[problem.line - 1]
    assert row[problem.column - 1 :].startswith(typo)


def test_problems_found_later_have_their_place_too(tmp_path):
    path = tmp_path / "spec.yaml"
    path.write_text(GOOD + "architecture:\n  dims:\n    n_heads: 7\n    d_model: 100\n")
    spec = load_spec(path)
    error = spec.error(
        [
            Problem("architecture.dims.n_heads", "does not divide"),
            Problem("constraints.parameter_budget.max", "is below the minimum"),
        ]
    )
    assert f"{path}:6:14  architecture.dims.n_heads: does not divide" in str(error)
    assert f"{path}:1:1  constraints.parameter_budget.max: is below" in str(error)


def test_an_error_survives_pickling(refuse):
    error = refuse(WRONG)
    again = pickle.loads(pickle.dumps(error))
    assert str(again) == str(error)
    assert again.problems == error.problems


def test_nothing_reaches_the_terminal_that_it_would_obey(refuse):
    error = refuse('"\\e[31m": 1\nname: "\\e[0m\\u202e"\ntask: {"\\r": 2}\n')
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", str(error))


def test_values_are_shown_as_written():
    assert show("é∞") == '"é∞"'
    assert show("x" * 100) == '"' + "x" * 59 + '…"'
    assert show(None) == "null"
    assert show([]) == "an empty list"
    assert show(10**5000) == "a very large number"
    assert dotted(("a", 0, "b")) == "a[0].b"
    assert closest("x" * 10_000, ["x"]) is None


LEAVES = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=8)
    | st.dates()
    | st.binary(max_size=4)
    | st.sampled_from(["text", "20B", "∞", "offline", 10**4000])
)


def _field_names(model, found=None):
    found = set() if found is None else found
    for name, field in model.model_fields.items():
        found.add(name)
        if hasattr(field.annotation, "model_fields"):
            _field_names(field.annotation, found)
    return found


NAMES = st.sampled_from(sorted(_field_names(ModelSpec))) | st.text(max_size=5) | st.integers()
GARBAGE = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=20,
)
DOCUMENTS = st.fixed_dictionaries(
    {},
    optional={
        name: GARBAGE
        | st.fixed_dictionaries(
            {},
            optional={
                inner: GARBAGE
                for inner in getattr(ModelSpec.model_fields[name].annotation, "model_fields", {})
            },
        )
        for name in ModelSpec.model_fields
    },
)


@settings(max_examples=300, deadline=None)
@given(DOCUMENTS | GARBAGE)
def test_garbage_raises_nothing_but_a_spec_error(data):
    try:
        spec = parse(data)
    except SpecError as error:
        assert error.problems
        assert str(error).startswith("error: spec")
    else:
        assert parse(spec.resolved()).resolved() == spec.resolved()


@settings(max_examples=300, deadline=None)
@given(
    st.text(max_size=60)
    | st.text(alphabet="abn:-[]{}&*!|>'\"\n \t#?%@,<0.", max_size=60)
    | st.text(max_size=30).map(lambda tail: GOOD + tail)
)
def test_garbage_text_raises_nothing_but_a_spec_error(text):
    try:
        data = load_text(text)
    except SpecError as error:
        assert str(error).startswith("error: <stdin>")
    else:
        assert isinstance(data, dict)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_every_value_is_where_the_document_says(data):
    """Break one line of a good document: the error is on that line, at that value."""
    lines = [
        ("name", "name: ", "[1]"),
        ("constraints.device", "  device: ", "gpuuu"),
        ("constraints.memory_budget", "  memory_budget: ", "12 bananas"),
        ("reproducibility.seed", "  seed: ", "-7"),
    ]
    broken = data.draw(st.sets(st.sampled_from(range(4)), min_size=1))
    blank = data.draw(st.lists(st.integers(0, 2), min_size=4, max_size=4))
    good = ["x", "cpu", "12GB", "7"]
    text = ['metagen_version: "1.0"', "modality: {inputs: text, outputs: text}"]
    expected = []
    for index, (path, prefix, bad) in enumerate(lines):
        if index == 1:
            text.append("constraints:")
        if index == 3:
            text.append("reproducibility:")
        text += ["# é 模型 😀"] * blank[index]
        text.append(prefix + (bad if index in broken else good[index]))
        if index in broken:
            expected.append((path, len(text), len(prefix) + 1))
    document = read_document("\n".join(text), "s")
    with pytest.raises(SpecError) as caught:
        parse(document.data, "s", document)
    assert [(p.path, p.line, p.column) for p in caught.value.problems] == expected


@pytest.mark.parametrize("chapter", RECORD.chapters, ids=lambda chapter: chapter.__name__)
def test_word_for_word(chapter):
    assert RECORD.now(chapter) == RECORD.then(chapter)
