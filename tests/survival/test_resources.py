"""A document costs what its honest kind would: seconds and megabytes are bounded, whatever it says.

`tests/specs/test_hostile.py` has the documents that are no specification. Here are those that could
be one: endless text in any field, numbers and dimensions at the ends of their ranges, and the whole
command before files that are too large, too deep or expand. Times are of the processor, so that a
busy machine fails nothing.
"""

from __future__ import annotations

import copy
import time
from collections.abc import Iterator
from typing import Any

import pytest

from metagen.specs.errors import SpecError
from metagen.specs.loader import load_spec, parse
from metagen.specs.schema import Task
from metagen.synth.engine import plan

REFUSAL = 2.0
"""CPU seconds that the command may take to refuse a document, its own start included."""

PLAN = 5.0
"""CPU seconds that a plan may take; a published model of 70 thousand tensors takes three."""

MEGABYTES = 200
"""Peak memory of the command, in units of 10⁶ bytes."""

LONG = 100_000
ENDLESS = {
    "digits": "9" * LONG,
    "exponents": "1e" * (LONG // 2),
    "underscores": "1" + "_1" * (LONG // 2),
    "blanks": "1" + " " * LONG + "x",
    "units": "1 day " * (LONG // 6),
    "products": "8xH100+" * (LONG // 7),
    "infinities": "∞" * LONG,
    "accents": "e" + "\u0301" * LONG,
    "lines": "a\n" * (LONG // 2),
}


def whole_document() -> dict[str, Any]:
    """A document with every field there is."""
    document = load_spec("text_llm_8b").resolved()
    document["task"] = dict.fromkeys(Task.model_fields, 1) | document["task"]
    document["architecture"] |= {"precision": "bf16", "dims": {"arch": "x", "n_layers": 2}}
    return document


def leaves(value: Any, path: tuple = ()) -> Iterator[tuple]:
    """The paths of all scalars and lists."""
    if isinstance(value, dict):
        for key, held in value.items():
            yield from leaves(held, (*path, key))
    else:
        yield path
        if isinstance(value, list) and value:
            yield from leaves(value[0], (*path, 0))


def replaced(document: dict[str, Any], path: tuple, value: Any) -> dict[str, Any]:
    changed = copy.deepcopy(document)
    holder = changed
    for step in path[:-1]:
        holder = holder[step]
    holder[path[-1]] = value
    return changed


@pytest.mark.parametrize("kind", ENDLESS)
def test_endless_text_in_any_field(kind, count):
    """Refused everywhere, without a pattern that runs away, in a message of few words."""
    document = whole_document()
    paths = list(leaves(document))
    assert len(paths) > 60
    count(documents_tried=len(paths), bytes_tried=len(paths) * len(ENDLESS[kind].encode()))
    for path in paths:
        begun = time.process_time()
        with pytest.raises(SpecError) as caught:
            parse(replaced(document, path, ENDLESS[kind]))
        assert len(str(caught.value)) < 4000, path
        assert time.process_time() - begun < 0.5, path


HUGE = {
    "integer": 10**400,
    "list": list(range(100_000)),
    "nested": [[[[[[1]]]]]] * 10_000,
    "mapping": {f"k{i}": i for i in range(20_000)},
    "infinity": float("inf"),
    "not a number": float("nan"),
}


@pytest.mark.parametrize("kind", HUGE)
def test_huge_values_in_any_field(kind, count):
    document = whole_document()
    paths = list(leaves(document))
    count(documents_tried=len(paths))
    for path in paths:
        begun = time.process_time()
        try:
            parse(replaced(document, path, HUGE[kind]))
        except SpecError as error:
            assert str(error)
        else:
            assert kind == "infinity", path  # where a quantity may be ∞
        assert time.process_time() - begun < REFUSAL, path


#: Dimensions at the ends of their ranges, alone and in company, that once took minutes.
EXTREMES = [
    ("text_moe", {"n_layers": 2048, "n_experts": 4096}),
    ("text_moe", {"n_layers": 61, "n_experts": 384, "d_model": 7168, "d_ff": 2048}),
    ("text_llm_8b", {"d_ff": 1}),
    ("text_hybrid", {"d_model": 262144}),
    ("graph_nodes_gcn", {"d_model": 262144}),
    ("3d_point_cloud", {"d_model": 262144}),
    ("audio_diffusion", {"d_model": 262144}),
    ("video_diffusion", {"d_model": 262144}),
    ("multimodal_clip", {"vision_d_model": 262144}),
    ("image_detection", {"depths": [512] * 4}),
    ("image_autoencoder", {"ae_layers_per_block": 8}),
]
ODD = [
    ("text_hybrid", {"d_model": 97}),
    ("text_mamba", {"n_groups": 4096}),
    ("image_segmentation", {"stage_heads": [4096] * 4}),
    ("image_diffusion_pixel", {"pooled_prompt": True}),
]


@pytest.mark.parametrize(("example", "dims"), EXTREMES + ODD)
def test_extreme_dimensions(example, dims, count):
    """Planned or refused, in bounded time; nothing but a `SpecError` comes out."""
    count(documents_tried=1)
    document = load_spec(example).stated
    document["architecture"] = {**(document.get("architecture") or {}), "dims": dims}
    begun = time.process_time()
    try:
        release = plan(parse(document))
    except SpecError as error:
        assert "architecture.dims" in str(error)
    else:
        assert len(release.blueprint["state_dict"]["tensors"]) <= 100_000
    assert time.process_time() - begun < PLAN


HEAD = 'metagen_version: "1.0"\nname: x\nmodality: {inputs: text, outputs: text}\n'
LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{chr(c + 1)}: &{chr(c + 1)} [{', '.join([f'*{chr(c)}'] * 9)}]\n"
    for c in range(ord("a"), ord("k"))
)
FILES = {
    "alias bomb": (HEAD + LAUGHS, "aliases expand"),
    "deep": (HEAD + "data: " + "[" * 60_000, "nested too deeply"),
    "deep blocks": (HEAD + "".join(f"{' ' * i}a:\n" for i in range(600)), "nested too deeply"),
    "wide": (HEAD + "data: [" + "1," * 100_000 + "]", "too many parts"),
    "number": (HEAD + f"reproducibility: {{seed: {'9' * 200_000}}}", "not a whole number"),
    "long key": (HEAD + "k" * 200_000 + ": 1", "too large|not YAML|unknown"),
    "experts": (
        HEAD + "architecture: {dims: {n_layers: 2048, n_experts: 4096}}",
        "too long to list",
    ),
}


@pytest.mark.parametrize("kind", FILES)
def test_the_command_before_such_a_file(metagen, tmp_path, kind, count):
    text, reason = FILES[kind]
    count(documents_tried=1, bytes_tried=len(text))
    (tmp_path / "spec.yaml").write_text(text)
    refused(metagen("validate", tmp_path / "spec.yaml"), reason)


def test_the_command_before_an_endless_file(metagen, tmp_path):
    """Four gigabytes, of which no more is read than a specification may have."""
    with (tmp_path / "spec.yaml").open("wb") as file:
        file.truncate(4 * 10**9)
    refused(metagen("validate", tmp_path / "spec.yaml"), "too large")
    refused(metagen("validate", "-", stdin=b"a" * 10**7), "too large")


def refused(done: Any, reason: str) -> None:
    assert done.status == 2 and "Traceback" not in done.err
    assert any(part in done.err for part in reason.split("|")), done.err[:500]
    assert len(done.err) < 4000
    assert done.cpu < REFUSAL
    assert done.peak < MEGABYTES * 10**6
