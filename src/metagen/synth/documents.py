"""The documents of `blueprint/`: plain data, one function for each file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from ..utils import formatting as fmt
from .architecture import Blueprint
from .parts.base import Part
from .parts.decoder_lm import DecoderLM
from .release import Figure, Note
from .routing import TOPOLOGY
from .training_plan import TrainingPlan

#: The graph: node, what it is, and the word its tensors are named after; edges follow the order.
NODES = (
    ("tokens", "input", ""),
    ("embed", "embedding", "embed"),
    ("attention", "grouped-query attention", "blocks.attn"),
    ("mlp", "feed-forward network", "blocks.mlp"),
    ("norm", "normalisation", "norm"),
    ("lm_head", "output head", "lm_head"),
    ("loss", "next-token cross-entropy", ""),
)

#: Words in a component's type that name the node whose role it plays; the first match wins.
ROLES = (
    (("loss", "objective", "mixer", "composer"), "loss"),
    (("decoder", "head", "output", "latex", "vocoder"), "lm_head"),
    (("generator", "mlp", "expert", "feed"), "mlp"),
    (("latent", "memory", "attention", "retriev"), "attention"),
    (("encoder", "embed", "input", "token"), "embed"),
    (("norm",), "norm"),
)


def architecture(spec: Any, plan: Blueprint, name: str) -> dict[str, Any]:
    """Family, topology, every dimension under the name that `architecture.dims` takes, modules."""
    model = plan.design.model
    return {
        "name": name,
        "family": "transformer",
        "topology": TOPOLOGY,
        "precision": plan.design.precision,
        "total_params": model.count(),
        "dims": dict(plan.design.dims),
        "modules": list(_modules(model)),
        "components": [
            {"name": c.name, "type": c.type, "role": role_of(c.type)}
            for c in spec.architecture.components
        ],
    }


def _modules(model: DecoderLM) -> Iterator[dict[str, Any]]:
    """Top-level modules with their counts; the blocks broken down by part."""
    for name, child in model.children.items():
        if name != "blocks":
            yield {"name": name, "copies": 1, "params": _own(model, name, child)}
            continue
        for part, module in child.block.children.items():
            yield {
                "name": f"blocks.{part}",
                "copies": child.n,
                "params": child.n * module.count(),
            }


def _own(model: Part, name: str, child: Part) -> int:
    """Parameters that a top-level module owns: an alias belongs to the tensor it shares."""
    tied = sum(model.at(a).numel for a in model.ties if a.startswith(f"{name}."))
    return child.count() - tied


def state_dict(model: Part) -> dict[str, Any]:
    """Every tensor of the model's state dict, in order."""
    tensors = {
        name: {
            "shape": list(tensor.shape),
            "kind": tensor.kind,
            "trainable": tensor.trainable,
            "tied_to": tensor.tied_to,
        }
        for name, tensor in model.named_tensors()
    }
    return {"total_params": model.count(), "tensors": tensors}


def graph(spec: Any, plan: Blueprint) -> dict[str, Any]:
    """The component graph: nodes with counts, edges with the shapes that flow along them."""
    model, dims = plan.design.model, plan.design.dims
    params = _node_params(model)
    shapes = {node: ["batch", "tokens", dims["d_model"]] for node, _, _ in NODES}
    shapes |= {"tokens": ["batch", "tokens"], "loss": []}
    shapes["lm_head"] = ["batch", "tokens", dims["vocab_size"]]
    labels: dict[str, list[str]] = {}
    for component in spec.architecture.components:
        labels.setdefault(role_of(component.type), []).append(component.name)
    repeated = {"attention", "mlp"}
    nodes = [
        {
            "id": node,
            "type": kind,
            "label": " / ".join(labels.get(node, [])) or kind,
            "components": labels.get(node, []),
            "copies": dims["n_layers"] if node in repeated else 1,
            "params": params.get(node, 0),
            "shape_out": shapes[node],
        }
        for node, kind, _ in NODES
        if node != "norm" or dims["final_norm"]
    ]
    pairs = zip(nodes, nodes[1:], strict=False)
    edges = [{"from": a["id"], "to": b["id"], "shape": a["shape_out"]} for a, b in pairs]
    return {"topology": TOPOLOGY, "nodes": nodes, "edges": edges}


def _node_params(model: DecoderLM) -> dict[str, int]:
    """Parameters by graph node; a block's norms count with the sublayer they serve."""
    counts = {node: 0 for node, _, _ in NODES}
    for module in _modules(model):
        counts[_node_of(module["name"])] += module["params"]
    return counts


def _node_of(module: str) -> str:
    if module.startswith("blocks.attn"):
        return "attention"
    if module.startswith("blocks.mlp"):
        return "mlp"
    return module if module in ("norm", "lm_head") else "embed"


def role_of(component_type: str) -> str:
    """The graph node whose role a component of this type plays."""
    words = component_type.lower()
    for keys, node in ROLES:
        if any(key in words for key in keys):
            return node
    return "attention"


def params_estimate(plan: Blueprint, figures: Mapping[str, Figure]) -> dict[str, Any]:
    """Counts, memory and FLOPs; gigabytes are decimal and rounded to six digits."""

    def gigabytes(key: str) -> float:
        return fmt.round_to(figures[key].value / 1e9, 6)

    def value(key: str) -> float:
        return figures[key].value

    named = ("weights_gb", "kv_cache_gb", "activation_memory_gb", "workspace_gb")
    return {
        "total_params": value("total_params"),
        "trainable_params": value("trainable_params"),
        "active_params": value("active_params"),
        "precision": plan.design.precision,
        "context_tokens": plan.design.context,
        "batch": 1,
        **{key: gigabytes(key) for key in named},
        "peak_memory_gb": gigabytes("peak_memory_gb"),
        "optimizer_gb": gigabytes("optimizer_gb"),
        "train_memory_gb": gigabytes("train_memory_gb"),
        "kv_bytes_per_token": value("kv_bytes_per_token"),
        "flops_per_token": value("flops_per_token"),
        "flops_per_token_causal": value("flops_per_token_causal"),
        "train_flops_per_token": value("train_flops_per_token"),
        "decode_tokens_per_s": value("decode_tokens_per_s"),
        "first_token_s": value("first_token_s"),
        "provenance": {
            key: figures[key].provenance
            for key in (
                "total_params", "weights_gb", "kv_cache_gb", "activation_memory_gb",
                "workspace_gb", "peak_memory_gb", "optimizer_gb", "train_memory_gb",
                "flops_per_token", "train_flops_per_token", "decode_tokens_per_s", "first_token_s",
            )
        },
        "methods": {
            key: figures[key].method
            for key in ("peak_memory_gb", "train_memory_gb", "flops_per_token", "first_token_s")
        },
        "notes": [
            "Estimated under optimistic assumptions.",
            "Parameters are counted, not estimated; tied tensors count once.",
        ],
    }  # fmt: skip


def ablations(spec: Any, plan: Blueprint, length: int) -> list[dict[str, Any]]:
    """What each removal changes in parameters and FLOPs per token (computed).

    The spec's components come first: removing one removes the tensors of the node whose role it
    plays. Then follow structural alternatives, each rebuilt and counted.
    """
    design = plan.design
    params, flops = design.model.count(), design.model.flops(1, length).causal // length
    by_node = _node_params(design.model)

    def row(
        component: str, kind: str, removed: str, new_params: int, new_flops: int
    ) -> dict[str, Any]:
        return {
            "component": component,
            "type": kind,
            "removed": removed,
            "params": new_params,
            "params_delta": new_params - params,
            "flops_per_token": new_flops,
            "flops_delta": new_flops - flops,
            "provenance": "computed",
        }

    rows = []
    node_flops = _node_flops(design.model, length)
    for component in spec.architecture.components:
        node = role_of(component.type)
        removed = f"the {dict((n, k) for n, k, _ in NODES)[node]}"
        rows.append(
            row(
                component.name,
                component.type,
                removed,
                params - by_node[node],
                flops - node_flops.get(node, 0),
            )
        )
    for component, removed, changes in _alternatives(design.dims):
        model = DecoderLM({**design.dims, **changes})
        rows.append(
            row(
                component,
                "structural",
                removed,
                model.count(),
                model.flops(1, length).causal // length,
            )
        )
    return rows


def _node_flops(model: DecoderLM, length: int) -> dict[str, int]:
    blocks = model.children["blocks"]
    block = blocks.block.children
    return {
        "attention": blocks.n * (block["attn"].flops(1, length).causal // length),
        "mlp": blocks.n * (block["mlp"].flops(1, length).causal // length),
        "lm_head": model.children["lm_head"].flops(1, length).causal // length,
    }


def _alternatives(dims: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Structural changes that a reviewer would ask for."""
    if dims["n_kv_heads"] < dims["n_heads"]:
        yield (
            "Grouped-query attention",
            "head sharing: one key-value head for each query head",
            {"n_kv_heads": dims["n_heads"]},
        )
    if dims["mlp"] == "gated":
        yield "Gated MLP", "the gate, at equal width", {"mlp": "plain"}
    if dims["n_layers"] > 1:
        half = dims["n_layers"] // 2
        yield "Depth", f"half of the layers: {half} remain", {"n_layers": half}
    if dims["tied"]:
        yield "Tied embeddings", "the tie between embedding and head", {"tied": False}
    if dims["sliding_window"]:
        yield "Sliding window", "the window: full attention", {"sliding_window": 0}


def feasibility(plan: Blueprint, notes: Sequence[Note]) -> dict[str, Any]:
    """Each constraint: asked, achieved, satisfied, binding, what was given up, and how computed."""
    return {
        "satisfied": all(row.satisfied for row in plan.constraints),
        "precision": plan.design.precision,
        "given_up": list(plan.given_up),
        "constraints": [asdict(row) | {"provenance": _origin(row.constraint)}
                        for row in plan.constraints],
        "notes": [asdict(note) for note in notes],
    }  # fmt: skip


def _origin(constraint: str) -> str:
    return "computed" if constraint in ("parameter_budget", "context_window") else "estimated"


def training(plan: TrainingPlan) -> dict[str, Any]:
    """`training_plan.yaml`."""
    rounded = fmt.round_to
    return {
        "provenance": "estimated",
        "hardware": {
            "device": plan.device.name,
            "count": plan.devices,
            "memory_gb": plan.device.memory / 1e9,
            "peak_tflops_bf16": plan.device.peak / 1e12,
            "source": plan.device.source,
        },
        "tokens": {
            "planned": int(rounded(plan.train_tokens, 6)),
            "reachable": int(rounded(plan.reachable_tokens, 6)),
            "compute_optimal": int(plan.compute_optimal_tokens),
        },
        "time": {
            "available_hours": rounded(plan.seconds / 3600, 6),
            "planned_hours": rounded(plan.train_seconds / 3600, 6),
            "device_hours": rounded(plan.train_seconds / 3600 * plan.devices, 6),
            "energy_kwh": rounded(plan.energy_kwh, 6),
        },
        "batch": {
            "sequence_tokens": plan.sequence,
            "global_sequences": plan.global_batch,
            "global_tokens": plan.global_batch * plan.sequence,
            "micro_batch_sequences": plan.micro_batch,
            "accumulation_steps": plan.accumulation,
        },
        "schedule": {
            "optimizer": "AdamW",
            "learning_rate": plan.learning_rate,
            "shape": "linear warm-up, cosine decay to a tenth",
            "steps": plan.steps,
            "warmup_steps": plan.warmup_steps,
            "rule": "DeepSeek LLM (Bi et al., 2024), eq. 1",
        },
        "layout": {
            "parallelism": plan.parallelism,
            "activation_checkpointing": plan.checkpointing,
            "memory_per_device_gb": rounded(plan.device_memory / 1e9, 6),
            "fits": plan.fits,
            "devices_needed": plan.devices_needed,
        },
        "checkpoint_gb": rounded(plan.checkpoint_bytes / 1e9, 6),
        "verdict": verdict(plan),
    }


def verdict(plan: TrainingPlan) -> str:
    """One sentence: what the hardware reaches in its time, and whether the model fits on it."""
    machine = f"{plan.devices} × {plan.device.name} for {fmt.seconds(plan.seconds)}"
    reach = f"{machine} reaches {fmt.count(plan.reachable_tokens)} tokens"
    plans = f"the plan trains on {fmt.count(plan.train_tokens)}, {plan.tokens_per_param_verdict}"
    if plan.fits:
        return f"{reach}; {plans}."
    needed = f"at least {plan.devices_needed} devices are needed"
    return f"{reach}, but the training state does not fit: {needed}; {plans}."


def ledger(figures: Mapping[str, Figure]) -> dict[str, Any]:
    """`ledger.json`: what every artifact prints, and what `make verify` checks."""
    return {"figures": {key: _entry(figure) for key, figure in figures.items()}}


def _entry(figure: Figure) -> dict[str, Any]:
    entry = asdict(figure)
    del entry["key"]
    return entry
