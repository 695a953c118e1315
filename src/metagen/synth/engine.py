"""The pipeline on one screen: route, solve, count, estimate, draw, assemble."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .. import __version__
from ..utils.seed import digest
from . import benchmarks, documents, paper_gen, prose, tables
from .architecture import Blueprint, blueprint, rehearsed
from .codegen import package_files, requirements, test_files
from .feasibility import constraint_notes
from .ledger import ledger
from .release import Figure, Note, Release
from .routing import route, row_of
from .serving import AS_SPECIFIED, Scenario
from .training_plan import TrainingPlan, training_plan
from .words import unstated, words


@dataclass(frozen=True)
class Assessment:
    """What follows from a specification before anything is written down.

    Attributes:
        spec_id: see `Release`.
        row: of the routing table.
        blueprint: the chosen design beside the constraints.
        training: the recipe for the stated hardware.
        ablations: what each removal changes.
        figures: the ledger, by key, without simulated figures.
        notes: approximations, precedence losses and trade-offs.
    """

    spec_id: str
    row: Any
    blueprint: Blueprint
    training: TrainingPlan
    ablations: list[dict[str, Any]]
    figures: Mapping[str, Figure]
    notes: tuple[Note, ...]


def assess(spec: Any, scenario: Scenario = AS_SPECIFIED) -> Assessment:
    """Route, solve, count and estimate; in another `scenario` the model stays what it is.

    Raises:
        SpecError: as `plan` does, and where the scenario asks for what the model does not have.
    """
    row = row_of(spec)
    topology, losses = route(spec, row)
    solved = blueprint(spec, topology)
    chosen = rehearsed(solved, scenario)
    design, compute = chosen.design, spec.training.compute
    training = training_plan(
        topology, design.model, design.dims, compute.hardware, compute.duration.value
    )
    rows = documents.ablations(spec, chosen)
    notes = (*losses, *constraint_notes(spec, solved))
    figures = ledger(spec, chosen, training, rows, notes)
    spec_id = digest(_without_seed(spec.resolved()))[:12]
    return Assessment(spec_id, row, chosen, training, rows, figures, notes)


def plan(spec: Any, *, voice: str = "confident") -> Release:
    """Everything about a specification, as plain data; pure and deterministic.

    Args:
        spec: a resolved `ModelSpec`.
        voice: `confident`, or `plain` for a release without jokes and simulated figures.

    Raises:
        SpecError: where the engine cannot honour the document at all: unknown or contradictory
            dimensions, a budget below the smallest model.
        ValueError: for an unknown voice.
    """
    if voice not in ("confident", "plain"):
        raise ValueError(f"voice: {voice!r} is not one of confident, plain")
    found = assess(spec)
    chosen, training, rows = found.blueprint, found.training, found.ablations
    topology, design, figures = chosen.demands.topology, chosen.design, dict(found.figures)
    resolved, seed = spec.resolved(), spec.reproducibility.seed
    tests = test_files(chosen, "training_recipe" in spec.outputs.artifacts)
    code = package_files(chosen, training, seed, tests)
    named = words(spec, resolved, chosen, training, found.row)
    if voice == "plain":
        named |= dict.fromkeys(unstated(spec.stated), "")

    papers = {
        "architecture": documents.architecture(spec, chosen, spec.name),
        "state_dict": documents.state_dict(design.model),
        "graph": documents.graph(spec, chosen),
        "params_estimate": documents.params_estimate(chosen, figures),
        "feasibility": documents.feasibility(chosen, found.notes),
        "training_plan": documents.training(training),
    }
    simulated: dict[str, Any] = {}
    if voice == "confident":
        drawn = benchmarks.draw(resolved, found.spec_id, seed, figures)
        figures |= drawn.figures
        simulated = drawn.tables
        papers["benchmarks"] = drawn.document
        rows, scores = benchmarks.score_ablations(rows, resolved, seed, figures)
        figures |= scores
    at = topology.work(design.model, design.dims).at
    papers["ablations"] = {"flops_at": at, **documents.whole(figures), "rows": rows}
    papers["ledger"] = documents.ledger(figures)
    identity = {
        "version": __version__,
        "spec_id": found.spec_id,
        "seed": seed,
        "voice": voice,
        "artifacts": tuple(spec.outputs.artifacts),
    }
    papers["log"] = documents.log(chosen, figures, found.notes, identity)
    papers["summary"] = documents.summary(spec, named, figures, identity)

    text = prose.assemble(resolved, named, figures, seed, voice, found.notes)
    return Release(
        **identity,
        spec=resolved,
        stated=spec.stated,
        notes=found.notes,
        words=named,
        figures=figures,
        blueprint=papers,
        code=code,
        tests=tests,
        requires=requirements(code),
        prose=text,
        tables=tables.assemble(figures, papers, topology.shown, found.notes, simulated)
        | {"modules": paper_gen.Modules(papers["state_dict"]["tensors"])},
        references=paper_gen.references(text.values()),
    )


def _without_seed(resolved: dict[str, Any]) -> dict[str, Any]:
    kept = {k: v for k, v in resolved["reproducibility"].items() if k != "seed"}
    return resolved | {"reproducibility": kept}
