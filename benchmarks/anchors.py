"""Predictions for one H200 beside what other implementations of the same models were measured at.

    python benchmarks/anchors.py

The models are published ones, by other authors and in their own code, so that the comparison
asks what a planner asks: how long does such a model take, and how much memory? The constants of
`metagen.synth.estimates` were chosen on the times of this table; nothing was fitted to its memory.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from metagen.specs.loader import parse
from metagen.synth import estimates
from metagen.synth.architecture import blueprint
from metagen.synth.devices import ACCELERATORS
from metagen.synth.routing import route
from metagen.synth.trace import Trace

DEVICE = ACCELERATORS["H200"]
SETTING = (
    "one H200, torch 2.11, bf16 autocast over fp32 weights, fused AdamW, median of 10–15 steps"
)
GIB = 2**30


@dataclass(frozen=True)
class Anchor:
    """A measurement of somebody's training step.

    `rate` is in samples (tokens of a language model) per second, `peak` in bytes.
    """

    model: str
    implementation: str
    compiled: bool
    batch: int
    samples: int
    rate: float
    peak: float | None


ANCHORS = (
    Anchor("lm", "plain PyTorch", False, 4, 4 * 4096, 55_353, 47.35 * GIB),
    Anchor("lm", "plain PyTorch", True, 4, 4 * 4096, 70_237, 38.41 * GIB),
    Anchor("lm", "litgpt 0.5.13", True, 4, 4 * 4096, 71_284, 37.66 * GIB),
    Anchor("lm", "torchtitan 0.2.2", True, 4, 4 * 4096, 69_387, 36.16 * GIB),
    Anchor("ViT-B/16", "timm", False, 256, 256, 2_738, None),
    Anchor("ViT-B/16", "timm", True, 256, 256, 3_488, None),
    Anchor("ViT-B/16", "torchvision", True, 256, 256, 3_310, None),
    Anchor("DiT-XL/2", "the original", False, 64, 64, 372.0, 32.95 * GIB),
    Anchor("DiT-XL/2", "the original", True, 64, 64, 579.3, 28.87 * GIB),
    Anchor("SD1.5 U-Net", "diffusers", False, 16, 16, 86.2, 30.17 * GIB),
    Anchor("SD1.5 U-Net", "diffusers", True, 16, 16, 119.6, 23.18 * GIB),
)

#: The language model of the table, by its dimensions; the others are published checkpoints.
LM = {
    "n_layers": 16, "d_model": 2048, "n_heads": 32, "n_kv_heads": 8, "head_dim": 64, "d_ff": 8192,
    "vocab_size": 32768, "tied": False, "max_pos": 4096,
}  # fmt: skip
LABELS = {"lm": "language model, 1.1B"}

_SECTIONS: dict[str, dict[str, Any]] = {
    "lm": {"modality": {"inputs": ["text"], "outputs": ["text"]}},
    "ViT-B/16": {"modality": {"inputs": ["image"], "outputs": ["label"]}},
    "DiT-XL/2": {
        "modality": {"inputs": ["image"], "outputs": ["image"]},
        "training": {"objective": ["diffusion"]},
        "architecture": {"family": "transformer"},
    },
    "SD1.5 U-Net": {
        "modality": {"inputs": ["text"], "outputs": ["image"]},
        "training": {"objective": ["diffusion"]},
        "architecture": {"family": "diffusion"},
    },
}


@dataclass(frozen=True)
class Predicted:
    """What the engine says of an anchor: seconds of a step, and bytes at its peak."""

    seconds: float
    peak: float


def predict(anchor: Anchor) -> Predicted:
    """Trace a step of the anchor's model: forward, backward, clipping and AdamW."""
    part, run = _model(anchor.model)
    trace = Trace(blocks=getattr(part, "blocks", None))
    run(trace, anchor.batch)
    trace.close()
    passes = 3 * estimates.seconds(trace.ops, DEVICE, fused=anchor.compiled)
    spared = trace.light if anchor.compiled else 0
    alive = max(trace.peak, trace.backward_peaks[1]) - spared
    peak = 12 * part.count() + alive + estimates.WORKSPACE
    return Predicted(passes + estimates.optimizer_seconds(part.count(), DEVICE), peak)


def _model(name: str) -> tuple[Any, Callable[[Trace, int], None]]:
    """The part that the anchor trains, and its pass over a batch."""
    published = json.loads((files("metagen.synth") / "published.json").read_text(encoding="utf-8"))
    dims = LM if name == "lm" else next(m["config"] for m in published if m["name"] == name)
    sections = _SECTIONS[name]
    spec = parse(
        {
            "metagen_version": "1.0",
            "name": "anchor",
            **sections,
            "architecture": sections.get("architecture", {}) | {"dims": dims},
            "constraints": {"parameter_budget": {"max": "1T"}, "memory_budget": "∞",
                            "latency": "offline"},
        }
    )  # fmt: skip
    model: Any = blueprint(spec, route(spec)[0]).design.model
    if name == "lm":
        return model, lambda trace, batch: model.loss(trace, batch, LM["max_pos"])
    if name == "ViT-B/16":
        return model, lambda trace, batch: model.loss(trace, batch, 1)
    denoiser = model.denoiser
    prompt = {"DiT-XL/2": ((), "int64", 32), "SD1.5 U-Net": ((77, 768), "fp32", 64)}
    shape, dtype, side = prompt[name]

    def denoise(trace: Trace, batch: int) -> None:
        noisy, times = trace.given(batch, 4, side, side), trace.given(batch)
        out = denoiser(noisy, times, trace.given(batch, *shape, dtype=dtype))
        out.squared_error(trace.given(*out.shape))

    return denoiser, denoise


def rows() -> list[tuple[Anchor, Predicted]]:
    """Every anchor beside its prediction."""
    return [(anchor, predict(anchor)) for anchor in ANCHORS]


def table() -> str:
    """The comparison in Markdown."""
    lines = [
        "| model | implementation | | step, measured | predicted | ratio | peak, measured "
        "| predicted | ratio |",
        "|---|---|---|---:|---:|---:|---:|---:|---:|",
    ]
    for anchor, predicted in rows():
        measured = anchor.samples / anchor.rate
        cells = [
            LABELS.get(anchor.model, anchor.model),
            anchor.implementation,
            "compiled" if anchor.compiled else "eager",
            f"{measured * 1e3:.0f} ms",
            f"{predicted.seconds * 1e3:.0f} ms",
            f"{predicted.seconds / measured:.2f}",
        ]
        if anchor.peak is None:
            cells += ["–", f"{predicted.peak / GIB:.1f} GiB", "–"]
        else:
            cells += [
                f"{anchor.peak / GIB:.1f} GiB",
                f"{predicted.peak / GIB:.1f} GiB",
                f"{predicted.peak / anchor.peak:.2f}",
            ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(f"{SETTING}\n\n{table()}", end="")
