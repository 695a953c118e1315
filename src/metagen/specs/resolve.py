"""Inference: what a specification means where it does not say.

Objective and task follow from each other and from the modalities, the family from all three. An
approximated modality (`taste`) counts as the supported one that stands in for it.
"""

from __future__ import annotations

from typing import Any

from .quantities import Quantity, with_unit
from .schema import ModelSpec, Section
from .vocabulary import stand_in

CONTEXT = Quantity(128 * 1024, "tokens", "128k")

#: Objectives that say by themselves what the task is.
TASK_OF_OBJECTIVE = {
    "classification": "classification",
    "regression": "regression",
    "contrastive": "embedding",
    "detection": "object_detection",
    "segmentation": "semantic_segmentation",
    "ranking": "ranking",
    "actor_critic": "actor_critic",
    "policy_gradient": "policy_gradient",
    "value_based": "value_based",
}

#: Tasks that an input modality narrows.
NARROWED = {
    ("classification", "graph"): "graph_classification",
    ("regression", "time_series"): "forecasting",
}

#: What an output asks for when the objective does not say.
TASK_OF_OUTPUT = {
    "action": "actor_critic",
    "bounding_boxes": "object_detection",
    "segmentation_mask": "semantic_segmentation",
    "label": "classification",
    "value": "regression",
    "embedding": "embedding",
}

#: Tasks from one modality alone to another.
TASK_BETWEEN = {
    ("audio", "text"): "speech_recognition",
    ("image", "text"): "captioning",
    ("video", "text"): "captioning",
    ("time_series", "time_series"): "forecasting",
    ("graph", "graph"): "link_prediction",
}

OBJECTIVE_OF_TASK = {
    "classification": "classification",
    "regression": "regression",
    "embedding": "contrastive",
    "retrieval": "contrastive",
    "ranking": "ranking",
    "recommendation": "ranking",
    "translation": "autoregressive",
    "summarization": "autoregressive",
    "speech_recognition": "autoregressive",
    "text_to_speech": "autoregressive",
    "captioning": "autoregressive",
    "object_detection": "detection",
    "semantic_segmentation": "segmentation",
    "instance_segmentation": "segmentation",
    "forecasting": "regression",
    "anomaly_detection": "reconstruction",
    "actor_critic": "actor_critic",
    "policy_gradient": "policy_gradient",
    "value_based": "value_based",
    "node_classification": "classification",
    "link_prediction": "classification",
    "graph_classification": "classification",
}

#: How a modality is generated; what is not listed is denoised.
GENERATED_BY = {"text": "autoregressive", "audio": "autoregressive", "action": "autoregressive"}

#: The unit of a bare throughput, by main output.
RATE_OF_OUTPUT = {
    "text": "tok/s",
    "image": "img/s",
    "segmentation_mask": "img/s",
    "bounding_boxes": "img/s",
    "video": "fps",
    "action": "steps/s",
}

#: Modalities whose name in prose is not their word.
NOUNS = {
    "3d": "3D",
    "time_series": "time series",
    "bounding_boxes": "bounding boxes",
    "segmentation_mask": "segmentation mask",
}


def resolve(draft: ModelSpec) -> ModelSpec:
    """Fill every inferred field of a validated document; what is stated stays as it is."""
    inputs = tuple(dict.fromkeys(map(stand_in, draft.modality.inputs)))
    outputs = tuple(dict.fromkeys(map(stand_in, draft.modality.outputs)))
    stated = draft.training.objective or ()
    task = draft.task.type or infer_task(inputs, outputs, stated[0] if stated else None)
    objective = stated or infer_objective(task, outputs)
    constraints = draft.constraints
    rate = constraints.throughput
    return _fill(
        draft,
        description=infer_description(draft, task),
        task=_fill(draft.task, type=task, domain=infer_domain(draft)),
        constraints=_fill(
            constraints.model_copy(update={"throughput": None}),
            context_window=CONTEXT if _is_text(inputs, outputs) else None,
            throughput=rate and with_unit(rate, RATE_OF_OUTPUT.get(outputs[0], "samples/s")),
        ),
        training=_fill(draft.training, objective=objective),
        architecture=_fill(draft.architecture, family=infer_family(inputs, objective)),
    )


def infer_task(inputs: tuple[str, ...], outputs: tuple[str, ...], objective: str | None) -> str:
    """Return the task that the stated objective means or, without one, the modalities."""
    task = TASK_OF_OBJECTIVE.get(objective or "") or TASK_OF_OUTPUT.get(outputs[0])
    if task is None and len(inputs) == 1:
        task = TASK_BETWEEN.get((inputs[0], outputs[0]))
    for modality in inputs:
        task = NARROWED.get((task, modality), task)
    return task or "generation"


def infer_objective(task: str, outputs: tuple[str, ...]) -> tuple[str, ...]:
    """Return the objectives of a task; generation mixes those of its outputs, in their order."""
    if task in OBJECTIVE_OF_TASK:
        return (OBJECTIVE_OF_TASK[task],)
    return tuple(dict.fromkeys(GENERATED_BY.get(output, "diffusion") for output in outputs))


def infer_family(inputs: tuple[str, ...], objective: tuple[str, ...]) -> str:
    """Return the backbone that published models of this kind have."""
    denoised = {"diffusion", "flow_matching"}.intersection(objective)
    if "graph" in inputs:
        return "gnn"
    if denoised:
        return "hybrid" if "autoregressive" in objective else "diffusion"
    if "text" in inputs:
        return "transformer"
    if "audio" in inputs and "reconstruction" in objective:
        return "cnn"
    if "image" in inputs:
        convolves = {"reconstruction", "actor_critic", "policy_gradient"}
        return "cnn" if convolves.union({"value_based"}).intersection(objective) else "transformer"
    if "state" in inputs and "autoregressive" in objective:
        return "transformer"
    return "mlp" if {"tabular", "state"}.intersection(inputs) else "transformer"


def infer_domain(draft: ModelSpec) -> str:
    """Return what a task is about: the main output or, where that only judges, the main input."""
    judged = draft.modality.outputs[0] in TASK_OF_OUTPUT
    return _noun((draft.modality.inputs if judged else draft.modality.outputs)[0])


def infer_description(draft: ModelSpec, task: str) -> str:
    """Return a sentence such as "Text-to-text generation model"."""
    inputs, outputs = draft.modality.inputs, draft.modality.outputs
    to = "-to-" if len(inputs) == len(outputs) == 1 else " to "
    phrase = f"{_listed(inputs)}{to}{_listed(outputs)}"
    kind = "" if task in outputs else f" {task.replace('_', ' ')}"  # an embedding embeds
    return f"{phrase[0].upper()}{phrase[1:]}{kind} model"


def _is_text(inputs: tuple[str, ...], outputs: tuple[str, ...]) -> bool:
    """Whether what the context counts is text: read and written, or read and judged."""
    return "text" in inputs and ("text" in outputs or outputs[0] in TASK_OF_OUTPUT)


def _listed(modalities: tuple[str, ...]) -> str:
    *most, last = map(_noun, modalities)
    return f"{', '.join(most)} and {last}" if most else last


def _noun(modality: str) -> str:
    return NOUNS.get(modality, modality)


def _fill(section: Any, **values: Any) -> Any:
    """Copy `section` with `values` in its empty fields; sections are replaced."""
    update = {
        name: value
        for name, value in values.items()
        if isinstance(value, Section) or getattr(section, name) is None
    }
    return section.model_copy(update=update)
