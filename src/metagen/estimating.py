"""What `metagen estimate` shows of one model or several: figures, memory, phases, constraints."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .summaries import answer, cell, new_table
from .terminal import console
from .utils import formatting as fmt

if TYPE_CHECKING:
    from typing import TextIO

    from .synth.engine import Assessment

FIGURES = (
    ("parameters", "total_params"),
    ("active parameters", "active_params"),
    ("layers", "n_layers"),
    ("width", "d_model"),
    ("heads", "n_heads"),
    ("key/value heads", "n_kv_heads"),
    ("feed-forward width", "d_ff"),
    ("vocabulary", "vocab_size"),
    ("context", "context_window"),
    ("experts", "n_experts"),
    ("image size", "image_size"),
    ("patch size", "patch_size"),
    ("FLOPs per token", "flops_per_token"),
    ("FLOPs per frame", "flops_per_frame"),
    ("FLOPs per denoising step", "flops_per_step"),
    ("FLOPs per sample", "flops_per_sample"),
    ("decoding speed", "decode_tokens_per_s"),
    ("first token", "first_token_s"),
    ("throughput", "samples_per_s"),
    ("one sample", "latency_s"),
    ("training tokens", "train_tokens"),
    ("training samples", "train_samples"),
    ("training time", "train_days"),
    ("FLOPs utilisation in training", "mfu"),
    ("training energy", "train_energy_kwh"),
    ("Spec-Fidelity@1", "spec_fidelity_1"),
    ("Novelty-Per-Parameter", "novelty_per_parameter"),
)

#: Parts of memory by what users call them, in the order of the picture.
PARTS = {
    "weights": "weights",
    "optimizer": "optimizer",
    "gradients": "gradients",
    "state": "decode state",
    "activations": "activations",
    "exchange": "exchange",
    "workspace": "workspace",
}


def show_estimates(found: Sequence[tuple[str, Assessment]], stream: TextIO) -> None:
    """One column a model: its figures, its memory; then phases and constraints of each."""
    out = console(stream)
    out.print(_figures(found))
    out.print()
    out.print(_memory(found))
    for name, assessment in found:
        out.print()
        out.print(_phases(name, assessment))
        out.print()
        out.print(_constraints(assessment))
        out.print()
        for line in (*_trade_offs(assessment), verdict(assessment)):
            out.print(cell(line))


def verdict(assessment: Assessment) -> str:
    """What the training hardware reaches, in one sentence."""
    from .synth.documents import verdict

    return verdict(assessment.training)


def _figures(found: Sequence[tuple[str, Assessment]]) -> Any:
    table = _columns(found)
    table.add_column("")
    for label, key in FIGURES:
        figures = [assessment.figures.get(key) for _, assessment in found]
        known = [figure for figure in figures if figure is not None]
        if not known or (key == "active_params" and not any(map(_sparse, found))):
            continue
        texts = ["–" if figure is None else figure.text for figure in figures]
        table.add_row(label, *map(cell, texts), known[0].provenance)
    return table


def _sparse(named: tuple[str, Assessment]) -> bool:
    figures = named[1].figures
    return figures["active_params"].value != figures["total_params"].value


def _memory(found: Sequence[tuple[str, Assessment]]) -> Any:
    table = _columns(found)
    inference = [assessment.blueprint.design.serving for _, assessment in found]
    training = [assessment.training for _, assessment in found]
    table.add_row("inference on", *(cell(serving.device.name) for serving in inference))
    table.add_row(
        "", *(cell(f"{s.precision}, batch {s.batch}{_context(s.context)}") for s in inference)
    )
    _parts(table, [serving.memory.parts for serving in inference])
    table.add_row(
        "of", *(cell(f"{fmt.memory(s.device.memory)}, {_fits(s.fits)}") for s in inference)
    )
    table.add_section()
    table.add_row("training on", *(cell(f"{p.devices} × {p.device.name}") for p in training))
    table.add_row("", *(cell(_layout(plan)) for plan in training))
    _parts(table, [plan.memory.parts for plan in training])
    table.add_row(
        "of", *(cell(f"{fmt.memory(p.device.memory)}, {_fits(p.fits)}") for p in training)
    )
    return table


def _parts(table: Any, columns: Sequence[Mapping[str, float]]) -> None:
    for part, label in PARTS.items():
        if any(column.get(part) for column in columns):
            table.add_row(f"  {label}", *(fmt.memory(column.get(part, 0.0)) for column in columns))
    table.add_row("  peak memory", *(fmt.memory(sum(column.values())) for column in columns))


def _layout(plan: Any) -> str:
    text = f"{plan.parallelism}, micro-batch {plan.micro_batch}"
    return f"{text}, checkpointing" if plan.checkpointing else text


def _context(context: int) -> str:
    return f", {fmt.tokens(context)} tokens" if context else ""


def _fits(fits: bool) -> str:
    return "fits" if fits else "does not fit"


def _phases(name: str, assessment: Assessment) -> Any:
    table = new_table()
    table.add_column(cell(name))
    table.add_column("time", justify="right")
    table.add_column("limit")
    for heading in ("FLOPs", "moved", "alive"):
        table.add_column(heading, justify="right")
    for phase in assessment.blueprint.design.serving.phases:
        many = f"{fmt.significant(phase.times)} × " if phase.times not in (0, 1) else ""
        table.add_row(
            phase.name,
            f"{many}{fmt.seconds(phase.seconds)}",
            phase.limit,
            fmt.flops(phase.flops),
            fmt.memory(phase.moved),
            fmt.memory(phase.peak),
        )
    return table


def _constraints(assessment: Assessment) -> Any:
    table = new_table()
    for heading in ("constraint", "asked", "achieved", "satisfied"):
        table.add_column(heading, overflow="fold")
    for row in assessment.blueprint.constraints:
        texts = row.constraint, row.asked, row.achieved
        table.add_row(*map(cell, texts), answer(row.satisfied))
    return table


def _trade_offs(assessment: Assessment) -> Iterator[str]:
    """What was given up for which constraints, what was missed, and what would do instead."""
    plan = assessment.blueprint
    if plan.given_up:
        yield f"given up: {'; '.join(plan.given_up)}"
    for row in plan.constraints:
        apart = row.given_up and row.given_up != "; ".join(plan.given_up)
        told = [
            "not satisfied" if not row.satisfied else "binds" if row.would_satisfy else "",
            f"given up: {row.given_up}" if apart else "",
            f"{row.would_satisfy} would do" if row.would_satisfy else "",
        ]
        if any(told):
            yield f"{row.constraint}: {'; '.join(filter(None, told))}"


def _columns(found: Sequence[tuple[str, Assessment]]) -> Any:
    table = new_table()
    table.add_column("")
    for name, _ in found:
        table.add_column(cell(name), justify="right", overflow="fold")
    return table


def estimate_document(spec: Any, assessment: Assessment) -> dict[str, Any]:
    """The same as plain data: base units, provenance and method of every figure."""
    from . import __version__
    from .synth import documents

    serving = assessment.blueprint.design.serving
    return {
        "name": spec.name,
        "metagen_version": __version__,
        "seed": spec.reproducibility.seed,
        "spec_id": assessment.spec_id,
        "figures": {
            key: {
                "value": figure.value,
                "unit": figure.unit,
                "text": figure.text,
                "provenance": figure.provenance,
                "method": figure.method,
            }
            for key, figure in assessment.figures.items()
            if figure.value is not None
        },
        "inference": {
            "device": serving.device.name,
            "precision": serving.precision,
            "context_tokens": serving.context,
            "batch": serving.batch,
            "memory_bytes": serving.memory.parts,
            "peak_bytes": serving.memory.peak,
            "fits": serving.fits,
            "phases": [asdict(phase) for phase in serving.phases],
            "provenance": "estimated",
        },
        "training": documents.training(assessment.training),
        "feasibility": [asdict(row) for row in assessment.blueprint.constraints],
        "notes": [asdict(note) for note in assessment.notes],
    }


def draw_memory(found: Sequence[tuple[str, Assessment]], path: Path) -> None:
    """Draw peak memory by part, of inference and of training, beside what the devices have.

    Raises:
        ValueError: for a file type that matplotlib does not write.
    """
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    bars = []
    for name, assessment in found:
        serving, plan = assessment.blueprint.design.serving, assessment.training
        bars.append((f"{name}\ninference", serving.memory.parts, serving.device.memory))
        bars.append((f"{name}\ntraining", plan.memory.parts, plan.device.memory))
    figure = Figure(figsize=(7.2, 0.9 + 0.55 * len(bars)), layout="constrained")
    axes = figure.subplots()
    left = [0.0] * len(bars)
    for (part, label), colour in zip(PARTS.items(), COLOURS, strict=True):
        sizes = [parts.get(part, 0.0) / 1e9 for _, parts, _ in bars]
        if any(sizes):
            axes.barh(range(len(bars)), sizes, left=left, height=0.6, color=colour, label=label)
        left = [start + size for start, size in zip(left, sizes, strict=True)]
    for row, (_, _, memory) in enumerate(bars):
        axes.plot([memory / 1e9] * 2, [row - 0.4, row + 0.4], color="0.5", linewidth=1.5)
    axes.plot([], [], color="0.5", linewidth=1.5, label="memory of the device")
    axes.set_yticks(range(len(bars)), [name for name, _, _ in bars])
    axes.invert_yaxis()
    axes.set_xlabel("GB")
    axes.spines[["top", "right"]].set_visible(False)
    figure.legend(loc="outside lower center", ncols=4, frameon=False)
    undated = {".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
    with rc_context({"svg.hashsalt": "metagen"}):
        figure.savefig(path, metadata=undated.get(path.suffix))


#: Okabe and Ito (2008): told apart by all kinds of colour vision; one for each of `PARTS`.
COLOURS = ("#0072B2", "#56B4E9", "#009E73", "#F0E442", "#E69F00", "#CC79A7", "#999999")
