"""The ledger: every figure of a release, in base units, formatted once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ..utils import formatting as fmt
from . import estimates
from .architecture import Blueprint
from .benchmarks import COMPUTED_METRIC
from .published import nearest_published
from .release import Figure, Note, Provenance
from .tables import sentence
from .topologies.base import FULL_CONTEXT
from .training_plan import TrainingPlan
from .words import listed

STATED = "as specified"


class Ledger:
    """Collects figures; a key is entered once."""

    def __init__(self) -> None:
        self.figures: dict[str, Figure] = {}

    def enter(
        self,
        key: str,
        value: float | None,
        unit: str,
        text: str,
        provenance: Provenance,
        method: str,
    ) -> None:
        """Record one figure; floats are rounded to nine significant digits."""
        assert key not in self.figures, key
        if isinstance(value, float):
            value = fmt.round_to(value, 9)
        self.figures[key] = Figure(key, value, unit, text, provenance, method)

    def quote(self, key: str, text: str, method: str, provenance: Provenance = "computed") -> None:
        """Record words that state several figures at once, unless they state none."""
        if any(map(str.isdigit, text)):
            self.enter(key, None, "", text, provenance, method)


def ledger(
    spec: Any,
    plan: Blueprint,
    training: TrainingPlan,
    ablations: Sequence[Mapping[str, Any]],
    notes: Sequence[Note] = (),
) -> dict[str, Figure]:
    """Every computed and estimated figure of a blueprint and its training plan.

    Of the `notes`, those on constraints state figures.
    """
    book = Ledger()
    _shape(book, plan, training)
    _memory(book, plan, training)
    _compute(book, plan, training)
    _roofline(book, plan)
    _training(book, plan, training)
    _fidelity(book, plan, spec.evaluation.metrics)
    _ablations(book, ablations)
    _quotes(book, spec, plan, notes)
    book.enter("seed", seed := spec.reproducibility.seed, "", str(seed), "computed", STATED)
    return book.figures


def _quotes(book: Ledger, spec: Any, plan: Blueprint, notes: Sequence[Note]) -> None:
    """Words with figures in them, as the documents quote them: of the author, of the verdicts."""
    compute = spec.training.compute
    book.enter("hardware", None, "", compute.hardware.text, "computed", STATED)
    book.quote("duration", compute.duration.text, STATED)
    if plan.demands.throughput:
        book.quote("throughput", spec.constraints.throughput.text, STATED)
    timed = plan.demands.topology.words(spec, plan.design.dims).get("timed", "")
    book.quote("timed", timed, "what the latency is of")
    book.enter("device_name", None, "", plan.demands.device.name, "computed", STATED)
    book.quote("precision", plan.design.precision, "chosen by the solver, or pinned")
    book.quote("given_up", listed(plan.given_up), "the model against the one that gives nothing up")
    for row in plan.constraints:
        book.quote(f"{row.constraint}_asked", row.asked, STATED)
        achieved = f"{row.constraint}_achieved"
        book.quote(achieved, row.achieved, row.method, row.provenance)
        book.quote(f"{row.constraint}_given_up", row.given_up, row.method, row.provenance)
    for i, note in enumerate(notes):
        if note.path.startswith("constraints"):
            book.quote(f"note_{i}", sentence(note.message), "feasibility report")


#: What the keys of figures end in where kernels are eager, and where they are compiled.
COMPILED = {False: "", True: "_compiled"}


def _shape(book: Ledger, plan: Blueprint, training: TrainingPlan) -> None:
    model, dims, topology = plan.design.model, plan.design.dims, plan.demands.topology
    total, active = model.count(), topology.active_params(model, dims)
    counted = "counted from the module tree"
    for key, value in (
        ("total_params", total),
        ("trainable_params", training.trainable),
        ("active_params", active),
    ):
        book.enter(key, value, "parameters", fmt.count(value), "computed", counted)
    exact = "counted from the module tree, unrounded"
    book.enter("total_params_exact", total, "parameters", fmt.integer(total), "computed", exact)
    if "embed" in model.children:
        rows = model.children["embed"].count()
        book.enter("embedding_params", rows, "parameters", fmt.count(rows), "computed", counted)
    solved = "chosen by the solver, or pinned"
    for key in topology.shown:
        if dims.get(key):
            book.enter(key, dims[key], "", fmt.integer(dims[key]), "computed", solved)
    if plan.demands.context:
        text = fmt.tokens(dims["max_pos"])
        book.enter("context_window", dims["max_pos"], "tokens", text, "computed", solved)
    window = dims.get("sliding_window")
    if window:
        book.enter("sliding_window", window, "tokens", fmt.tokens(window), "computed", solved)


def _memory(book: Ledger, plan: Blueprint, training: TrainingPlan) -> None:
    design, context = plan.design, plan.demands.context
    memory = design.memory
    at = f"batch 1, {fmt.tokens(design.context)} tokens of context" if context else "batch 1"

    def enter(key: str, value: float, provenance: Provenance, method: str) -> None:
        book.enter(key, value, "bytes", fmt.memory(value), provenance, method)

    quantised = f"{design.precision} matrices, bf16 elsewhere"
    form = "bf16 throughout" if design.precision == "bf16" else quantised
    enter("weights_gb", memory.weights, "computed", form)
    if memory.state:
        enter("kv_cache_gb", memory.state, "computed", f"bf16 decode state; {at}")
    live = f"most that is alive at once, traced; in the phase: {design.serving.widest}"
    enter("activation_memory_gb", memory.activations, "estimated", live)
    enter("workspace_gb", memory.workspace, "estimated", "matrix library workspace")
    enter("peak_memory_gb", memory.peak, "estimated", f"sum of the parts; {at}")
    per_token = estimates.state_bytes(design.model, 2) - estimates.state_bytes(design.model, 1)
    if per_token:
        enter("kv_bytes_per_token", per_token, "computed", "bf16 keys and values of one token")
    layout = f"{training.parallelism}, micro-batch {training.micro_batch}" + (
        ", activation checkpointing" if training.checkpointing else ""
    )
    enter("train_memory_gb", training.memory.peak, "estimated", f"per device; {layout}")
    kept = f"what backward keeps and holds at once, traced; {layout}"
    enter("train_activations_gb", training.memory.activations, "computed", kept)
    alone = f"one pass of micro-batch {training.micro_batch} on one device"
    for fused, suffix in COMPILED.items():
        peak = training.pass_memory[fused].peak
        enter(f"train_peak_bytes{suffix}", peak, "estimated", f"{alone}{_mode(fused)}")
    state = estimates.training_state_bytes(design.model.count(), training.trainable)
    enter("optimizer_gb", state, "computed", "fp32 weights, gradients and two AdamW moments")
    enter("checkpoint_gb", training.checkpoint_bytes, "computed", "fp32 weights and AdamW moments")


def _compute(book: Ledger, plan: Blueprint, training: TrainingPlan) -> None:
    design, topology, device = plan.design, plan.demands.topology, plan.demands.device
    work = topology.work(design.model, design.dims)
    at = f"forward, batch 1, {work.at}; multiply-add = 2"
    per = topology.counted

    def enter(key: str, value: float, provenance: Provenance, method: str) -> None:
        book.enter(key, value, "FLOPs", fmt.flops(value), provenance, method)

    one = topology.passes
    enter(f"flops_per_{one}", work.flops.total / work.units, "computed", f"{at}; full attention")
    if work.flops.masked:
        causal = work.flops.causal / work.units
        enter(f"flops_per_{one}_causal", causal, "computed", f"{at}; causal attention")
    done = topology.finished(design.model, design.dims)
    if done:
        made = f"forward, batch 1, {done.at}; multiply-add = 2"
        enter("flops_per_sample", done.flops.causal, "computed", made)
    factor = 4 if training.checkpointing else 3
    enter(f"train_flops_per_{per}", training.flops_per_unit, "computed", f"{factor} × forward")
    pace = design.pace
    if plan.demands.context and topology.rate_unit == "tok/s":
        text = fmt.rate(pace.rate, "tok/s")
        book.enter("decode_tokens_per_s", pace.rate, "tok/s", text, "estimated", pace.method)
        text = fmt.seconds(pace.first)
        book.enter("first_token_s", pace.first, "s", text, "estimated", pace.method)
        full = 1 / design.serving.phase(FULL_CONTEXT).seconds
        method = f"roofline on {device.name} with the context window full"
        book.enter(
            "decode_tokens_per_s_full_context", full, "tok/s", fmt.rate(full, "tok/s"),
            "estimated", method,
        )  # fmt: skip
    else:
        unit = topology.rate_unit
        if unit == "samples/s":  # which of sound are something else
            unit = f"{topology.unit.removesuffix('s')}s/s"
        text = fmt.rate(pace.rate, unit)
        book.enter("samples_per_s", pace.rate, unit, text, "estimated", pace.method)
        text = fmt.seconds(pace.first)
        book.enter("latency_s", pace.first, "s", text, "estimated", pace.method)


def _roofline(book: Ledger, plan: Blueprint) -> None:
    """The device's roof, and where each phase of an answer lies below it."""
    device = plan.demands.device
    published = f"published for {device.name}"
    book.enter(
        "device_memory_gb", device.memory, "bytes", fmt.memory(device.memory), "computed", published
    )
    text = fmt.flop_rate(device.peak)
    book.enter("device_peak", device.peak, "FLOP/s", text, "computed", f"{published}, dense")
    text = f"{fmt.memory(device.bandwidth)}/s"
    book.enter("device_bandwidth", device.bandwidth, "bytes/s", text, "computed", published)
    text = fmt.intensity(device.ridge)
    book.enter("device_ridge", device.ridge, "FLOP/byte", text, "computed", "peak over bandwidth")
    for i, phase in enumerate(plan.design.serving.computing, 1):
        intensity, rate = phase.flops / phase.moved, phase.flops / phase.seconds
        at = f"one pass, traced: {phase.name}"
        text = fmt.intensity(intensity)
        book.enter(f"phase_{i}_intensity", intensity, "FLOP/byte", text, "estimated", at)
        text = fmt.flop_rate(rate)
        book.enter(f"phase_{i}_rate", rate, "FLOP/s", text, "estimated", f"{at}, on {device.name}")
        text = fmt.seconds(phase.seconds)
        book.enter(f"phase_{i}_s", phase.seconds, "s", text, "estimated", f"{at}, on {device.name}")


def _training(book: Ledger, plan: Blueprint, training: TrainingPlan) -> None:
    params, per = plan.design.model.count(), plan.demands.topology.counted
    mfu = f"{training.device.name}, compiled, at {training.mfu:.0%} of dense bf16 peak"
    hours = training.train_seconds / 3600

    def units(key: str, value: float, provenance: Provenance, method: str) -> None:
        book.enter(key, value, f"{per}s", fmt.count(value), provenance, method)

    once = f"one pass of micro-batch {training.micro_batch} and an update on one device"
    for fused, suffix in COMPILED.items():
        seconds, how = training.pass_seconds[fused], f"{once}{_mode(fused)}"
        text = fmt.seconds(seconds)
        book.enter(f"train_pass_s{suffix}", seconds, "s", text, "estimated", how)
        pace = training.micro_batch * training.sequence / seconds
        text = fmt.rate(pace, f"{per}s/s")
        book.enter(f"train_{per}s_per_s{suffix}", pace, f"{per}s/s", text, "estimated", how)
    used = "the model's own FLOPs over what the devices could do at their dense bf16 peak"
    book.enter("mfu", training.mfu, "", fmt.percent(training.mfu), "estimated", used)
    most = fmt.significant(plan.demands.topology.most_units_per_param, 4)
    units(f"reachable_{per}s", training.reachable, "estimated", mfu)
    units(f"train_{per}s", training.planned, "estimated", f"reachable, at most {most} a parameter")
    if training.compute_optimal:
        optimal = "20 tokens a parameter (Hoffmann et al., 2022)"
        units("compute_optimal_tokens", training.compute_optimal, "estimated", optimal)
    ratio = training.planned / params
    text = fmt.significant(ratio)
    book.enter(f"{per}s_per_param", ratio, "", text, "estimated", f"planned {per}s")
    seconds = training.train_seconds
    book.enter("train_days", seconds / 86400, "days", fmt.seconds(seconds), "estimated", mfu)
    gpu_hours = hours * training.devices
    book.enter("gpu_hours", gpu_hours, "h", f"{fmt.count(gpu_hours)}", "estimated", mfu)
    count = training.devices
    book.enter("gpu_count", count, "devices", fmt.integer(count), "computed", "as specified")
    total = training.planned * training.flops_per_unit
    book.enter("train_flops", total, "FLOPs", fmt.flops(total), "estimated", f"per {per} × {per}s")
    batch = training.global_batch * training.sequence
    law = "power law in compute (Bi et al., 2024)"
    chosen = "customary for the family" if plan.demands.topology.batch else law
    units(f"global_batch_{per}s", batch, "estimated", chosen)
    rate = training.learning_rate
    if training.rule != TrainingPlan.rule:
        law = training.rule
    book.enter("learning_rate", rate, "", fmt.scientific(rate), "estimated", law)
    method = f"planned {per}s over the global batch"
    text = fmt.integer(training.steps)
    book.enter("train_steps", training.steps, "steps", text, "estimated", method)
    energy = training.energy_kwh
    device = training.device
    known = "assumed" if "power" in device.assumed else "board"
    power = f"{known} power of {device.power:g} W, cooling excluded"
    text = fmt.energy(energy)
    book.enter("train_energy_kwh", energy, "kWh", text, "estimated", power)


def _mode(fused: bool) -> str:
    return ", compiled" if fused else ", eager"


def _fidelity(book: Ledger, plan: Blueprint, metrics: Sequence[str]) -> None:
    total = len(plan.constraints)
    satisfied = sum(row.satisfied for row in plan.constraints)
    budget = plan.demands.params
    params = plan.design.model.count()
    fill = params / budget
    report = "feasibility report"
    book.enter("budget_params", budget, "parameters", fmt.count(budget), "computed", STATED)
    book.enter("budget_fill", fill, "", fmt.percent(fill), "computed", "parameters over the budget")
    memory = plan.demands.memory
    book.enter("memory_budget_gb", memory, "bytes", fmt.memory(memory), "computed", STATED)
    book.enter("constraints_total", total, "", str(total), "computed", report)
    book.enter("constraints_satisfied", satisfied, "", str(satisfied), "computed", report)
    found = filter(None, map(COMPUTED_METRIC.match, metrics))
    for k in sorted({1, 5, *(int(match[1]) for match in found if match[1])}):
        share = plan.fidelity(k)
        best_of = f"share of constraints that the best of the top {k} blueprints satisfies"
        book.enter(f"spec_fidelity_{k}", share, "", fmt.decimal(share), "computed", best_of)
    nearest = nearest_published(plan.demands.topology, plan.design.dims)
    if nearest:
        novelty = nearest[1] / (params / 1e9)
        method = f"log-dimension distance to {nearest[0]} over parameters in billions"
        text = fmt.significant(novelty)
        book.enter("novelty_per_parameter", novelty, "1/B", text, "computed", method)


def _ablations(book: Ledger, rows: Sequence[Mapping[str, Any]]) -> None:
    for i, row in enumerate(rows, 1):
        params, flops = row["params_delta"], row["flops_delta"]
        text = fmt.signed(params, fmt.count), fmt.signed(flops, fmt.flops)
        rebuilt = "the model without it, minus the model"
        book.enter(f"ablation_{i}_params", params, "parameters", text[0], "computed", rebuilt)
        book.enter(f"ablation_{i}_flops", flops, "FLOPs", text[1], "computed", rebuilt)
