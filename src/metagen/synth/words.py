"""The words of a release: unescaped strings that prose, cards and templates may name."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..specs.vocabulary import stand_in
from .architecture import Blueprint
from .published import nearest_published
from .training_plan import TrainingPlan

_MODALITY = {"3d": "3D", "time_series": "time series", "bounding_boxes": "bounding box",
             "segmentation_mask": "segmentation mask"}  # fmt: skip

#: What models of a topology are about, where sentences care.
SUBJECTS = {
    "language": ("decoder_lm", "mamba_lm", "hybrid_lm", "encoder_decoder"),
    "texts": ("text_encoder",),
    "sight": ("vit", "resnet", "convnext", "segformer", "detr", "detr_masks"),
    "pictures": ("unet", "dit", "mmdit", "autoencoder"),
    "video": ("video_classifier", "video_diffusion", "avatar"),
    "sound": ("audio_classifier", "audio_codec", "audio_diffusion", "codec_lm"),
    "speech": ("speech_recognizer",),
    "shapes": ("shape_diffusion",),
    "series": ("patch_forecaster", "state_space_forecaster", "series_detector",
               "series_classifier"),
    "graphs": ("graph_nodes", "graph_links", "graph_reader"),
    "tables": ("tabular_transformer", "tabular_mlp"),
    "recommendation": ("two_towers",),
    "control": ("actor_critic", "pixel_actor_critic", "q_network", "pixel_q_network",
                "decision_transformer"),
    "several": ("dual_encoder", "vlm", "fused", "mixed"),
}  # fmt: skip

#: What a model is for, by its task; generation, which is also the default, by its objective.
_PURPOSES = {
    "classification": "{inputs} classification", "regression": "{inputs} regression",
    "embedding": "{inputs} embedding", "retrieval": "{inputs} retrieval",
    "ranking": "{inputs} ranking", "forecasting": "{inputs} forecasting",
    "text_to_speech": "text-to-speech", "speech_recognition": "transcription",
    "actor_critic": "control", "policy_gradient": "control", "value_based": "control",
}  # fmt: skip
_GENERATING = _PURPOSES | {
    "masked": "masked {inputs} modelling", "reconstruction": "{outputs} reconstruction",
    "contrastive": "{inputs} embedding", "detection": "object detection",
    "segmentation": "image segmentation",
}  # fmt: skip


#: Words of tone, whose defaults are the house voice's, and where a specification states them.
TONE = {
    "data_sources": ("training", "data", "sources"),
    "data_size": ("training", "data", "size"),
    "pii": ("training", "data", "governance", "pii"),
    "copyright": ("training", "data", "governance", "copyright"),
    "alignment_methods": ("training", "alignment", "method"),
    "alignment_policy": ("training", "alignment", "policy"),
    "determinism": ("reproducibility", "determinism"),
}


def unstated(stated: Mapping[str, Any]) -> frozenset[str]:
    """The words of tone that nobody stated, so that a plain voice does not quote them."""

    def missing(path: tuple[str, ...]) -> bool:
        section: Any = stated
        for key in path:
            section = section.get(key) if isinstance(section, Mapping) else None
        return section is None

    return frozenset(word for word, path in TONE.items() if missing(path))


def words(
    spec: Any,
    resolved: Mapping[str, Any],
    plan: Blueprint,
    training: TrainingPlan,
    row: Mapping[str, Any],
) -> dict[str, str]:
    """Every word by key; the author's own strings appear here as they were written.

    `row` is the line of the routing table that the spec was routed by.
    """
    topology = plan.demands.topology
    networks = _files(topology, plan)
    inputs = [_MODALITY.get(m, m) for m in spec.modality.inputs]
    outputs = [_MODALITY.get(m, m) for m in spec.modality.outputs]
    taken, given = (listed(m + " data" * (m == "tabular") for m in ms) for ms in (inputs, outputs))
    modalities = dict.fromkeys([*spec.modality.inputs, *spec.modality.outputs])
    foreign = [modality for modality in modalities if stand_in(modality) != modality]
    training_spec = resolved["training"]
    governance = training_spec["data"]["governance"]
    return {
        "name": spec.name,
        "title": title(spec.name),
        "slug": slug(spec.name),
        "description": spec.description,
        "inputs": taken,
        "outputs": given,
        "modality_phrase": _hyphenated(inputs, outputs),
        "task": spec.task.type.replace("_", " "),
        "domain": spec.task.domain,
        "objective": topology.objective,
        "metric": row["metric"],
        "trivial": row["trivial"],
        "artifact": row["artifact"],
        "infer_args": "",
        "own_data": "--data" if "data" in topology.settings else "--env",
        "data_forms": _data_forms(topology.settings),
        "unit": topology.unit,
        "units": topology.unit.removesuffix("s") + "s",
        "timed": topology.unit,
        "purpose": purpose(spec, inputs, outputs),
        "networks": listed(networks),
        "latent": "latent" if "autoencoder.py" in networks else "",
        "counted": topology.counted,
        "passes": topology.passes,
        "pass_phrase": "denoising step" if topology.denoises else topology.counted,
        "pipeline_tag": pipeline_tag(
            [stand_in(m) for m in spec.modality.inputs],
            [stand_in(m) for m in spec.modality.outputs],
            "masked" if spec.training.objective[0] == "masked" else spec.task.type,
        ),
        "family": spec.architecture.family,
        "topology_id": topology.id,
        "subject": next(k for k, ids in SUBJECTS.items() if topology.id in ids),
        "topology": topology.phrase,
        "approximated": listed(_MODALITY.get(m, m) for m in foreign),
        "stand_ins": listed(dict.fromkeys(_MODALITY.get(m, m) for m in map(stand_in, foreign))),
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
        "given_up": listed(plan.given_up) or "nothing",
        "binding": listed(_names(row for row in plan.constraints if row.binding)),
        "missed": listed(_names(row for row in plan.constraints if not row.satisfied)),
        "nearest": (nearest_published(topology, plan.design.dims) or ("",))[0],
        "parallelism": training.parallelism,
        **topology.words(spec, plan.design.dims),
    }


def purpose(spec: Any, inputs: list[str], outputs: list[str]) -> str:
    """What the model is for, to stand after "for": `text generation`, `control`."""
    task, objective = spec.task.type, spec.training.objective[0]
    if task == "generation":
        alone = objective if len(outputs) == 1 else ""
        phrase = _GENERATING.get(alone, "{outputs} generation")
    else:
        phrase = _PURPOSES.get(task, task.replace("_", " "))
    return phrase.format(inputs=listed(inputs), outputs=listed(outputs))


def _names(constraints: Any) -> list[str]:
    """`the memory budget`, for each of some constraints."""
    return [f"the {row.constraint.replace('_', ' ')}" for row in constraints]


def _files(topology: Any, plan: Blueprint) -> list[str]:
    """Names of the files beside `model.py` that hold its networks."""
    files = topology.network_files(topology.switches(plan.design.dims))
    return [f"{name}.py" for name in dict.fromkeys(files.values())]


def _data_forms(settings: Mapping[str, Any]) -> str:
    """What `--data` takes, as the help of that flag says it; empty without such a flag."""
    return settings["data"].doc.partition("; empty")[0] if "data" in settings else ""


def _hyphenated(inputs: Any, outputs: Any) -> str:
    """`text-and-image-to-segmentation-mask`, to stand before a noun."""
    return f"{'-and-'.join(inputs)}-to-{'-and-'.join(outputs)}".replace(" ", "-")


#: The hub's name of a task, by the task and by what goes in and comes out; `*` is anything.
_PIPELINES = (
    ("masked", "text", "*", "fill-mask"),
    ("speech_recognition", "*", "*", "automatic-speech-recognition"),
    ("text_to_speech", "*", "*", "text-to-speech"),
    ("object_detection", "*", "*", "object-detection"),
    ("semantic_segmentation", "*", "*", "image-segmentation"),
    ("instance_segmentation", "*", "*", "image-segmentation"),
    ("forecasting", "*", "*", "time-series-forecasting"),
    ("translation", "*", "*", "translation"),
    ("summarization", "*", "*", "summarization"),
    ("ranking", "text", "*", "text-ranking"),
    ("retrieval", "image", "*", "zero-shot-image-classification"),
    ("embedding", "image", "*", "image-feature-extraction"),
    ("retrieval", "*", "*", "sentence-similarity"),
    ("embedding", "*", "*", "feature-extraction"),
    ("classification", "image", "*", "image-classification"),
    ("classification", "video", "*", "video-classification"),
    ("classification", "audio", "*", "audio-classification"),
    ("classification", "text", "*", "text-classification"),
    ("classification", "tabular", "*", "tabular-classification"),
    ("regression", "tabular", "*", "tabular-regression"),
    ("captioning", "image", "*", "image-to-text"),
    ("*", "graph", "*", "graph-ml"),
    ("*", "time_series", "label", "tabular-classification"),
    ("*", "time_series", "*", "time-series-forecasting"),
    ("*", "state", "*", "reinforcement-learning"),
    ("*", "*", "action", "reinforcement-learning"),
    ("*", "*", "bounding_boxes", "object-detection"),
    ("*", "*", "segmentation_mask", "image-segmentation"),
    ("*", "*", "embedding", "feature-extraction"),
    ("*", "text+image", "text", "image-text-to-text"),
    ("*", "text", "image", "text-to-image"),
    ("*", "text", "video", "text-to-video"),
    ("*", "text", "audio", "text-to-audio"),
    ("*", "text", "3d", "text-to-3d"),
    ("*", "text", "text", "text-generation"),
    ("*", "image", "image", "image-to-image"),
    ("*", "image", "text", "image-to-text"),
    ("*", "image", "video", "image-to-video"),
    ("*", "audio", "text", "automatic-speech-recognition"),
    ("*", "audio", "audio", "audio-to-audio"),
    ("*", "image", "label", "image-classification"),
)


def pipeline_tag(inputs: Any, outputs: Any, task: str) -> str:
    """What the hub of model cards files a model under; `other` where it has no name for it."""
    for wanted, reads, writes, tag in _PIPELINES:
        if wanted in ("*", task) and writes in ("*", *outputs):
            if reads == "*" or set(reads.split("+")) <= set(inputs):
                return tag
    return "other"


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
    short = {"llm", "lm", "gpt", "rt", "ai", "ml", "rl", "ppo", "dqn", "tts", "asr", "3d", "clip"}
    mixed = {
        "vit": "ViT",
        "dit": "DiT",
        "sdxl": "SDXL",
        "moe": "MoE",
        "bert": "BERT",
        "resnet": "ResNet",
        "siglip": "SigLIP",
        "musicgen": "MusicGen",
    }
    parts = [p for p in re.split(r"[_\-]+", name) if p]
    cased = (
        mixed.get(p) or (p.upper() if p in short or p[0].isdigit() else p[0].upper() + p[1:])
        for p in parts
    )
    return " ".join(cased) or name


def slug(name: str) -> str:
    """A kebab-case ASCII name for URLs and distributions; `model` where nothing remains."""
    kept = re.sub(r"[^a-z0-9]+", "-", name.lower().encode("ascii", "ignore").decode()).strip("-")
    return kept[:60].strip("-") or "model"
