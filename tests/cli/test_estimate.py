"""`metagen estimate`: what-ifs, several models side by side, JSON, and a picture of the memory."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest


def estimated(metagen: Callable, *arguments: str) -> dict:
    done = metagen("estimate", *arguments, "--json")
    assert done.status == 0, done.err
    return json.loads(done.out)


def test_parts_of_memory_add_up(metagen: Callable) -> None:
    found = estimated(metagen, "text_llm_8b")
    inference, layout = found["inference"], found["training"]["layout"]
    assert sum(inference["memory_bytes"].values()) == inference["peak_bytes"]
    peak = found["figures"]["peak_memory_gb"]["value"]
    assert inference["peak_bytes"] == pytest.approx(peak, rel=1e-6)
    assert sum(layout["memory_parts_gb"].values()) == pytest.approx(layout["memory_per_device_gb"])


def test_a_longer_context_and_a_larger_batch_take_more(metagen: Callable) -> None:
    short, long, many = (
        estimated(metagen, "text_llm_8b", *flags)["inference"]
        for flags in (("--context", "1k"), ("--context", "8k"), ("--context", "8k", "--batch", "4"))
    )
    per_token = 2 * 2 * 8 * 128 * 32  # keys and values in bf16, 8 heads of 128, 32 layers
    assert short["memory_bytes"]["state"] == 1024 * per_token
    assert long["memory_bytes"]["state"] == 8192 * per_token
    assert many["memory_bytes"]["state"] == 4 * 8192 * per_token
    assert short["memory_bytes"]["weights"] == many["memory_bytes"]["weights"]
    assert short["memory_bytes"]["activations"] < many["memory_bytes"]["activations"]


def test_another_device_changes_speed_and_whether_it_fits(metagen: Callable) -> None:
    here = estimated(metagen, "text_llm_8b")
    there = estimated(metagen, "text_llm_8b", "--device", "rtx 3060")
    assert here["figures"]["total_params"] == there["figures"]["total_params"]
    assert here["inference"]["fits"] and not there["inference"]["fits"]
    speeds = [x["figures"]["decode_tokens_per_s"]["value"] for x in (here, there)]
    assert speeds[1] < speeds[0]
    limits = {row["name"]: row["limit"] for row in there["inference"]["phases"]}
    assert (limits["prefill"], limits["decode"]) == ("arithmetic", "bandwidth")
    assert set(limits.values()) <= {"arithmetic", "bandwidth", "launches"}


def test_several_models_stand_side_by_side(metagen: Callable) -> None:
    done = metagen("estimate", "text_llm_8b", "text_mamba", env={"COLUMNS": "120"})
    head = next(line for line in done.out.splitlines() if "text_llm_8b" in line)
    assert "text_mamba" in head
    found = estimated(metagen, "text_llm_8b", "text_mamba")
    assert [one["name"] for one in found] == ["text_llm_8b", "text_mamba"]


@pytest.mark.parametrize("suffix", ["png", "svg", "pdf"])
def test_the_picture_is_drawn_and_the_same_twice(
    suffix: str, metagen: Callable, tmp_path: Path
) -> None:
    pictures = []
    for name in ("one", "two"):
        path = tmp_path / f"{name}.{suffix}"
        assert metagen("estimate", "edge_tiny_agent", "--figure", str(path)).status == 0
        pictures.append(path.read_bytes())
    assert pictures[0] == pictures[1] and len(pictures[0]) > 2000


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (("--device", "rtx 409"), ("--device", "RTX")),
        (("--context", "16k"), ("--context", "8k")),
        (("--context", "many"), ("--context",)),
        (("--context", "∞"), ("--context", "how many")),
        (("--batch", "0"), ("--batch",)),
        (("--figure", "memory.docx"), ("--figure", "docx")),
    ],
)
def test_what_cannot_be_is_refused_by_name(flags, words, metagen: Callable, tmp_path: Path) -> None:
    done = metagen("estimate", "text_llm_8b", *flags, cwd=tmp_path)
    assert done.status == 2 and done.out == ""
    assert all(word in done.err for word in words), done.err
    assert list(tmp_path.iterdir()) == []


def test_a_model_without_context_says_so(metagen: Callable) -> None:
    done = metagen("estimate", "image_classifier_vit", "--context", "1k")
    assert done.status == 2 and "keeps no context" in done.err
