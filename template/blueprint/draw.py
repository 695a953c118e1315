#!/usr/bin/env python3
"""Draw the figures of this repository from its blueprint.

    python blueprint/draw.py                       # docs/figures/*.svg, paper/figures/*.pdf
    python blueprint/draw.py ROOT --out DIR --docs --paper

Reads `graph.json`, `ledger.json`, `params_estimate.json`, `ablations.yaml` and, where they exist,
`benchmarks.json` in `ROOT/blueprint`, and draws what they have the data for. Without `--docs` or
`--paper` it draws for those folders of the output that exist. Needs matplotlib and PyYAML. Equal
blueprints give equal bytes under an equal matplotlib.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from charts import draw_ablation, draw_benchmarks, draw_memory, draw_parameters, draw_roofline
from ink import PAPER, SCREEN, Page, Theme, save, settle
from pipeline import draw_pipeline


@dataclass(frozen=True)
class Blueprint:
    """The documents that figures are drawn from."""

    graph: Mapping[str, Any]
    ledger: Mapping[str, Any]
    estimate: Mapping[str, Any]
    ablations: list[dict[str, Any]]
    benchmarks: Mapping[str, Any]

    @classmethod
    def read(cls, folder: Path) -> Blueprint:
        """Read what is there; a document that was not asked for is empty."""
        return cls(
            graph=read_json(folder / "graph.json"),
            ledger=read_json(folder / "ledger.json").get("figures", {}),
            estimate=read_json(folder / "params_estimate.json"),
            ablations=read_yaml(folder / "ablations.yaml").get("rows", []),
            benchmarks=read_json(folder / "benchmarks.json"),
        )

    def drawings(self) -> dict[str, Callable[[Theme], Page]]:
        """The figures that there are data for, by file name."""
        ledger, estimate = self.ledger, self.estimate
        device, phases = estimate.get("device", ""), estimate.get("phases", [])
        chosen: dict[str, Callable[[Theme], Page]] = {}
        if self.graph:
            chosen["pipeline"] = lambda theme: draw_pipeline(self.graph, theme)
        if estimate and ledger:
            modules = estimate["modules"]
            chosen["parameters"] = lambda theme: draw_parameters(ledger, modules, theme)
            chosen["memory"] = lambda theme: draw_memory(ledger, device, theme)
        if phases and ledger:
            chosen["roofline"] = lambda theme: draw_roofline(ledger, device, phases, theme)
        if self.ablations:
            chosen["ablation"] = lambda theme: draw_ablation(ledger, self.ablations, theme)
        if self.benchmarks.get("benchmarks"):
            chosen["benchmarks"] = lambda theme: draw_benchmarks(ledger, self.benchmarks, theme)
        return chosen


def read_json(path: Path) -> dict[str, Any]:
    """A JSON document, or an empty one where there is no such file."""
    return json.loads(path.read_text("utf-8")) if path.exists() else {}


def read_yaml(path: Path) -> dict[str, Any]:
    """A YAML document, or an empty one where there is no such file."""
    if not path.exists():
        return {}
    import yaml

    return yaml.load(path.read_text("utf-8"), getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def draw(blueprint: Blueprint, folder: Path, theme: Theme) -> list[Path]:
    """Draw every figure into `folder` and return their paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for name, page_of in blueprint.drawings().items():
        path = folder / f"{name}.{theme.suffix}"
        save(page_of(theme), path)
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
    settle()
    paths: list[Path] = []
    if options.docs or (not chosen and (out / "docs").is_dir()):
        paths += draw(blueprint, out / "docs" / "figures", SCREEN)
    if options.paper or (not chosen and (out / "paper").is_dir()):
        paths += draw(blueprint, out / "paper" / "figures", PAPER)
    for path in paths:
        print(path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
