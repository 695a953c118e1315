"""Plain data written as YAML and JSON: the same bytes everywhere, and the same data back."""

from __future__ import annotations

import json
import math

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from metagen.specs.loader import load_text
from metagen.utils.io import WIDTH, from_json, from_yaml, to_json, to_yaml

SCALARS = (
    st.none()
    | st.booleans()
    | st.integers(-(10**30), 10**30)
    | st.floats(allow_nan=False)
    | st.text(max_size=20)
    | st.text("ab: #-'\"\n\t{}[],&*!|>%@`\\", max_size=12)
    | st.sampled_from(["yes", "No", "null", "~", "1e3", "1_0", "0x1", "012", "1:30", "2024-01-01"])
    | st.sampled_from([".inf", "=", "<<", "- a", "a: b", "a #b", " a", "a ", "\u2028", "\ufeff"])
)
KEYS = st.text(max_size=6) | st.sampled_from(["a", "on", "1", "null", "a b"])
DATA = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=15,
)


@settings(max_examples=400, deadline=None)
@given(DATA)
def test_yaml_reads_back(data):
    text = to_yaml(data)
    assert text.endswith("\n")
    for loader in {yaml.SafeLoader, getattr(yaml, "CSafeLoader", yaml.SafeLoader)}:
        assert yaml.load(text, Loader=loader) == data
    assert from_yaml(text) == data
    assert all(line == line.rstrip() for line in text.splitlines()) or "\n" in repr(data)


@settings(max_examples=200, deadline=None)
@given(st.dictionaries(KEYS, DATA, min_size=1, max_size=4))
def test_specifications_read_it_alike(data):
    if "<<" not in data:
        assert load_text(to_yaml(data)) == data


@settings(max_examples=200, deadline=None)
@given(DATA)
def test_json_reads_back(data):
    try:
        json.dumps(data, allow_nan=False)
    except ValueError:
        with pytest.raises(ValueError):
            to_json(data)
    else:
        assert from_json(to_json(data)) == data


def test_yaml_looks_as_a_person_would_write_it():
    data = {
        "name": "x",
        "version": "1.0",
        "title": "two words",
        "budget": "20B",
        "ratio": 0.00001,
        "tiny": 1e-30,
        "count": 3,
        "whole": 3.0,
        "on": True,
        "none": None,
        "modalities": ["text", "3d"],
        "empty": [],
        "nothing": {},
        "nested": {"infinite": "∞", "rows": [{"a": 1, "b": [1, 2]}, {"a": 2}]},
        "prose": "one\ntwo\n",
        "grid": [[1, 2], [3, 4]],
        "long": ["word " * 8 + "end"] * 3,
    }
    long = f"  - {'word ' * 8}end\n"
    assert to_yaml(data) == (
        'name: x\nversion: "1.0"\ntitle: two words\nbudget: "20B"\nratio: 0.00001\n'
        'tiny: 1.0e-30\ncount: 3\nwhole: 3.0\n"on": true\nnone: null\n'
        'modalities: [text, "3d"]\nempty: []\nnothing: {}\nnested:\n  infinite: "∞"\n  rows:\n'
        "    - a: 1\n      b: [1, 2]\n    - a: 2\nprose: |\n  one\n  two\n"
        f"grid:\n  - [1, 2]\n  - [3, 4]\nlong:\n{long * 3}"
    )


def test_json_keeps_small_things_on_a_line():
    data = {
        "embed.weight": {"shape": [50257, 768], "kind": "parameter", "trainable": True},
        "name": "∞",
        "list": [],
    }
    assert to_json(data) == (
        '{\n  "embed.weight": {"shape": [50257, 768], "kind": "parameter", "trainable": true},\n'
        '  "name": "∞",\n  "list": []\n}\n'
    )
    assert to_json({"a": 1}) == '{\n  "a": 1\n}\n'
    assert to_json([]) == "[]\n"


def test_long_lines_are_broken():
    data = {"rows": [{"key": "v" * 40, "other": "w" * 40, "third": "x" * 40}]}
    assert all(len(line) <= WIDTH for line in to_json(data).splitlines())


@pytest.mark.parametrize("write", [to_yaml, to_json])
@pytest.mark.parametrize("data", [{1: 2}, {"a": {3}}, [object()], {"a": b"x"}, {None: 1}])
def test_only_plain_data(write, data):
    with pytest.raises(TypeError):
        write(data)


def test_numbers_without_a_decimal_expansion():
    assert to_yaml([math.inf, -math.inf]) == "[.inf, -.inf]\n"
    assert math.isnan(from_yaml(to_yaml([math.nan]))[0])
    with pytest.raises(ValueError):
        to_json({"a": math.nan})


def test_nothing_depends_on_libyaml(monkeypatch):
    data = {"a": ["x", {"b": "∞: #"}], "c": "1\n2"}
    written = to_yaml(data)
    monkeypatch.delattr(yaml, "CSafeLoader", raising=False)
    assert to_yaml(data) == written
    assert from_yaml(written) == data
