"""The pipeline on one screen: route, solve, count, estimate, draw, assemble."""

from __future__ import annotations

from typing import Any

from .. import __version__
from ..utils.seed import digest
from . import benchmarks, documents, paper_gen, prose, tables
from .architecture import blueprint, constraint_notes
from .codegen import package_files, requirements, test_files
from .ledger import ledger
from .release import Release
from .routing import route, row_of
from .training_plan import training_plan
from .words import words


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
    resolved = spec.resolved()
    seed = spec.reproducibility.seed
    spec_id = digest(_without_seed(resolved))[:12]

    row = row_of(spec)
    topology, losses = route(spec, row)
    chosen = blueprint(spec, topology)
    design, compute = chosen.design, spec.training.compute
    training = training_plan(
        topology, design.model, design.dims, compute.hardware, compute.duration.value
    )
    notes = (*losses, *constraint_notes(spec, chosen))
    rows = documents.ablations(spec, chosen)
    tests = test_files(chosen, "training_recipe" in spec.outputs.artifacts)
    code = package_files(chosen, training, seed, tests)
    figures = ledger(chosen, training, rows, seed)
    named = words(spec, resolved, chosen, training, row)

    papers = {
        "architecture": documents.architecture(spec, chosen, spec.name),
        "state_dict": documents.state_dict(design.model),
        "graph": documents.graph(spec, chosen),
        "params_estimate": documents.params_estimate(chosen, figures),
        "feasibility": documents.feasibility(chosen, notes),
        "training_plan": documents.training(training),
    }
    simulated: dict[str, Any] = {}
    if voice == "confident":
        drawn = benchmarks.draw(resolved, spec_id, seed, figures)
        figures |= drawn.figures
        simulated = drawn.tables
        papers["benchmarks"] = drawn.document
        rows, scores = benchmarks.score_ablations(rows, resolved, seed, figures)
        figures |= scores
    at = topology.work(design.model, design.dims).at
    papers["ablations"] = {"flops_at": at, "rows": rows}
    papers["ledger"] = documents.ledger(figures)

    return Release(
        version=__version__,
        voice=voice,
        seed=seed,
        spec=resolved,
        stated=spec.stated,
        spec_id=spec_id,
        artifacts=tuple(spec.outputs.artifacts),
        notes=notes,
        words=named,
        figures=figures,
        blueprint=papers,
        code=code,
        tests=tests,
        requires=requirements(code),
        prose=prose.assemble(resolved, named, figures, seed, voice, notes),
        tables=tables.assemble(figures, papers, topology.shown, notes, simulated),
        references=paper_gen.references(resolved, topology.id),
    )


def _without_seed(resolved: dict[str, Any]) -> dict[str, Any]:
    kept = {k: v for k, v in resolved["reproducibility"].items() if k != "seed"}
    return resolved | {"reproducibility": kept}
