"""The comparison with other estimators: the page is current, and what it calls exact is so."""

from __future__ import annotations

import importlib
import json
import sys
from importlib.resources import files
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
PUBLISHED = {
    model["name"]: model
    for model in json.loads((files("metagen.synth") / "published.json").read_text(encoding="utf-8"))
}
#: FLOPs of Whisper's mel filters: MetaGen's network hears a waveform, the library's sees a picture.
FRONT_END = {"Whisper-small": 2 * 80 * 201 * 3000}


@pytest.fixture(scope="module")
def comparison() -> ModuleType:
    """The module that makes the page."""
    sys.path.insert(0, str(ROOT / "benchmarks"))
    try:
        return importlib.import_module("estimators_page")
    finally:
        sys.path.remove(str(ROOT / "benchmarks"))


def test_the_page_is_current(comparison):
    page = (ROOT / "docs" / "estimators.md").read_text(encoding="utf-8")
    assert page == comparison.page()


def test_metagen_is_exact_in_every_row(comparison):
    for case in comparison.cases(comparison.record()):
        assert case.metagen == case.exact, case.name


def test_what_pytorch_counted_is_what_was_published(comparison):
    record = comparison.record()
    models = record["tools"]["PyTorch"]["models"]
    assert models.keys() - PUBLISHED.keys() == record["additional"].keys()
    for name in models.keys() & PUBLISHED.keys():
        counted, published = models[name], PUBLISHED[name]
        assert counted["params"] == published["params"]
        if "forward_flops" in published:
            rest = published["forward_flops"]["total"] - counted["forward_flops"]
            assert rest == FRONT_END.get(name, 0), name


def test_every_tool_was_asked_about_every_model_it_can_express(comparison):
    record = comparison.record()
    for tool in set(comparison.TOOLS) - {"MetaGen"}:
        wanted = set(record["tools"]["PyTorch"]["models"])
        if tool in comparison.FORMULAS:
            wanted = {name for name in wanted if "kv_bytes" in _exact(comparison, record, name)}
        assert set(record["tools"][tool]["models"]) == wanted, tool


def _exact(comparison, record, name):
    return next(case.exact for case in comparison.cases(record) if case.name == name)


def test_deepspeed_is_exact_as_the_page_says_and_the_others_are_not(comparison):
    record = comparison.record()
    found, tools = comparison.cases(record), record["tools"]
    right = {
        tool
        for tool in comparison.TOOLS
        if all(
            figure == comparison.wanted(case, tool, quantity)
            for case in found
            for quantity, figure in comparison.said(case, tool, tools).items()
            if quantity in case.exact
        )
    }
    assert right == {"MetaGen", "DeepSpeed"}


def test_an_error_is_signed_and_exact_is_said_only_of_equals(comparison):
    assert comparison.error(8, 8) == "exact"
    assert comparison.error(1_000_001, 1_000_000) == "+0.00 %"
    assert comparison.error(50, 100) == "-50.00 %"
