"""Routing: which topology a specification means, and what it loses on the way.

Precedence is objective, then task, then outputs; family decides the backbone. This version has
one topology, the decoder-only language model: everything else is approximated by it, on bytes,
and every approximation is a note.
"""

from __future__ import annotations

from typing import Any

from .release import Note

TOPOLOGY = "decoder_lm"
TOPOLOGY_NAME = "decoder-only transformer"

#: Modalities, objectives, tasks and families that the topology covers as they stand.
COVERED = {
    "modality": {"text"},
    "objective": {"autoregressive"},
    "task": {"generation", "translation", "summarization"},
    "family": {"transformer"},
}


def route(spec: Any) -> tuple[Note, ...]:
    """The notes of routing a resolved spec: approximations and precedence losses, in order."""
    notes = [*_modalities(spec)]
    objectives = [o for o in spec.training.objective if o not in COVERED["objective"]]
    for objective in objectives:
        notes.append(
            Note(
                "approximated_objective",
                "training.objective",
                f"{objective} is not trained by a {TOPOLOGY_NAME}; "
                "the model is trained autoregressively",
            )
        )
    task = spec.task.type
    if task not in COVERED["task"]:
        notes.append(
            Note(
                "approximated_task",
                "task.type",
                f"{task.replace('_', ' ')} is served as generation: "
                "the answer is written as text after the input",
            )
        )
    family = spec.architecture.family
    if family not in COVERED["family"]:
        notes.append(
            Note(
                "approximated_family",
                "architecture.family",
                f"family {family} is not available for text; a {TOPOLOGY_NAME} is used",
            )
        )
    return tuple(notes)


def _modalities(spec: Any) -> list[Note]:
    notes = []
    for side in ("inputs", "outputs"):
        for modality in getattr(spec.modality, side):
            if modality not in COVERED["modality"]:
                notes.append(
                    Note(
                        "approximated_modality",
                        f"modality.{side}",
                        f"{modality} is approximated: "
                        f"it {'arrives' if side == 'inputs' else 'leaves'} as a stream of bytes "
                        "through the text backbone",
                    )
                )
    return notes
