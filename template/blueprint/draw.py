#!/usr/bin/env python3
"""Draw the figures of this repository from its blueprint.

    python blueprint/draw.py                       # docs/figures/*.svg, paper/figures/*.pdf
    python blueprint/draw.py ROOT --out DIR --docs --paper

Reads `graph.json`, `ledger.json`, `ablations.yaml` and, where they exist, `benchmarks.json` in
`ROOT/blueprint`. Without `--docs` or `--paper` it draws for those folders of the output that exist.
Needs matplotlib and PyYAML. Equal blueprints give equal bytes under an equal matplotlib.
"""

from __future__ import annotations

import argparse
import json
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.figure import Figure
from matplotlib.font_manager import findfont, get_font
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch
from matplotlib.patheffects import Normal

BLUE, ORANGE, GREEN, PURPLE, GREY = "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#8A9099"
PARTS = {
    "weights_gb": ("weights", BLUE),
    "kv_cache_gb": ("decode state", ORANGE),
    "activation_memory_gb": ("activations", GREEN),
    "workspace_gb": ("workspace", PURPLE),
}
STYLE = {
    "font.family": "DejaVu Sans",
    "font.size": 8.0,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.0,
    "text.parse_math": False,
    "path.effects": [Normal()],
    "svg.hashsalt": "metagen",
}


@dataclass(frozen=True)
class Theme:
    """Where a figure will stand: its file type, and an ink that can be read there.

    Letters are drawn as outlines in both, so that no page lacks a font.
    """

    suffix: str
    ink: str
    metadata: dict[str, None]


SCREEN = Theme("svg", "#767C85", {"Date": None, "Creator": None})
"""One ink that keeps a contrast above 4:1 on a white page and on a dark one."""
PAPER = Theme("pdf", "#222222", {"CreationDate": None, "Creator": None, "Producer": None})


@dataclass(frozen=True)
class Blueprint:
    """The documents that figures are drawn from."""

    graph: dict[str, Any]
    ledger: dict[str, Any]
    ablations: list[dict[str, Any]]
    benchmarks: dict[str, Any]

    @classmethod
    def read(cls, folder: Path) -> Blueprint:
        """Read what is there; a document that was not asked for is empty."""
        return cls(
            graph=read_json(folder / "graph.json"),
            ledger=read_json(folder / "ledger.json").get("figures", {}),
            ablations=read_yaml(folder / "ablations.yaml").get("rows", []),
            benchmarks=read_json(folder / "benchmarks.json"),
        )


def read_json(path: Path) -> dict[str, Any]:
    """A JSON document, or an empty one where there is no such file."""
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML document, or an empty one where there is no such file."""
    if not path.exists():
        return {}
    import yaml

    return yaml.load(path.read_text("utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))


# -- words -----------------------------------------------------------------------------------------


def printable(text: str, limit: int = 24) -> str:
    """`text` cut to `limit` characters, those that the font lacks named by their code points."""
    text = " ".join(text.split())
    text = text if len(text) <= limit else text[: limit - 1].rstrip() + "…"
    font = get_font(findfont("DejaVu Sans"))
    return "".join(c if font.get_char_index(ord(c)) else f"[U+{ord(c):04X}]" for c in text)


def count(value: float) -> str:
    """Parameters to three digits: `8.03B`, `124M`."""
    for size, suffix in ((1e12, "T"), (1e9, "B"), (1e6, "M"), (1e3, "K")):
        if value >= size * 0.9995:
            return f"{value / size:#.3g}".rstrip(".") + suffix
    return f"{value:.0f}"


# -- figures ---------------------------------------------------------------------------------------


def pipeline(blueprint: Blueprint, theme: Theme) -> Figure:
    """The component graph from left to right; repeated nodes stand in a frame of their own."""
    nodes = blueprint.graph["nodes"]
    figure = Figure(figsize=(7.2, 1.9))
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set_axis_off()
    axes.set_xlim(-0.55, len(nodes) - 0.45)
    axes.set_ylim(-1.02, 0.92)
    place = {node["id"]: x for x, node in enumerate(nodes)}
    for x, node in enumerate(nodes):
        _node(axes, x, node, theme)
    for edge in blueprint.graph["edges"]:
        a, b = place[edge["from"]], place[edge["to"]]
        if b == a + 1:
            ends, bend = ((a + 0.40, 0), (b - 0.40, 0)), 0.0
        else:  # over the boxes in between, never higher than the page
            ends, bend = ((a + 0.1, 0.46), (b - 0.1, 0.46)), -0.36 / (b - a)
        arrow = FancyArrowPatch(
            *ends, arrowstyle="-|>", mutation_scale=6, connectionstyle=f"arc3,rad={bend}",
            color=theme.ink, linewidth=0.8,
        )  # fmt: skip
        axes.add_patch(arrow)
    _repeats(axes, nodes, theme)
    return figure


def _node(axes: Any, x: int, node: dict[str, Any], theme: Theme) -> None:
    colour = BLUE if node.get("accent", node["params"]) else GREY
    axes.add_patch(
        FancyBboxPatch(
            (x - 0.36, -0.42), 0.72, 0.84, boxstyle="round,pad=0.02,rounding_size=0.07",
            facecolor=colour + "26", edgecolor=colour, linewidth=1.0, mutation_aspect=1.0,
        )
    )  # fmt: skip
    kind = textwrap.wrap(printable(node["type"], 40), 13)[:3]
    names = [] if node["label"] == node["type"] else textwrap.wrap(printable(node["label"], 34), 18)
    axes.text(x, 0.24, node["id"], ha="center", va="center", weight="bold", color=theme.ink, size=8)
    axes.text(
        x, -0.12, "\n".join(kind), ha="center", va="center", color=theme.ink, size=6.2,
        linespacing=1.1,
    )  # fmt: skip
    if node["params"]:
        axes.text(x, -0.54, count(node["params"]), ha="center", va="top", color=theme.ink, size=7.5,
                  weight="bold")  # fmt: skip
    if names:
        axes.text(x, -0.72, "\n".join(names[:2]), ha="center", va="top", color=theme.ink, size=5.6,
                  style="italic", linespacing=1.1)  # fmt: skip


def _repeats(axes: Any, nodes: list[dict[str, Any]], theme: Theme) -> None:
    """A dashed frame around each run of nodes that occur equally often, more than once."""
    copies = [node.get("copies", 1) for node in nodes] + [1]
    start = 0
    for x in range(1, len(copies)):
        if copies[x] == copies[start]:
            continue
        if copies[start] > 1:
            axes.add_patch(
                FancyBboxPatch(
                    (start - 0.44, -0.52), x - start - 0.12, 1.08,
                    boxstyle="round,pad=0.0,rounding_size=0.1", facecolor="none",
                    edgecolor=theme.ink, linewidth=0.8, linestyle=(0, (4, 3)),
                )
            )  # fmt: skip
            middle = (start + x - 1) / 2
            axes.text(middle, 0.62, f"× {copies[start]}", ha="center", va="bottom",
                      color=theme.ink, size=8.5)  # fmt: skip
        start = x


def ablation(blueprint: Blueprint, theme: Theme) -> Figure:
    """What each removal takes with it: parameters, and the simulated score where there is one."""
    rows = blueprint.ablations
    total = blueprint.ledger["total_params"]["value"]
    scored = all("scores" in row for row in rows)
    names = [printable(row["component"]) for row in rows]
    width, height = 6.0, 0.6 + 0.23 * len(rows)
    figure = Figure(figsize=(width, height))
    margin = 0.15 + 0.056 * max(map(len, names))
    figure.subplots_adjust(margin / width, 0.45 / height, 0.985, 1 - 0.05 / height, wspace=0.06)
    panels = figure.subplots(1, 2 if scored else 1, sharey=True, squeeze=False)[0]
    y = range(len(rows))
    _bars(panels[0], y, [100 * row["params_delta"] / total for row in rows], BLUE, theme)
    panels[0].set_xlabel("change of parameters (%)", color=theme.ink)
    panels[0].set_yticks(list(y), names)
    if scored:
        _bars(panels[1], y, [row["scores"]["mean_delta"] for row in rows], ORANGE, theme)
        panels[1].set_xlabel("change of mean score† (points)", color=theme.ink)
    panels[0].invert_yaxis()
    return figure


def _bars(axes: Any, y: Any, values: list[float], colour: str, theme: Theme) -> None:
    axes.barh(list(y), values, height=0.62, color=colour)
    axes.axvline(0, color=theme.ink, linewidth=0.6)
    reach = max((abs(v) for v in values), default=0) or 1.0
    axes.set_xlim(min(0, *values) - 0.24 * reach, max(0, *values) + 0.24 * reach)
    for at, value in zip(y, values, strict=True):
        text = "0" if round(value, 1) == 0 else f"{value:+.1f}".replace("-", "−")
        side = "right" if value < 0 else "left"
        axes.annotate(text, (value, at), (-3 if value < 0 else 3, 0), ha=side, va="center",
                      textcoords="offset points", size=6.5, color=theme.ink)  # fmt: skip
    _inked(axes, theme)
    axes.spines["left"].set_visible(False)


def benchmarks(blueprint: Blueprint, theme: Theme) -> Figure:
    """Aggregates with their intervals, the generated model in colour."""
    models, suite = blueprint.benchmarks["models"], blueprint.benchmarks["benchmarks"]
    order = [*range(1, len(models)), 0]
    names = [printable(models[m], 18) for m in order]
    columns = max(1, min(len(names), 110 // (max(map(len, names)) + 8)))
    lines = -(-len(names) // columns)
    figure = Figure(figsize=(6.6, 2.55 + 0.16 * lines))
    figure.subplots_adjust(0.075, 0.1, 0.99, 2.5 / (2.55 + 0.16 * lines))
    axes = figure.subplots()
    width = 0.8 / len(models)
    greys = [f"#{g:02X}{g + 6:02X}{g + 14:02X}" for g in _shades(len(models) - 1)]
    crowded = len(models) * len(suite) > 24
    for place, m in enumerate(order):
        x = [b - 0.4 + width * (place + 0.5) for b in range(len(suite))]
        scores = [bench["aggregate"][m]["score"] for bench in suite]
        spread = [bench["aggregate"][m]["interval"] for bench in suite]
        axes.bar(
            x, scores, width * 0.88, color=greys[m - 1] if m else BLUE, yerr=spread, capsize=1.5,
            error_kw={"elinewidth": 0.7, "ecolor": theme.ink}, label=names[place],
        )  # fmt: skip
        for at, score, reach in zip(x, scores, spread, strict=True):
            if m == 0 or not crowded:
                axes.text(at, score + reach + 1, f"{score:.1f}", ha="center", va="bottom",
                          size=5.6, color=theme.ink)  # fmt: skip
    limit = max(6, 80 // len(suite))
    axes.set_xticks(range(len(suite)), [printable(bench["name"], limit) for bench in suite])
    axes.set_ylim(0, 108)
    axes.set_ylabel("score† (points)", color=theme.ink)
    _legend(axes, theme, columns)
    _inked(axes, theme)
    return figure


def _shades(n: int) -> list[int]:
    return [110 + round(i * 90 / max(n - 1, 1)) for i in range(n)]


def memory(blueprint: Blueprint, theme: Theme) -> Figure:
    """The parts of peak inference memory on one bar, and the budget as a line."""
    ledger = blueprint.ledger
    figure = Figure(figsize=(6.6, 1.35))
    figure.subplots_adjust(0.015, 0.33, 0.985, 0.84)
    axes = figure.subplots()
    start = 0.0
    parts = {key: PARTS[key] for key in PARTS if key in ledger}
    for key, (name, colour) in parts.items():
        size = ledger[key]["value"] / 1e9
        label = f"{name} {ledger[key]['text']}"
        axes.barh(0, size, left=start, height=0.5, color=colour, label=label)
        start += size
    budget = ledger["memory_budget_gb"]
    if budget["text"] != "∞":
        limit = budget["value"] / 1e9
        axes.axvline(limit, color=theme.ink, linewidth=1.0, linestyle=(0, (4, 3)))
        axes.annotate(f"budget {budget['text']}", (limit, 0.36), (-3, 0), ha="right", va="bottom",
                      textcoords="offset points", color=theme.ink, size=7)  # fmt: skip
        start = max(start, limit)
    axes.set_xlim(0, start * 1.03)
    axes.set_ylim(-0.35, 0.6)
    axes.set_yticks([])
    full = ", full context" if "context_window" in ledger else ""
    axes.set_xlabel(f"GB at batch 1{full}", color=theme.ink)
    _legend(axes, theme, len(parts))
    _inked(axes, theme)
    axes.spines["left"].set_visible(False)
    return figure


def _legend(axes: Any, theme: Theme, columns: int) -> None:
    axes.legend(
        loc="lower center", bbox_to_anchor=(0.5, 0.97), ncols=columns, frameon=False,
        fontsize=7, labelcolor=theme.ink, borderaxespad=0.2,
    )  # fmt: skip


def _inked(axes: Any, theme: Theme) -> None:
    axes.tick_params(colors=theme.ink, labelsize=7)
    for spine in axes.spines.values():
        spine.set_color(theme.ink)


# -- files -----------------------------------------------------------------------------------------

Draw = Callable[[Blueprint, Theme], Figure]


def drawings(blueprint: Blueprint) -> dict[str, Draw]:
    """The figures that this blueprint has the data for, by file name."""
    chosen: dict[str, Draw] = {}
    if blueprint.graph:
        chosen["pipeline"] = pipeline
    if blueprint.ledger:
        chosen["memory"] = memory
    if blueprint.ablations:
        chosen["ablation"] = ablation
    if blueprint.benchmarks.get("benchmarks"):
        chosen["benchmarks"] = benchmarks
    return chosen


def draw(blueprint: Blueprint, folder: Path, theme: Theme, names: frozenset[str]) -> list[Path]:
    """Draw the named figures into `folder` and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, figure_of in drawings(blueprint).items():
        if name not in names:
            continue
        path = folder / f"{name}.{theme.suffix}"
        figure_of(blueprint, theme).savefig(path, transparent=True, metadata=theme.metadata)
        paths.append(path)
    return paths


def main(arguments: list[str] | None = None) -> int:
    """Draw what was asked for; print the paths."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    default = Path(__file__).resolve().parent.parent
    parser.add_argument("root", nargs="?", type=Path, default=default)
    parser.add_argument("--out", type=Path, help="where docs/ and paper/ are; the root by default")
    parser.add_argument("--docs", action="store_true", help="draw docs/figures/*.svg")
    parser.add_argument("--paper", action="store_true", help="draw paper/figures/*.pdf")
    options = parser.parse_args(arguments)
    out = options.out or options.root
    chosen = options.docs or options.paper
    blueprint = Blueprint.read(options.root / "blueprint")
    matplotlib.rcdefaults()
    matplotlib.rcParams.update(STYLE)
    paths: list[Path] = []
    if options.docs or (not chosen and (out / "docs").is_dir()):
        names = frozenset({"pipeline", "memory", "ablation", "benchmarks"})
        paths += draw(blueprint, out / "docs" / "figures", SCREEN, names)
    if options.paper or (not chosen and (out / "paper").is_dir()):
        names = frozenset({"pipeline", "ablation"})
        paths += draw(blueprint, out / "paper" / "figures", PAPER, names)
    for path in paths:
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
