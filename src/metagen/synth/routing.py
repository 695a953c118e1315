"""Routing: which topology a specification means, and what it loses on the way.

Precedence is objective, then task, then outputs; family decides the backbone. The table is data:
`routing.yaml`. What a topology does not cover is approximated by it, and every approximation is a
note.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from ..specs.vocabulary import stand_in
from ..utils.io import from_yaml
from .release import Note
from .topologies import TOPOLOGIES, Topology

#: The rows of the routing table, in order of precedence.
ROWS: Sequence[Mapping[str, Any]] = from_yaml(
    Path(__file__).with_name("routing.yaml").read_text(encoding="utf-8")
)


def route(spec: Any, row: Mapping[str, Any] | None = None) -> tuple[Topology, tuple[Note, ...]]:
    """The topology of a resolved spec, and approximations and precedence losses, in order.

    `row` is the spec's row of the table, where it is known already.
    """
    topology = TOPOLOGIES[(row or row_of(spec))["topology"]]
    return topology, (*_modalities(spec, topology), *_losses(spec, topology))


def row_of(spec: Any) -> Mapping[str, Any]:
    """The row of the table that a resolved spec is routed by."""
    return next(row for row in ROWS if _matches(row, spec))


def _matches(row: Mapping[str, Any], spec: Any) -> bool:
    facts = {
        "objective": spec.training.objective[0],
        "task": spec.task.type,
        "family": spec.architecture.family,
    }
    if any(key in row and fact not in row[key] for key, fact in facts.items()):
        return False
    if "part" in row and _named_parts(spec).isdisjoint(row["part"]):
        return False
    return all(_fits(row, side, getattr(spec.modality, side)) for side in ("inputs", "outputs"))


def _fits(row: Mapping[str, Any], side: str, stated: Iterable[str]) -> bool:
    """Whether the modalities of one side are those that a row asks for."""
    words = set(map(stand_in, stated))
    return (
        words == set(row.get(side, words))
        and words <= set(row.get(f"{side}_among", words))
        and len(words) >= row.get(f"{side}_at_least", 1)
    )


def _named_parts(spec: Any) -> set[str]:
    """The parts that an author names: types of components, and `block` of the dimensions."""
    named = {component.type for component in spec.architecture.components}
    return named | {str((spec.architecture.dims or {}).get("block"))}


def _modalities(spec: Any, topology: Topology) -> Iterator[Note]:
    for side, verb in (("inputs", "read"), ("outputs", "produce")):
        covered = topology.covers[side]
        for modality in getattr(spec.modality, side):
            used = stand_in(modality)
            if modality in covered:
                continue
            if used in covered:
                what = f"{modality} is approximated: {used} stands in for it"
            elif side == "inputs" and "text" in covered:
                what = f"{modality} is approximated: it is read as text, byte by byte"
            else:
                what = f"{modality} is left out: a {topology.phrase} does not {verb} it"
            yield Note("approximated_modality", f"modality.{side}", what)


def _losses(spec: Any, topology: Topology) -> Iterator[Note]:
    for objective in spec.training.objective:
        if objective not in topology.trained(spec):
            yield Note(
                "approximated_objective",
                "training.objective",
                f"{objective} is not trained by a {topology.phrase}; "
                f"the model is trained by {topology.objective}",
            )
    if spec.task.type not in topology.covers["task"]:
        task = spec.task.type.replace("_", " ")
        yield Note("approximated_task", "task.type", f"{task} is served as {topology.served_as}")
    family = spec.architecture.family
    if family not in topology.covers["family"]:
        yield Note(
            "approximated_family",
            "architecture.family",
            f"family {family} is not available here; a {topology.phrase} is used",
        )
