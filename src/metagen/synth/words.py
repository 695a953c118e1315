"""The words of a release: unescaped strings that prose, cards and templates may name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .architecture import Blueprint
from .routing import TOPOLOGY_NAME
from .solver import BYTE_VOCABULARY
from .training_plan import TrainingPlan

_MODALITY = {"3d": "3D", "time_series": "time series", "bounding_boxes": "bounding box",
             "segmentation_mask": "segmentation mask"}  # fmt: skip


def words(
    spec: Any, resolved: Mapping[str, Any], plan: Blueprint, training: TrainingPlan
) -> dict[str, str]:
    """Every word by key; the author's own strings appear here as they were written."""
    inputs = [_MODALITY.get(m, m) for m in spec.modality.inputs]
    outputs = [_MODALITY.get(m, m) for m in spec.modality.outputs]
    training_spec = resolved["training"]
    governance = training_spec["data"]["governance"]
    return {
        "name": spec.name,
        "title": title(spec.name),
        "slug": slug(spec.name),
        "description": spec.description,
        "inputs": listed(inputs),
        "outputs": listed(outputs),
        "modality_phrase": f"{'-and-'.join(inputs)}-to-{'-and-'.join(outputs)}",
        "task": spec.task.type.replace("_", " "),
        "domain": spec.task.domain,
        "objective": "autoregressive next-token prediction",
        "family": spec.architecture.family,
        "topology": TOPOLOGY_NAME,
        "device": spec.constraints.device,
        "device_name": plan.demands.device.name,
        "latency": spec.constraints.latency,
        "precision": plan.design.precision,
        "hardware": spec.training.compute.hardware.text,
        "duration": spec.training.compute.duration.text,
        "data_sources": listed(training_spec["data"]["sources"]),
        "data_size": training_spec["data"]["size"],
        "pii": governance["pii"],
        "copyright": governance["copyright"],
        "alignment_methods": listed(training_spec["alignment"]["method"]),
        "alignment_policy": training_spec["alignment"]["policy"],
        "determinism": spec.reproducibility.determinism,
        "tokenizer": tokenizer(plan.design.dims["vocab_size"]),
        "given_up": listed(plan.given_up) or "nothing",
        "parallelism": training.parallelism,
    }


def tokenizer(vocab_size: int) -> str:
    """What `data.py` reads text with: bytes where the vocabulary is no larger than that."""
    return "byte-level" if vocab_size <= BYTE_VOCABULARY else "byte-level BPE"


def listed(items: Any) -> str:
    """`a`, `a and b`, `a, b and c`; empty for nothing."""
    items = list(items)
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} and {items[-1]}"


def title(name: str) -> str:
    """A display name: `text_llm_8b` becomes `Text LLM 8B`; a name with spaces stays as it is."""
    if " " in name or name != name.lower():
        return name
    short = {"llm", "lm", "gpt", "rt", "ai", "ml", "rl", "vit", "tts", "asr", "3d", "moe"}
    parts = [p for p in re.split(r"[_\-]+", name) if p]
    cased = (p.upper() if p in short or p[0].isdigit() else p[0].upper() + p[1:] for p in parts)
    return " ".join(cased) or name


def slug(name: str) -> str:
    """A kebab-case ASCII name for URLs and distributions; `model` where nothing remains."""
    kept = re.sub(r"[^a-z0-9]+", "-", name.lower().encode("ascii", "ignore").decode()).strip("-")
    return kept[:60].strip("-") or "model"
