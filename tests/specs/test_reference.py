"""The JSON Schema and the reference page agree with the parser."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from metagen.specs import reference
from metagen.specs import vocabulary as v
from metagen.specs.errors import SpecError
from metagen.specs.loader import examples, json_schema, load_text, parse
from metagen.specs.schema import ModelSpec, children

SCHEMA = json_schema()
DOCS = Path(__file__).parents[2] / "docs"
PAGE = (DOCS / "spec_language.md").read_text(encoding="utf-8")
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def _fields(model=ModelSpec, path=""):
    for name, section in children(model).items():
        here = f"{path}.{name}" if path else name
        yield here, model.model_fields[name]
        if section:
            yield from _fields(section, here)


def _at(path):
    node = SCHEMA
    for step in path.split("."):
        node = node.get("items", node)["properties"][step]
    return node


def test_it_is_a_valid_schema():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"].endswith("2020-12/schema")
    assert "$ref" not in json.dumps(SCHEMA)
    assert json_schema() == SCHEMA


@pytest.mark.parametrize("path", [path for path, _ in _fields()])
def test_every_field_is_described_in_place(path):
    node = _at(path)
    assert node["description"].endswith(".")
    assert "title" not in node
    if "properties" in node and node.get("additionalProperties") is not False:
        assert path == "architecture.dims"


def test_mappings_are_closed():
    for path, _ in _fields():
        node = _at(path)
        node = node.get("items", node)
        if "properties" in node and path != "architecture.dims":
            assert node["additionalProperties"] is False


def test_enums_serve_completion():
    assert _at("constraints.device")["enum"][:4] == list(v.DEVICE.words)
    assert "batch" in _at("constraints.latency")["enum"]
    assert set(v.APPROXIMATED) <= set(_at("modality.outputs")["anyOf"][0]["items"]["enum"])
    assert _at("constraints.parameter_budget.max")["default"] == "20B"
    assert "d_model" in _at("architecture.dims")["properties"]


def test_it_accepts_the_canonical_document_and_the_examples(canonical):
    VALIDATOR.validate(yaml.safe_load(canonical))
    for path in examples().values():
        VALIDATOR.validate(load_text(path.read_text()))
        VALIDATOR.validate(parse(load_text(path.read_text())).resolved())


def test_examples_in_the_schema_are_valid(make):
    for path, field in _fields():
        for example in field.examples or []:
            jsonschema.validate(example, _at(path))


BASE = {"metagen_version": "1.0", "name": "x", "modality": {"inputs": ["text"], "outputs": "text"}}

AGREED = [
    ({"nmae": "x"}, False),
    ({"name": ""}, False),
    ({"name": 3}, False),
    ({"name": "x" * 101}, False),
    ({"metagen_version": 1.0}, True),
    ({"metagen_version": 2}, False),
    ({"modality": {"inputs": ["text"]}}, False),
    ({"modality": {"inputs": [], "outputs": ["text"]}}, False),
    ({"modality": {"inputs": ["txet"], "outputs": ["text"]}}, False),
    ({"modality": {"inputs": ["label"], "outputs": ["text"]}}, False),
    ({"modality": {"inputs": "vibes", "outputs": ["taste", "label"]}}, True),
    ({"constraints": {"parameter_budget": {"max": "20B"}}}, True),
    ({"constraints": {"parameter_budget": {"max": 20_000_000}}}, True),
    ({"constraints": {"parameter_budget": {"max": 0}}}, False),
    ({"constraints": {"parameter_budget": {"min": 5}}}, False),
    ({"constraints": {"memory_budget": "∞", "context_window": "∞"}}, True),
    ({"constraints": {"memory_budget": True}}, False),
    ({"constraints": {"memory_budget": -1}}, False),
    ({"constraints": {"throughput": "∞"}}, False),
    ({"constraints": {"throughput": "120 tok/s"}}, True),
    ({"constraints": {"throughput": 30}}, True),
    ({"constraints": {"device": "toaster"}}, False),
    ({"training": {"compute": {"hardware": "8xH100", "duration": "1 day 12 hours"}}}, True),
    ({"training": {"compute": {"hardware": 8}}}, False),
    ({"training": {"objective": []}}, False),
    ({"training": {"objective": "ar"}}, True),
    ({"architecture": {"components": [{"name": "A"}]}}, False),
    ({"architecture": {"components": [{"name": "A", "type": "b"}]}}, True),
    ({"architecture": {"dims": {"d_model": 64, "mlp": "gated", "tied": True}}}, True),
    ({"architecture": {"dims": {"d_model": [[64]]}}}, False),
    ({"task": {"num_classes": 10, "sample_rate": "16kHz"}}, True),
    ({"task": {"num_classes": 1}}, False),
    ({"task": "generation"}, False),
    ({"outputs": {"artifacts": []}}, True),
    ({"reproducibility": {"seed": -1}}, False),
    ({"$schema": "msl.schema.json"}, True),
]


@pytest.mark.parametrize(("change", "valid"), AGREED, ids=[json.dumps(c)[:60] for c, _ in AGREED])
def test_the_schema_and_the_parser_agree(change, valid):
    document = {**BASE, **change}
    assert VALIDATOR.is_valid(document) is valid
    try:
        parse(document)
        parsed = True
    except SpecError:
        parsed = False
    assert parsed is valid


@st.composite
def _drawn(draw, node):
    """Draw a value that a node of the schema means to allow."""
    if "enum" in node:
        return draw(st.sampled_from(node["enum"]))
    if "examples" in node:
        return draw(st.sampled_from(node["examples"]))
    if "anyOf" in node:
        return draw(_drawn(node["anyOf"][0]))
    if node["type"] == "integer":
        return draw(st.integers(node["minimum"], node["maximum"]))
    if node["type"] == "array":
        return draw(st.lists(_drawn(node["items"]), min_size=node.get("minItems", 0), max_size=2))
    if node["type"] == "object":
        required = {k: _drawn(n) for k, n in node["properties"].items() if k in node["required"]}
        return draw(st.fixed_dictionaries(required))
    return draw(st.text("abc ∞é", min_size=1, max_size=9).filter(str.strip))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.data())
def test_what_the_schema_allows_the_parser_takes(data):
    leaves = [p for p, f in _fields() if not _at(p).get("properties") and "components." not in p]
    document = json.loads(json.dumps(BASE))
    for path in data.draw(st.lists(st.sampled_from(leaves), max_size=6, unique=True)):
        *sections, name = path.split(".")
        target = document
        for section in sections:
            target = target.setdefault(section, {})
        target[name] = data.draw(_drawn(_at(path)))
    components = document.get("architecture", {}).get("components", [])
    if len({component["name"].strip() for component in components}) < len(components):
        del document["architecture"]["components"]
    assert VALIDATOR.is_valid(document)
    parse(document)


def test_the_reference_names_every_field_and_word():
    for path, _ in _fields():
        name = path.split(".")[-1]
        assert f"| `{name}` |" in PAGE or f"### `{path}`" in PAGE, path
    for vocabulary in (v.OUTPUT, v.TASK, v.OBJECTIVE, v.FAMILY, v.LATENCY, v.DEVICE, v.ARTIFACT):
        for word in (*vocabulary.words, *vocabulary.also):
            assert f"`{word}`" in PAGE


def test_every_field_has_a_type_a_default_what_is_allowed_an_example_and_a_meaning():
    tables = reference.field_tables().splitlines()
    rows = [line for line in tables if line.startswith("| `")]
    assert len(rows) == len(_leaves())
    for row in rows:
        cells = [cell.strip() for cell in row.strip("|").split("|")]
        assert len(cells) == 6 and all(cells), row
        assert cells[4].startswith("`") and cells[5].endswith("."), row


def _leaves():
    """The fields that hold a value, not a section of their own; components are both."""
    paths = [path for path, _ in _fields()]
    sections = {path.rpartition(".")[0] for path in paths} - {"architecture.components"}
    return [path for path in paths if path not in sections]


def test_the_examples_of_the_reference_are_accepted():
    sections = reference.field_tables().split("### ")
    for section in sections:
        title, *lines = section.splitlines()
        path = title.strip("`").split(".") if title.startswith("`") else []
        for line in lines:
            if not line.startswith("| `") or path == ["architecture", "components"]:
                continue
            name, example = (line.split(" | ")[i].strip("|` ") for i in (0, 4))
            if "…" in example:
                continue
            document = {name: load_text(f"x: {example}")["x"]}
            for step in reversed(path):
                document = {step: document}
            least = {"metagen_version": "1.0", "name": "x"}
            least |= {"modality": {"inputs": ["text"], "outputs": ["text"]}}
            stated = document.get("modality", {})
            parse(least | document | {"modality": least["modality"] | stated})


def test_the_tables_are_tables():
    for block in PAGE.split("\n\n"):
        rows = [row for row in block.splitlines() if row.startswith("|")]
        assert len({row.replace("\\|", "").count("|") for row in rows}) <= 1, block


def test_the_example_of_the_page_is_valid():
    shown = [block.split("```")[0] for block in PAGE.split("```yaml\n")[1:]]
    (example,) = (text for text in shown if "metagen_version" in text)
    parse(load_text(example))


@pytest.mark.parametrize(
    ("block", "table"),
    [
        ("fields", reference.field_tables), ("quantities", reference.quantity_table),
        ("vocabularies", reference.vocabulary_tables), ("dims", reference.dims_table),
        ("approximations", reference.approximation_table),
    ],
)  # fmt: skip
def test_the_page_has_every_table_word_for_word(block, table):
    held = PAGE.split(f"<!-- begin: {block} -->")[1].split(f"<!-- end: {block} -->")[0]
    assert held.strip() == table().strip()


def test_the_documented_schema_is_the_present_one():
    assert json.loads((DOCS / "msl.schema.json").read_text(encoding="utf-8")) == json_schema()
