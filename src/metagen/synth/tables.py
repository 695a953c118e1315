"""Tables of the documents, as plain rows that one filter turns into Markdown and one into LaTeX."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..utils.escaping import visible
from .release import Figure, Note

Cell = Any
"""A string (escaped), a `Figure` (marked), a `Prose`, or a tuple of them."""

NONE = "–"


@dataclass(frozen=True)
class Table:
    """Columns, their alignment (a letter of `lrc` each) and rows."""

    columns: tuple[Cell, ...]
    align: str
    rows: tuple[tuple[Cell, ...], ...]

    def __post_init__(self) -> None:
        widths = {len(self.align), len(self.columns), *map(len, self.rows)}
        if len(widths) > 1:
            raise ValueError(f"a table of uneven width: {sorted(widths)}")

    @property
    def tex_align(self) -> str:
        """The column specification of a booktabs table, without outer padding."""
        return "@{}" + self.align + "@{}"

    @property
    def head(self) -> Table:
        """The columns' names alone, for a table that repeats them on every page."""
        return replace(self, rows=())

    @property
    def body(self) -> Table:
        """The same rows under nameless columns, to continue another table."""
        return replace(self, columns=("",) * len(self.columns))


_CONTEXT = (
    ("Context (tokens)", "context_window"),
    ("Sliding window (tokens)", "sliding_window"),
)
_SIZE = (
    ("Parameters", "total_params"),
    ("of which trainable", "trainable_params"),
    ("of which embeddings", "embedding_params"),
    ("of which used for a token", "active_params"),
    ("Forward FLOPs per token", "flops_per_token"),
    ("the same, causal attention", "flops_per_token_causal"),
    ("Forward FLOPs per frame", "flops_per_frame"),
    ("the same, causal attention", "flops_per_frame_causal"),
    ("Forward FLOPs per denoising step", "flops_per_step"),
    ("the same, causal attention", "flops_per_step_causal"),
    ("Forward FLOPs per sample", "flops_per_sample"),
    ("the same, causal attention", "flops_per_sample_causal"),
    ("Cache per token", "kv_bytes_per_token"),
)
_MEMORY = (
    ("Weights", "weights_gb"),
    ("Key–value cache", "kv_cache_gb"),
    ("Activations", "activation_memory_gb"),
    ("Workspace", "workspace_gb"),
    ("Peak", "peak_memory_gb"),
)
_SPEED = (
    ("Decoding", "decode_tokens_per_s"),
    ("Decoding, context full", "decode_tokens_per_s_full_context"),
    ("First token", "first_token_s"),
    ("Throughput", "samples_per_s"),
    ("Latency", "latency_s"),
)
_TRAINING = (
    ("Tokens", "train_tokens"),
    ("Samples", "train_samples"),
    ("Tokens per parameter", "tokens_per_param"),
    ("Compute-optimal tokens", "compute_optimal_tokens"),
    ("Samples per parameter", "samples_per_param"),
    ("Global batch (tokens)", "global_batch_tokens"),
    ("Global batch (samples)", "global_batch_samples"),
    ("Steps", "train_steps"),
    ("Peak learning rate", "learning_rate"),
    ("Compute", "train_flops"),
    ("Devices", "gpu_count"),
    ("Duration", "train_days"),
    ("GPU-hours", "gpu_hours"),
    ("Memory per device", "train_memory_gb"),
    ("Energy", "train_energy_kwh"),
)


def assemble(
    figures: Mapping[str, Figure],
    blueprint: Mapping[str, Any],
    shown: Mapping[str, str],
    notes: Sequence[Note] = (),
    simulated: Mapping[str, Table] | None = None,
) -> dict[str, Any]:
    """Every table of the documents by name.

    `shown` maps the topology's dimensions to their labels; `simulated` are those that
    `benchmarks.draw` made. Rows whose figure a release does not have are left out.
    """
    ablations = blueprint.get("ablations", {}).get("rows", ())
    constraints = blueprint.get("feasibility", {}).get("constraints", ())
    shape = (*((label, key) for key, label in shown.items()), *_CONTEXT)
    tables = {
        "shape": _listed("Dimension", shape, figures),
        "size": _listed("Quantity", _size(figures), figures),
        "blueprint": _listed("Quantity", (*shape, *_size(figures)), figures),
        "memory": _listed("Part", _memory(figures), figures, methods=True),
        "speed": _listed("Quantity", _SPEED, figures, methods=True),
        "training": _listed("Quantity", _TRAINING, figures),
        "computed_metrics": computed_metrics(figures),
        "feasibility": feasibility(constraints, figures),
        "ablations": ablation_table(ablations, figures),
        "notes": Table(
            ("Field", "Note"),
            "ll",
            tuple(
                (note.path or NONE, figures.get(f"note_{i}", sentence(note.message)))
                for i, note in enumerate(notes)
            ),
        ),
    }
    told = ("memory", "speed", "computed_metrics")
    cells = (cell for name in told for *_, cell in tables[name].rows)
    methods = {"methods": [cell for cell in cells if isinstance(cell, Figure)]}
    return tables | methods | dict(simulated or {})


def _size(figures: Mapping[str, Figure]) -> tuple[tuple[str, str], ...]:
    """The rows of size; active parameters are told where they are not all of them."""
    counts = {figures[k].value for k in ("total_params", "active_params") if k in figures}
    return tuple(row for row in _SIZE if row[1] != "active_params" or len(counts) > 1)


def _memory(figures: Mapping[str, Figure]) -> tuple[tuple[str, str], ...]:
    """The parts of the peak; a decode state that does not grow with the context is no cache."""
    grows = "kv_bytes_per_token" in figures
    named = {"Key–value cache": "Key–value cache" if grows else "Decode state"}
    return tuple((named.get(label, label), key) for label, key in _MEMORY)


def _listed(
    first: str,
    rows: tuple[tuple[str, str], ...],
    figures: Mapping[str, Figure],
    methods: bool = False,
) -> Table:
    present = [(label, figures[key]) for label, key in rows if key in figures]
    if methods:
        body = tuple((label, f, f.provenance, method_of(f)) for label, f in present)
        return Table((first, "Value", "Provenance", "Method"), "lrll", body)
    return Table((first, "Value"), "lr", tuple(present))


def method_of(figure: Figure) -> Figure | str:
    """How a figure was obtained; a cell with figures of its own is checked like the figure."""
    if not any(map(str.isdigit, figure.method)):
        return figure.method
    return replace(figure, key=f"{figure.key}.method", text=figure.method)


def computed_metrics(figures: Mapping[str, Figure]) -> Table:
    """The metrics that the engine computes; one that has no value here says why."""
    fidelities = [key for key in figures if key.startswith("spec_fidelity_")]
    shares = tuple(
        (f"Spec-Fidelity@{key.removeprefix('spec_fidelity_')}", key) for key in fidelities
    )
    novelty = "Novelty-Per-Parameter (1/B)"
    table = _listed("Metric", (*shares, (novelty, "novelty_per_parameter")), figures, methods=True)
    if "novelty_per_parameter" in figures:
        return table
    lacking = (novelty, NONE, NONE, "no published architecture of this kind is on record")
    return replace(table, rows=(*table.rows, lacking))


def feasibility(constraints: Iterable[Mapping[str, Any]], figures: Mapping[str, Figure]) -> Table:
    """What each constraint asked, what was achieved, and whether it decided the size."""

    def said(row: Mapping[str, Any], column: str) -> Cell:
        return figures.get(f"{row['constraint']}_{column}", row[column] or NONE)

    rows = tuple(
        (
            row["constraint"].replace("_", " "),
            said(row, "asked"),
            said(row, "achieved"),
            "yes" if row["satisfied"] else "no",
            "yes" if row["binding"] else NONE,
            said(row, "given_up"),
        )
        for row in constraints
    )
    return Table(
        ("Constraint", "Asked", "Achieved", "Satisfied", "Binds", "Given up"), "lrrccl", rows
    )


def sentence(text: str) -> str:
    """`text` as a sentence: a capital first and one full stop last."""
    text = visible(text).rstrip(". ")
    return text[:1].upper() + text[1:] + "." if text else ""


def shortened(name: str, limit: int = 18) -> str:
    """A name that fits a table's head or a figure's axis."""
    text = visible(name)
    return text if len(text) <= limit else text[: limit - 1].rstrip() + "…"


def ablation_table(rows: Iterable[Mapping[str, Any]], figures: Mapping[str, Figure]) -> Table:
    """Each removal with its exact differences and, where there are any, its simulated scores.

    With scores the first row is the model that lacks nothing, whose score the others compare with.
    """
    rows = tuple(rows)
    columns = [("Without", None), ("Δ parameters", "params"), ("Δ FLOPs", "flops")]
    whole: tuple[tuple[Cell, ...], ...] = ()
    if rows and "ablation_1_score" in figures:
        columns += [("Score†", "score"), ("Δ score†", "drop")]
        whole = (("nothing", NONE, NONE, figures["bench_mean"], NONE),)
    body = whole + tuple(
        (
            shortened(row["component"], 28),
            *(figures[f"ablation_{i}_{key}"] for _, key in columns[1:]),
        )
        for i, row in enumerate(rows, 1)
    )
    return Table(tuple(name for name, _ in columns), "l" + "r" * (len(columns) - 1), body)
