"""Set MetaGen's own paper from what was measured: figures by key, tables, pictures, references.

    python benchmarks/render_paper.py

Reads `paper.json` (see `measure_paper.py`), `traces.json` and `anchors.py`, and plans the release
that is the paper's example. Writes {measured,ledger,tables}.tex, bibliography.bib and figures/ of
paper/. Equal records give equal bytes.
"""

from __future__ import annotations

import importlib.util
import json
import re
import statistics
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path
from types import ModuleType
from typing import Any

import anchors
import matplotlib
from bench_cli import EXAMPLE
from matplotlib.figure import Figure

from metagen import load_spec, plan
from metagen.synth import paper_gen
from metagen.synth.release import Reference, Release
from metagen.synth.solver import required_fill
from metagen.synth.topologies import TOPOLOGIES
from metagen.utils import escaping, literals
from metagen.utils.formatting import count, integer, percent

ROOT = Path(__file__).resolve().parent.parent
PAPER = ROOT / "paper"
DRAW = ROOT / "template" / "blueprint" / "draw.py"
RECORD = Path(__file__).with_name("paper.json")
TRACES = Path(__file__).with_name("traces.json")
PLOT = {
    "font.size": 7,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
}
PANELS = 2  # of the table of published models, side by side

Pairs = list[tuple[float, float]]


def traced() -> Pairs:
    """Bytes that traces say and that PyTorch reports, of every example and pass."""
    record = json.loads(TRACES.read_text(encoding="utf-8"))
    return [tuple(pair) for row in record["examples"].values() for pair in row.values()]


def anchored() -> tuple[Pairs, Pairs]:
    """Predicted and measured on an H200: seconds of a step, bytes at its peak."""
    rows = anchors.rows()
    steps = [(said.seconds, anchor.samples / anchor.rate) for anchor, said in rows]
    return steps, [(said.peak, anchor.peak) for anchor, said in rows if anchor.peak]


def worst(pairs: Pairs) -> str:
    """The largest relative difference among (predicted, measured)."""
    return percent(max(abs(said / found - 1) for said, found in pairs))


def median_off(pairs: Pairs) -> str:
    """The median relative difference among (predicted, measured)."""
    return percent(statistics.median(abs(said / found - 1) for said, found in pairs))


def within(pairs: Pairs, share: float) -> int:
    """How many predictions are off by no more than `share`."""
    return sum(abs(said / found - 1) <= share for said, found in pairs)


# -- figures by key --------------------------------------------------------------------------------


def counted(record: dict[str, Any]) -> dict[str, str]:
    """Published models and budgets."""
    models = record["published"]
    shares = [used / asked for asked, used in record["budgets"]]
    return {
        "models_total": str(len(models)),
        "models_exact": str(sum(m["published"] == m["counted"] for m in models)),
        "models_topologies": str(len({m["topology"] for m in models})),
        "models_tensors": integer(sum(m["tensors"] for m in models)),
        "models_params": integer(sum(m["published"] for m in models)),
        "models_least": count(min(m["published"] for m in models)),
        "models_most": count(max(m["published"] for m in models)),
        "budgets_total": str(len(shares)),
        "budget_least": count(min(asked for asked, _ in record["budgets"])),
        "budget_most": count(max(asked for asked, _ in record["budgets"])),
        "fill_least": percent(min(shares)),
        "fill_most": percent(max(shares)),
        "fill_median": percent(statistics.median(shares)),
    }


def drawn(record: dict[str, Any]) -> dict[str, str]:
    """Random specifications."""
    specs = record["random"]
    free = [spec for spec in specs if not spec["gave_up"]]
    within_budget = sum(spec["params"] <= spec["budget"] for spec in specs)
    filled = sum(s["params"] >= required_fill(s["budget"]) * s["budget"] for s in free)
    times = sorted(spec["seconds"] for spec in specs)
    return {
        "specs_total": str(len(specs)),
        "specs_within": str(within_budget),
        "specs_refused": str(sum(spec["refused"] for spec in specs)),
        "specs_topologies": str(len({spec["topology"] for spec in specs})),
        "topologies_total": str(len(TOPOLOGIES)),
        "specs_satisfied": str(sum(spec["satisfied"] for spec in specs)),
        "specs_gave_up": str(len(specs) - len(free)),
        "specs_free": str(len(free)),
        "specs_filled": str(filled),
        "specs_least": count(min(spec["params"] for spec in specs)),
        "specs_most": count(max(spec["params"] for spec in specs)),
        "specs_tensors": integer(sum(spec["tensors"] for spec in specs)),
        "specs_median_ms": f"{statistics.median(times) * 1000:.0f} ms",
        "specs_tail_ms": f"{times[int(0.95 * len(times))] * 1000:.0f} ms",
    }


def timed(record: dict[str, Any]) -> dict[str, str]:
    """Seconds."""
    found = record["seconds"]
    return {
        "plan_seconds": f"{found['plan'] * 1000:.0f} ms",
        "synth_seconds": f"{found['synth']:.2f} s",
        "copy_seconds": f"{found['copy']:.2f} s",
        "synth_ratio": f"{found['synth'] / found['copy']:.1f}",
        "machine": record["machine"],
    }


def survived(record: dict[str, Any]) -> dict[str, str]:
    """Lives of the update laboratory."""
    names = {
        "lives_total": "scenarios",
        "lives_edits": "edits",
        "lives_files": "edited_files",
        "lives_conflicts": "conflicts",
        "lives_away": "away_edits",
        "lives_away_conflicts": "away_conflicts",
        "lives_near": "near_edits",
        "lives_near_conflicts": "near_conflicts",
        "lives_broken": "broken_promises",
    }
    return {key: integer(record["lives"][name]) for key, name in names.items()}


def predicted() -> dict[str, str]:
    """Predictions beside measurements."""
    memory, (steps, peaks) = traced(), anchored()
    return {
        "traces_total": str(len(memory)),
        "traces_close": str(within(memory, 0.01)),
        "traces_worst": worst(memory),
        "traces_median": median_off(memory),
        "anchors_total": str(len(steps)),
        "steps_worst": worst(steps),
        "steps_median": median_off(steps),
        "peaks_total": str(len(peaks)),
        "peaks_worst": worst(peaks),
        "peaks_median": median_off(peaks),
    }


def measured_tex(record: dict[str, Any]) -> str:
    """`measured.tex`: figures by key, and the rows of the table of published models."""
    figures = counted(record) | drawn(record) | timed(record) | survived(record) | predicted()
    lines = ["% Measured by benchmarks/measure_paper.py; `make -C paper data` measures again."]
    lines += [rf"\definefigure{{{key}}}{{{unbroken(text)}}}" for key, text in figures.items()]
    rows = published_rows(record["published"])
    return "\n".join([*lines, r"\newcommand\publishedrows{%", *rows, "}", ""])


def unbroken(text: str) -> str:
    """A figure in LaTeX, whose unit stays on the line of its number."""
    return re.sub(r"(?<=\d) ", "~", escaping.tex(text))


def published_rows(models: list[dict[str, Any]]) -> list[str]:
    """Rows of the table, its panels side by side."""
    cells = [
        f"{escaping.tex(m['name'])} & {integer(m['published'])}"
        f" & {integer(m['counted'] - m['published'])}"
        for m in models
    ]
    height = -(-len(cells) // PANELS)
    cells += [" & &"] * (height * PANELS - len(cells))
    return [" & ".join(cells[row::height]) + r" \\" for row in range(height)]


def evidence() -> str:
    """The record on one screen, in Markdown, for README.md."""
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    m = counted(record) | drawn(record) | timed(record) | survived(record) | predicted()
    rows = (
        ("published models whose parameters are counted exactly",
         f"{m['models_exact']} of {m['models_total']}, {m['models_least']} to {m['models_most']}"),
        ("random specifications that became models within their budget",
         f"{m['specs_within']} of {m['specs_total']}, on {m['specs_topologies']} topologies"),
        ("bytes of activations beside PyTorch's",
         f"{m['traces_close']} of {m['traces_total']} within 1 %, all within {m['traces_worst']}"),
        ("training steps beside those of others on an H200",
         f"{m['anchors_total']} within {m['steps_worst']}, their memory within {m['peaks_worst']}"),
        ("lives of an edited repository, and promises that an update broke",
         f"{m['lives_total']} with {m['lives_edits']} edits, {m['lives_broken']} broken"),
        ("time to plan a model, and to write its repository",
         f"{m['plan_seconds']} and {m['synth_seconds']} ({m['machine']})"),
    )  # fmt: skip
    lines = ["| what | measured |", "|---|---|"]
    return "\n".join([*lines, *(f"| {what} | {said} |" for what, said in rows)])


# -- the example -----------------------------------------------------------------------------------


def ledger_tex(release: Release) -> str:
    """The example's figures, as a generated paper has them."""
    lines = ["% The ledger of the example release; benchmarks/render_paper.py writes it."]
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
            "% Tables of the example release; benchmarks/render_paper.py writes them.",
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
    return escaping.bibtex(Reference(key, entry.pop("type"), entry) for key, entry in entries)


# -- pictures --------------------------------------------------------------------------------------


def load_draw() -> ModuleType:
    """The drawing script that every generated repository ships."""
    sys.path.insert(0, str(DRAW.parent))
    spec = importlib.util.spec_from_file_location("draw", DRAW)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["draw"] = module
    spec.loader.exec_module(module)
    return module


def draw_figures(release: Release, record: dict[str, Any]) -> None:
    """`paper/figures/{pipeline,ablation,random,predicted}.pdf`."""
    draw = load_draw()
    draw.main([str(PAPER), "--out", str(ROOT), "--paper"])
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder) / "blueprint"
        home.mkdir()
        (home / "ledger.json").write_text(literals.json(release.blueprint["ledger"]), "utf-8")
        (home / "ablations.yaml").write_text(literals.yaml(release.blueprint["ablations"]), "utf-8")
        draw.main([folder, "--out", str(ROOT), "--paper"])
    matplotlib.rcParams.update(PLOT)
    ink = sys.modules["ink"]
    for name, figure in (("random", random_figure(ink, record)), ("predicted", compared(ink))):
        path = PAPER / "figures" / f"{name}.pdf"
        figure.savefig(path, transparent=True, metadata=draw.PAPER.metadata)


def random_figure(ink: ModuleType, record: dict[str, Any]) -> Figure:
    """Random specifications: the share of the budget that is used, and the time of the plan."""
    figure, (share, taken) = panels(2.25)
    groups = (
        (ink.ORANGE, "something given up", [s for s in record["random"] if s["gave_up"]]),
        (ink.BLUE, "nothing given up", [s for s in record["random"] if not s["gave_up"]]),
    )
    for colour, label, specs in groups:
        asked = [spec["budget"] for spec in specs]
        filled = [100 * spec["params"] / spec["budget"] for spec in specs]
        share.loglog(asked, filled, ".", markersize=3.2, color=colour, label=label, mew=0)
        params = [spec["params"] for spec in specs]
        times = [1000 * spec["seconds"] for spec in specs]
        taken.loglog(params, times, ".", markersize=3.2, color=colour, mew=0)
    scale(share, (5, 12), "parameter budget")
    share.set_ylim(0.005, 140)
    share.set_yticks([0.01, 0.1, 1, 10, 100], ["0.01", "0.1", "1", "10", "100"])
    share.set_ylabel("of it used (%)")
    share.legend(frameon=False, fontsize=6.5, loc="lower left", handletextpad=0.1)
    scale(taken, (5, 12), "parameters of the model")
    taken.set_ylim(8, 6000)
    taken.set_yticks([10, 100, 1000], ["10", "100", "1000"])
    taken.set_ylabel("time of the plan (ms)")
    return figure


def compared(ink: ModuleType) -> Figure:
    """Predicted over measured: bytes of every trace, then steps and peaks on an H200."""
    figure, (bytes_, ratios) = panels(2.35, (1, 1.15))
    pairs = traced()
    ends = (1e3, 1e13)
    bytes_.loglog(ends, ends, color=ink.GREY, linewidth=0.7)
    bytes_.loglog([b for _, b in pairs], [a for a, _ in pairs], ".", markersize=3, mew=0,
                  color=ink.BLUE)  # fmt: skip
    ticks = [10.0**power for power in (3, 6, 9, 12)]
    names = ["1 kB", "1 MB", "1 GB", "1 TB"]
    bytes_.set(xlim=ends, ylim=ends, xlabel="PyTorch", ylabel="trace")
    bytes_.set_xticks(ticks, names)
    bytes_.set_yticks(ticks, names)
    bytes_.minorticks_off()
    rows = anchors.rows()
    labels = [
        f"{'LM, 1.1B' if a.model == 'lm' else a.model}, {a.implementation}"
        f"{', compiled' if a.compiled else ''}"
        for a, _ in rows
    ]
    places = range(len(rows))
    ratios.axvline(1, color=ink.GREY, linewidth=0.7)
    steps = [said.seconds * a.rate / a.samples for a, said in rows]
    ratios.plot(steps, places, "o", markersize=3.4, color=ink.BLUE, label="step time")
    peaks = [(said.peak / a.peak, at) for at, (a, said) in enumerate(rows) if a.peak]
    ratios.plot(*zip(*peaks, strict=True), "D", markersize=3, color=ink.ORANGE, label="peak memory")
    ratios.set_yticks(list(places), labels, size=6.2)
    ratios.invert_yaxis()
    ratios.set(xlim=(0.8, 1.2), xlabel="predicted over measured")
    ratios.legend(frameon=False, fontsize=6.2, ncols=2, loc="lower center",
                  bbox_to_anchor=(0.4, 0.99), borderaxespad=0, handletextpad=0.1)  # fmt: skip
    return figure


def panels(height: float, widths: Iterable[float] = (1, 1)) -> tuple[Figure, Any]:
    """A figure as wide as the text, and its two axes side by side."""
    figure = Figure(figsize=(6.1, height), layout="constrained")
    return figure, figure.subplots(1, 2, width_ratios=list(widths))


def scale(axes: Any, powers: tuple[int, int], label: str) -> None:
    """A logarithmic axis of parameters."""
    axes.set_xlim(10.0 ** powers[0], 10.0 ** powers[1])
    ticks = [10.0**power for power in range(powers[0], powers[1] + 1)]
    names = [re.sub(r"\.0*(?=\D)", "", count(tick)) for tick in ticks]
    axes.set_xticks(ticks, names)
    axes.set_xlabel(label)
    axes.minorticks_off()


# -- files -----------------------------------------------------------------------------------------


def texts(release: Release, record: dict[str, Any]) -> dict[str, str]:
    """What is written into paper/, by file name, pictures aside."""
    return {
        "measured.tex": measured_tex(record),
        "ledger.tex": ledger_tex(release),
        "tables.tex": tables_tex(release),
        "bibliography.bib": bibliography(),
    }


def render(record: dict[str, Any]) -> None:
    """Write everything that the paper takes from `record` and from the example."""
    release = plan(load_spec(EXAMPLE))
    for name, text in texts(release, record).items():
        (PAPER / name).write_text(text, encoding="utf-8")
        print(PAPER / name)
    draw_figures(release, record)


if __name__ == "__main__":
    render(json.loads(RECORD.read_text(encoding="utf-8")))
