"""Measure what MetaGen's own paper reports, and write it where the paper picks it up.

    python benchmarks/measure_paper.py [--runs 3]

Into paper/: `measured.tex` (exact counts of published models, budget fill, seconds), `ledger.tex`
and the tables of the release that the paper uses as its example, `bibliography.bib`, and the
figures.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import statistics
import sys
import tempfile
from importlib.resources import files
from pathlib import Path
from types import ModuleType

from bench_cli import EXAMPLE, measure
from budget_table import BUDGETS
from matplotlib.figure import Figure

from metagen import load_spec, plan
from metagen.synth import paper_gen
from metagen.synth.architecture import blueprint
from metagen.synth.release import Reference, Release
from metagen.synth.topologies import TOPOLOGIES
from metagen.utils import escaping
from metagen.utils.formatting import count, integer, percent

ROOT = Path(__file__).resolve().parent.parent
PAPER = ROOT / "paper"
DRAW = ROOT / "template" / "blueprint" / "draw.py"


def text_spec(budget: str, dims: dict | None = None) -> object:
    """A text model that only its parameter budget, or its dimensions, constrain."""
    return load_spec(
        {
            "metagen_version": "1.0",
            "name": "measured",
            "modality": {"inputs": ["text"], "outputs": ["text"]},
            "constraints": {
                "latency": "offline",
                "memory_budget": "∞",
                "context_window": "8k",
                "parameter_budget": {"max": budget},
            },
            "architecture": {"dims": dims or {}},
        }
    )


def exactness() -> list[tuple[str, int, int]]:
    """Published models: name, published count, MetaGen's count under the same dimensions."""
    published = json.loads((files("metagen.synth") / "published.json").read_text(encoding="utf-8"))
    return [(model["name"], model["params"], counted(model)) for model in published]


def counted(model: dict) -> int:
    """MetaGen's count of a published model, or of the network of a release that was published."""
    built = blueprint(text_spec("1T", model["config"]), TOPOLOGIES[model["topology"]]).design.model
    return built.children.get(model.get("network"), built).count()


def fills() -> list[tuple[float, float]]:
    """For each budget of docs/budgets.md: parameters asked for, and the share that is used."""
    rows = []
    for budget in BUDGETS:
        spec = text_spec(budget)
        asked = spec.constraints.parameter_budget.max.value
        rows.append((asked, blueprint(spec, TOPOLOGIES["decoder_lm"]).design.model.count() / asked))
    return rows


def seconds(runs: int) -> dict[str, float]:
    """Median seconds of the plan, of a synthesis and of a plain copy of the same tree."""
    found = {what: value for what, value, _ in measure(runs)}

    def of(words: str) -> float:
        return next(value for what, value in found.items() if words in what)

    return {"plan": of("plan()"), "synth": of("metagen synth"), "copy": of("copier copy")}


def measured_tex(
    models: list[tuple[str, int, int]], filled: list[tuple[float, float]], times: dict[str, float]
) -> str:
    """`measured.tex`: figures by key, and the rows of the table of published models."""
    shares = [share for _, share in filled]
    exact = sum(published == counted for _, published, counted in models)
    machine = f"{os.cpu_count()} cores, {platform.machine()}, Python {platform.python_version()}"
    figures = {
        "models_total": str(len(models)),
        "models_exact": str(exact),
        "budgets_total": str(len(filled)),
        "budget_least": count(min(asked for asked, _ in filled)),
        "budget_most": count(max(asked for asked, _ in filled)),
        "fill_least": percent(min(shares)),
        "fill_most": percent(max(shares)),
        "fill_median": percent(statistics.median(shares)),
        "plan_seconds": f"{times['plan'] * 1000:.0f} ms",
        "synth_seconds": f"{times['synth']:.2f} s",
        "copy_seconds": f"{times['copy']:.2f} s",
        "synth_ratio": f"{times['synth'] / times['copy']:.1f}",
        "machine": machine,
    }
    lines = ["% Measured by benchmarks/measure_paper.py; `make -C paper data` measures again."]
    lines += [rf"\definefigure{{{key}}}{{{escaping.tex(text)}}}" for key, text in figures.items()]
    rows = [
        rf"{escaping.tex(name)} & {integer(published)} & {integer(counted)} & "
        rf"{integer(counted - published)} \\"
        for name, published, counted in models
    ]
    return "\n".join([*lines, r"\newcommand\publishedrows{%", *rows, "}", ""])


def ledger_tex(release: Release) -> str:
    """The example's figures, as a generated paper has them."""
    lines = ["% The ledger of the example release; benchmarks/measure_paper.py writes it."]
    lines += [
        rf"\definefigure{{{figure.key}}}{{{escaping.tex(figure.text)}}}"
        for figure in release.figures.values()
    ]
    return "\n".join([*lines, ""])


def tables_tex(release: Release) -> str:
    """The example's tables of results and ablations."""
    results, metrics = release.tables["results"], release.tables["metrics"]
    ablations = release.tables["ablations"]
    return "\n".join(
        [
            "% Tables of the example release; benchmarks/measure_paper.py writes them.",
            r"\newcommand\resultstable{\begin{fittable}{" + results.tex_align + "}",
            escaping.tex_table(results),
            r"\midrule",
            escaping.tex_table(metrics.body),
            r"\end{fittable}}",
            r"\newcommand\ablationtable{\begin{fittable}{" + ablations.tex_align + "}",
            escaping.tex_table(ablations),
            r"\end{fittable}}",
            "",
        ]
    )


def bibliography() -> str:
    """Every reference of the library."""
    entries = paper_gen.load_library().items()
    return escaping.bibtex(
        Reference(key, entry.pop("type"), {k: v for k, v in entry.items() if k != "for"})
        for key, entry in entries
    )


def load_draw() -> ModuleType:
    """The drawing script that every generated repository ships."""
    sys.path.insert(0, str(DRAW.parent))
    spec = importlib.util.spec_from_file_location("draw", DRAW)
    module = importlib.util.module_from_spec(spec)
    sys.modules["draw"] = module
    spec.loader.exec_module(module)
    return module


def draw_figures(release: Release, filled: list[tuple[float, float]]) -> None:
    """`figures/{pipeline,ablation,fill}.pdf`."""
    draw = load_draw()
    from ink import BLUE

    draw.main([str(PAPER), "--out", str(ROOT), "--paper"])
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "blueprint"
        home.mkdir()
        (home / "ledger.json").write_text(escaping.json(release.blueprint["ledger"]), "utf-8")
        (home / "ablations.yaml").write_text(escaping.yaml(release.blueprint["ablations"]), "utf-8")
        draw.main([folder, "--out", str(ROOT), "--paper"])
    theme = draw.PAPER
    figure = Figure(figsize=(5.6, 1.9), layout="constrained")
    axes = figure.subplots()
    asked, shares = zip(*filled, strict=True)
    axes.semilogx(asked, [100 * share for share in shares], "o", markersize=3, color=BLUE)
    axes.axhline(97, color=theme.ink, linewidth=0.8, linestyle=(0, (4, 3)))
    ticks = [10.0**power for power in range(6, 12)]
    axes.set_xticks(ticks, ["1M", "10M", "100M", "1B", "10B", "100B"])
    axes.set_xticks([], minor=True)
    axes.set_ylim(94, 100.5)
    axes.set_xlabel("parameter budget", size=8)
    axes.set_ylabel("filled (%)", size=8)
    axes.tick_params(labelsize=8)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(PAPER / "figures" / "fill.pdf", transparent=True, metadata=theme.metadata)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3, help="timed runs, of which the median")
    options = parser.parse_args()
    release, filled = plan(load_spec(EXAMPLE)), fills()
    texts = {
        "measured.tex": measured_tex(exactness(), filled, seconds(options.runs)),
        "ledger.tex": ledger_tex(release),
        "tables.tex": tables_tex(release),
        "bibliography.bib": bibliography(),
    }
    for name, text in texts.items():
        (PAPER / name).write_text(text, encoding="utf-8")
        print(PAPER / name)
    draw_figures(release, filled)


if __name__ == "__main__":
    main()
