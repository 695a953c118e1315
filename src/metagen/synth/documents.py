"""The documents of `blueprint/`: plain data, one function for each file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from itertools import pairwise
from typing import Any

from ..utils import formatting as fmt
from .architecture import Blueprint
from .parts.base import Part, Repeat
from .release import Figure, Note
from .topologies.base import Node, Topology
from .training_plan import TrainingPlan

#: Words in a component's type, and the nodes whose role they may name; the first present wins.
ROLES = (
    (("loss", "objective", "mixer", "composer"), ("loss",)),
    (("decoder", "head", "output", "latex", "vocoder"), ("lm_head", "head", "decoder")),
    (
        ("generator", "mlp", "expert", "moe", "feed", "denois", "unet", "dit"),
        ("mlp", "experts", "stages", "denoiser", "blocks", "lm"),
    ),
    (
        ("latent", "memory", "attention", "retriev", "autoencoder", "codec", "vae"),
        ("attention", "mixer", "stages", "autoencoder", "codec"),
    ),
    (("encoder", "embed", "input", "token", "prompt"), ("embed", "stem", "text_encoder")),
    (("norm",), ("norm",)),
)


def architecture(spec: Any, plan: Blueprint, name: str) -> dict[str, Any]:
    """Family, topology, every dimension under the name that `architecture.dims` takes, modules."""
    model = plan.design.model
    return {
        "name": name,
        "family": spec.architecture.family,
        "topology": plan.demands.topology.id,
        "precision": plan.design.precision,
        "total_params": model.count(),
        "dims": dict(plan.design.dims),
        **_networks(plan.demands.topology, model),
        "modules": list(_modules(model)),
        "components": [
            {"name": c.name, "type": c.type, "role": role_of(c.type, plan.demands.topology)}
            for c in spec.architecture.components
        ],
    }


def _networks(topology: Topology, model: Part) -> dict[str, Any]:
    """The networks of a release that consists of several: parameters by name."""
    counts = {name: part.count() for name, part in model.children.items()}
    several = {name: count for name, count in counts.items() if name in topology.children}
    return {"networks": several} if several else {}


def _modules(model: Part) -> Iterator[dict[str, Any]]:
    """Top-level modules with their counts; repeated blocks broken down by part."""
    for name, copies, module in _costed(model):
        params = copies * module.count() - _tied(model, name)
        yield {"name": name, "copies": copies, "params": params}
    own = sum(t.numel for t in model.tensors.values() if t.kind == "parameter")
    if own:
        yield {"name": "", "copies": 1, "params": own}


def _tied(model: Part, name: str) -> int:
    """Parameters of a top-level module that belong to the tensor they share."""
    return sum(model.at(a).numel for a in model.ties if a.startswith(f"{name}."))


def state_dict(model: Part) -> dict[str, Any]:
    """Every tensor of the model's state dict, in order."""
    tensors = {
        name: {
            "shape": list(tensor.shape),
            "kind": tensor.kind,
            "trainable": tensor.trainable,
            "tied_to": tensor.tied_to,
        }
        for name, tensor in model.entries
    }
    return {"total_params": model.count(), "tensors": tensors}


def graph(spec: Any, plan: Blueprint) -> dict[str, Any]:
    """The component graph: nodes with counts, edges with the shapes that flow along them."""
    topology, dims = plan.demands.topology, plan.design.dims
    params = _node_params(topology, plan.design.model)
    shapes = topology.node_shapes(dims)
    labels: dict[str, list[str]] = {}
    for component in spec.architecture.components:
        labels.setdefault(role_of(component.type, topology), []).append(component.name)
    nodes = [
        {
            "id": node.id,
            "type": topology.kind_of(node, dims),
            "label": " / ".join(labels.get(node.id, [])) or topology.kind_of(node, dims),
            "components": labels.get(node.id, []),
            "copies": topology.copies_of(node, dims),
            "params": params[node.id],
            "text": fmt.count(params[node.id]),
            "stack": node.modules[0].partition(".")[0] if node.repeated else "",
            "shape_out": shapes[node.id],
        }
        for node in topology.nodes
        if not node.modules or params[node.id]
    ]
    present = [node["id"] for node in nodes]
    following = {a: (b,) for a, b in pairwise(present)}
    following |= {node.id: node.into for node in topology.nodes if node.into}
    edges = [
        {"from": a, "to": b, "shape": shapes.get(f"{a} to {b}", shapes[a])}
        for a in present
        for b in following.get(a, ())
        if b in present
    ]
    return {"topology": topology.id, "nodes": nodes, "edges": edges}


def _node_params(topology: Topology, model: Part) -> dict[str, int]:
    """Parameters by graph node; what no node claims belongs to the first that has modules."""
    counts = {node.id: 0 for node in topology.nodes}
    first = next(node.id for node in topology.nodes if node.modules)
    for module in _modules(model):
        owner = max(
            (len(prefix), node.id)
            for node in (*topology.nodes, Node(first, "", ("",)))
            for prefix in node.modules
            if module["name"].startswith(prefix)
        )
        counts[owner[1]] += module["params"]
    return counts


def role_of(component_type: str, topology: Topology) -> str:
    """The graph node whose role a component of this type plays."""
    present = [node.id for node in topology.nodes]
    words = component_type.lower()
    for keys, nodes in ROLES:
        for node in nodes:
            if node in present and any(key in words for key in keys):
                return node
    inner = [node for node in topology.nodes if node.repeated or node.modules]
    return max(inner, key=lambda node: node.repeated).id


#: Ledger keys that `params_estimate.json` holds: in gigabytes, and in base units.
_GIGABYTES = (
    "weights_gb", "kv_cache_gb", "activation_memory_gb", "workspace_gb", "peak_memory_gb",
    "optimizer_gb", "train_memory_gb",
)  # fmt: skip
_BASE_UNITS = (
    "kv_bytes_per_token", "flops_per_token", "flops_per_token_causal", "train_flops_per_token",
    "decode_tokens_per_s", "first_token_s", "flops_per_sample", "flops_per_sample_causal",
    "flops_per_frame", "flops_per_frame_causal", "flops_per_step", "flops_per_step_causal",
    "train_flops_per_sample", "samples_per_s", "latency_s",
)  # fmt: skip


def params_estimate(plan: Blueprint, figures: Mapping[str, Figure]) -> dict[str, Any]:
    """Counts, memory and FLOPs; gigabytes are decimal and rounded to six digits."""
    counts = {k: figures[k].value for k in ("total_params", "trainable_params", "active_params")}
    memory = {
        k: fmt.round_to(figures[k].value / 1e9, 6) if k in figures else 0.0 for k in _GIGABYTES
    }
    rest = {k: figures[k].value for k in _BASE_UNITS if k in figures}
    told = [k for k in (*counts, *memory, *rest) if k in figures]
    context = {"context_tokens": plan.design.context} if plan.demands.context else {}
    return {
        **counts,
        "precision": plan.design.precision,
        **context,
        "batch": 1,
        **memory,
        **rest,
        "modules": _by_module(plan.design.model),
        "device": plan.demands.device.name,
        "phases": [
            {"name": phase.name, "limit": phase.limit, "times": phase.times}
            for phase in plan.design.serving.computing
        ],
        "provenance": {k: figures[k].provenance for k in told},
        "methods": {k: figures[k].method for k in told},
        "notes": [
            "Estimated under optimistic assumptions.",
            "Parameters are counted, not estimated; tied tensors count once.",
        ],
    }


def _by_module(model: Part) -> list[dict[str, Any]]:
    """Top-level modules that have parameters: one entry for all that bear the same name."""
    counts: dict[str, int] = {}
    for module in _modules(model):
        counts[module["name"]] = counts.get(module["name"], 0) + module["params"]
    return [
        {"name": name, "params": count, "text": fmt.count(count)}
        for name, count in counts.items()
        if count
    ]


def ablations(spec: Any, plan: Blueprint) -> list[dict[str, Any]]:
    """What each removal changes in parameters and FLOPs (computed).

    The spec's components come first: removing one removes the tensors of the node whose role it
    plays. Then follow structural alternatives, each rebuilt and counted.
    """
    topology, design = plan.demands.topology, plan.design
    params = design.model.count()
    key = f"flops_per_{topology.passes}"

    def flops_of(model: Part, dims: Mapping[str, Any]) -> int:
        work = topology.work(model, dims)
        return work.flops.causal // work.units

    flops = flops_of(design.model, design.dims)

    def row(name: str, role: str, removed: str, new_params: int, new_flops: int) -> dict[str, Any]:
        return {
            "component": name,
            "role": role,
            "removed": removed,
            "params": new_params,
            "params_delta": new_params - params,
            key: new_flops,
            "flops_delta": new_flops - flops,
            "provenance": "computed",
        }

    kinds = {node.id: topology.kind_of(node, design.dims) for node in topology.nodes}
    node_params = _node_params(topology, design.model)
    node_flops = _node_flops(topology, design.model, design.dims)
    rows = []
    for component in spec.architecture.components:
        node = role_of(component.type, topology)
        without = params - node_params[node], flops - node_flops.get(node, 0)
        rows.append(row(component.name, node, f"the {kinds[node]}", *without))
    for name, removed, changes in topology.alternatives(design.dims):
        dims = {**design.dims, **changes}
        model = topology.build(dims)
        rows.append(row(name, "structure", removed, model.count(), flops_of(model, dims)))
    return rows


def _node_flops(topology: Topology, model: Part, dims: Mapping[str, Any]) -> dict[str, int]:
    """Causal FLOPs per unit by graph node, from the modules that stand for it."""
    work = topology.work(model, dims)
    length = topology.length(dims)
    found: dict[str, int] = {}
    for name, copies, module in _costed(model):
        if topology.denoises and name != "denoiser":
            continue  # a step passes through the denoiser alone
        for node in topology.nodes:
            if any(name.startswith(prefix) for prefix in node.modules):
                total = copies * module.flops(1, length).causal
                found[node.id] = found.get(node.id, 0) + total // work.units
    return found


def _costed(model: Part) -> Iterator[tuple[str, int, Part]]:
    """`(name, copies, module)` of the same modules as in `architecture.yaml`."""
    for name, child in model.children.items():
        if isinstance(child, Repeat):
            for part, copies, module in child.parts():
                yield f"{name}.{part}", copies, module
        else:
            yield name, 1, child


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
    counted = "tokens" if plan.unit == "token" else "samples"
    optimal = {}
    if plan.compute_optimal:
        optimal["compute_optimal"] = int(plan.compute_optimal)
        optimal["over_training_ratio"] = rounded(plan.planned / plan.compute_optimal, 4)
    return {
        "provenance": "estimated",
        "hardware": {
            "device": plan.device.name,
            "count": plan.devices,
            "memory_gb": plan.device.memory / 1e9,
            "peak_tflops_bf16": plan.device.peak / 1e12,
            "source": plan.device.source,
        },
        counted: {
            "planned": int(rounded(plan.planned, 6)),
            "reachable": int(rounded(plan.reachable, 6)),
            **optimal,
        },
        "time": {
            "available_hours": rounded(plan.seconds / 3600, 6),
            "planned_hours": rounded(plan.train_seconds / 3600, 6),
            "device_hours": rounded(plan.train_seconds / 3600 * plan.devices, 6),
            "energy_kwh": rounded(plan.energy_kwh, 6),
            "model_flops_utilisation": rounded(plan.mfu, 4),
        },
        "batch": {
            "units_per_sample": plan.sequence,
            "global_samples": plan.global_batch,
            f"global_{counted}": plan.global_batch * plan.sequence,
            "micro_batch_samples": plan.micro_batch,
            "accumulation_steps": plan.accumulation,
        },
        "schedule": {
            "optimizer": "AdamW",
            "learning_rate": plan.learning_rate,
            "shape": "linear warm-up, cosine decay to a tenth",
            "steps": plan.steps,
            "warmup_steps": plan.warmup_steps,
            "rule": plan.rule,
        },
        "layout": {
            "parallelism": plan.parallelism,
            "activation_checkpointing": plan.checkpointing,
            "memory_per_device_gb": rounded(plan.memory.peak / 1e9, 6),
            "memory_parts_gb": {
                name: rounded(nbytes / 1e9, 6) for name, nbytes in plan.memory.parts.items()
            },
            "fits": plan.fits,
            "devices_needed": plan.devices_needed,
        },
        "checkpoint_gb": rounded(plan.checkpoint_bytes / 1e9, 6),
        "verdict": verdict(plan),
    }


def verdict(plan: TrainingPlan) -> str:
    """One sentence: what the hardware reaches in its time, and whether the model fits on it."""
    machine = f"{plan.devices} × {plan.device.name} for {fmt.seconds(plan.seconds)}"
    reach = f"{machine} reaches {fmt.count(plan.reachable)} {plan.unit}s"
    plans = f"the plan trains on {fmt.count(plan.planned)}, {plan.reach}"
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
