"""The ledger: every figure of a release, in base units, formatted once."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from math import log, sqrt
from pathlib import Path
from typing import Any

from ..utils import formatting as fmt
from . import estimates
from .architecture import Blueprint
from .release import Figure, Provenance
from .training_plan import TrainingPlan

_PUBLISHED = Path(__file__).with_name("published.json")


class Ledger:
    """Collects figures; a key is entered once."""

    def __init__(self) -> None:
        self.figures: dict[str, Figure] = {}

    def enter(
        self, key: str, value: float, unit: str, text: str, provenance: Provenance, method: str
    ) -> None:
        """Record one figure; floats are rounded to nine significant digits."""
        assert key not in self.figures, key
        if isinstance(value, float):
            value = fmt.round_to(value, 9)
        self.figures[key] = Figure(key, value, unit, text, provenance, method)


def nearest_published(dims: Mapping[str, Any]) -> tuple[str, float]:
    """The nearest published architecture and its distance.

    The distance is Euclidean over the natural logarithms of width, depth, heads, key-value heads,
    MLP width and vocabulary.
    """
    published = json.loads(_PUBLISHED.read_text(encoding="utf-8"))
    keys = ("d_model", "n_layers", "n_heads", "n_kv_heads", "d_ff", "vocab_size")
    distances = {
        model["name"]: sqrt(sum(log(dims[k] / model["config"][k]) ** 2 for k in keys))
        for model in published
    }
    name = min(distances, key=lambda n: distances[n])
    return name, distances[name]


def ledger(
    plan: Blueprint, training: TrainingPlan, ablations: Sequence[Mapping[str, Any]], seed: int
) -> dict[str, Figure]:
    """Every computed and estimated figure of a blueprint and its training plan."""
    book = Ledger()
    _shape(book, plan)
    _memory(book, plan, training)
    _compute(book, plan, training)
    _training(book, plan, training)
    _fidelity(book, plan, seed)
    _ablations(book, ablations)
    return book.figures


def _shape(book: Ledger, plan: Blueprint) -> None:
    model, dims = plan.design.model, plan.design.dims
    total = model.count()
    counted = "counted from the module tree"
    for key in ("total_params", "trainable_params", "active_params"):
        book.enter(key, total, "parameters", fmt.count(total), "computed", counted)
    exact = "counted from the module tree, unrounded"
    book.enter("total_params_exact", total, "parameters", fmt.integer(total), "computed", exact)
    embedding = model.embed.count()
    book.enter(
        "embedding_params", embedding, "parameters", fmt.count(embedding), "computed", counted
    )
    solved = "chosen by the solver, or pinned"
    for key in ("n_layers", "d_model", "n_heads", "n_kv_heads", "head_dim", "d_ff", "vocab_size"):
        book.enter(key, dims[key], "", fmt.integer(dims[key]), "computed", solved)
    text = fmt.tokens(dims["max_pos"])
    book.enter("context_window", dims["max_pos"], "tokens", text, "computed", solved)
    window = dims["sliding_window"]
    if window:
        book.enter("sliding_window", window, "tokens", fmt.tokens(window), "computed", solved)


def _memory(book: Ledger, plan: Blueprint, training: TrainingPlan) -> None:
    design = plan.design
    memory = design.memory
    at = f"batch 1, {fmt.tokens(design.context)} tokens of context"

    def enter(key: str, value: float, provenance: Provenance, method: str) -> None:
        book.enter(key, value, "bytes", fmt.memory(value), provenance, method)

    enter("weights_gb", memory.weights, "computed", f"{design.precision} matrices, bf16 elsewhere")
    enter("kv_cache_gb", memory.state, "computed", f"bf16 keys and values; {at}")
    chunk = f"largest live set while reading {estimates.PREFILL_CHUNK}-token chunks"
    enter("activation_memory_gb", memory.activations, "estimated", chunk)
    enter("workspace_gb", memory.workspace, "estimated", "matrix library workspace")
    enter("peak_memory_gb", memory.peak, "estimated", f"sum of the parts; {at}")
    per_token = estimates.state_bytes(design.model, 1)
    enter("kv_bytes_per_token", per_token, "computed", "bf16 keys and values of one token")
    layout = f"{training.parallelism}, micro-batch {training.micro_batch}" + (
        ", activation checkpointing" if training.checkpointing else ""
    )
    enter("train_memory_gb", training.device_memory, "estimated", f"per device; {layout}")
    state = estimates.training_state_bytes(design.model.count())
    enter("optimizer_gb", state, "computed", "fp32 weights, gradients and two AdamW moments")
    enter("checkpoint_gb", training.checkpoint_bytes, "computed", "fp32 weights and AdamW moments")


def _compute(book: Ledger, plan: Blueprint, training: TrainingPlan) -> None:
    design = plan.design
    length = training.sequence
    forward = design.model.flops(1, length)
    at = f"forward, batch 1, length {length:,}; multiply-add = 2"

    def enter(key: str, value: float, provenance: Provenance, method: str) -> None:
        book.enter(key, value, "FLOPs", fmt.flops(value), provenance, method)

    enter("flops_per_token", forward.total / length, "computed", f"{at}; full attention")
    enter("flops_per_token_causal", forward.causal / length, "computed", f"{at}; causal attention")
    factor = 4 if training.checkpointing else 3
    enter("train_flops_per_token", training.flops_per_token, "computed", f"{factor} × forward")
    device = plan.demands.device
    roofline = f"roofline on {device.name}, {estimates.PROMPT}-token prompt"
    rate = design.decode_rate
    book.enter("decode_tokens_per_s", rate, "tok/s", fmt.rate(rate, "tok/s"), "estimated", roofline)
    first = design.first_token
    book.enter("first_token_s", first, "s", fmt.seconds(first), "estimated", roofline)
    full = estimates.decode_rate(design.model, design.precision, design.context, device)
    book.enter(
        "decode_tokens_per_s_full_context", full, "tok/s", fmt.rate(full, "tok/s"), "estimated",
        f"roofline on {device.name} with the context window full",
    )  # fmt: skip


def _training(book: Ledger, plan: Blueprint, training: TrainingPlan) -> None:
    params = plan.design.model.count()
    mfu = f"{training.device.name}, {estimates.TRAINING_MFU:.0%} of dense bf16 peak"
    hours = training.train_seconds / 3600

    def tokens(key: str, value: float, provenance: Provenance, method: str) -> None:
        book.enter(key, value, "tokens", fmt.count(value), provenance, method)

    tokens("reachable_tokens", training.reachable_tokens, "estimated", mfu)
    tokens(
        "train_tokens", training.train_tokens, "estimated", "reachable, at most 2,000 a parameter"
    )
    optimal = "20 tokens a parameter (Hoffmann et al., 2022)"
    tokens("compute_optimal_tokens", training.compute_optimal_tokens, "estimated", optimal)
    ratio = training.train_tokens / params
    book.enter("tokens_per_param", ratio, "", fmt.significant(ratio), "estimated", "planned tokens")
    seconds = training.train_seconds
    book.enter("train_days", seconds / 86400, "days", fmt.seconds(seconds), "estimated", mfu)
    gpu_hours = hours * training.devices
    book.enter("gpu_hours", gpu_hours, "h", f"{fmt.count(gpu_hours)}", "estimated", mfu)
    count = training.devices
    book.enter("gpu_count", count, "devices", fmt.integer(count), "computed", "as specified")
    total = training.train_tokens * training.flops_per_token
    book.enter("train_flops", total, "FLOPs", fmt.flops(total), "estimated", "per token × tokens")
    batch = training.global_batch * training.sequence
    law = "power law in compute (Bi et al., 2024)"
    tokens("global_batch_tokens", batch, "estimated", law)
    rate = training.learning_rate
    book.enter("learning_rate", rate, "", fmt.scientific(rate), "estimated", law)
    book.enter("train_steps", training.steps, "steps", fmt.integer(training.steps), "estimated",
               "planned tokens over the global batch")  # fmt: skip
    energy = training.energy_kwh
    book.enter("train_energy_kwh", energy, "kWh", f"{fmt.count(energy)} kWh", "estimated",
               f"board power of {training.device.power:g} W, cooling excluded")  # fmt: skip


def _fidelity(book: Ledger, plan: Blueprint, seed: int) -> None:
    total = len(plan.constraints)
    satisfied = sum(row.satisfied for row in plan.constraints)
    budget = plan.demands.params
    fill = plan.design.model.count() / budget
    name, distance = nearest_published(plan.design.dims)
    novelty = distance / (plan.design.model.count() / 1e9)
    asked = "as specified"
    book.enter("budget_params", budget, "parameters", fmt.count(budget), "computed", asked)
    book.enter("budget_fill", fill, "", fmt.percent(fill), "computed", "parameters over the budget")
    memory = plan.demands.memory
    book.enter("memory_budget_gb", memory, "bytes", fmt.memory(memory), "computed", asked)
    book.enter("constraints_total", total, "", str(total), "computed", "feasibility report")
    book.enter("constraints_satisfied", satisfied, "", str(satisfied), "computed",
               "feasibility report")  # fmt: skip
    for k in (1, 5):
        share = plan.fidelity(k)
        best_of = f"share of constraints that the best of the top {k} blueprints satisfies"
        book.enter(f"spec_fidelity_{k}", share, "", fmt.decimal(share), "computed", best_of)
    book.enter("novelty_per_parameter", novelty, "1/B", fmt.significant(novelty), "computed",
               f"log-dimension distance to {name} over parameters in billions")  # fmt: skip
    book.enter("seed", seed, "", str(seed), "computed", asked)


def _ablations(book: Ledger, rows: Sequence[Mapping[str, Any]]) -> None:
    for i, row in enumerate(rows, 1):
        params, flops = row["params_delta"], row["flops_delta"]
        text = fmt.signed(params, fmt.count), fmt.signed(flops, fmt.flops)
        rebuilt = "the model without it, minus the model"
        book.enter(f"ablation_{i}_params", params, "parameters", text[0], "computed", rebuilt)
        book.enter(f"ablation_{i}_flops", flops, "FLOPs", text[1], "computed", rebuilt)
