"""Measure what MetaGen's own paper reports, and set the paper's figures and tables from it.

    python benchmarks/measure_paper.py [--runs 3] [--specs 500] [--lives counts.json]

Five things, into `benchmarks/paper.json`: counts of published models, the filling of parameter
budgets, plans of random specifications, seconds, and lives of the update laboratory (its first ten,
or those of a longer run whose counts `SURVIVAL_RECORD=counts.json pytest tests/survival` kept).
What predictions are compared with has records of its own: `traces.json` and `anchors.py`.
Some five minutes; `python benchmarks/render_paper.py` sets the paper from the record in seconds.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
from importlib.resources import files
from pathlib import Path
from typing import Any

from bench_cli import measure
from budget_table import BUDGETS
from render_paper import RECORD, ROOT, render

from metagen import load_spec, plan
from metagen.specs.errors import SpecError
from metagen.specs.loader import parse
from metagen.synth.architecture import blueprint
from metagen.synth.engine import assess
from metagen.synth.topologies import TOPOLOGIES

sys.path.insert(0, str(ROOT / "tests"))

from engine.random_specs import draw  # noqa: E402


def text_spec(budget: str, dims: dict[str, Any] | None = None) -> Any:
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


def published() -> list[dict[str, Any]]:
    """Published models: their parameters, and those of MetaGen's under the same dimensions."""
    models = json.loads((files("metagen.synth") / "published.json").read_text(encoding="utf-8"))
    rows = []
    for model in models:
        spec = text_spec("1T", model["config"])
        built = blueprint(spec, TOPOLOGIES[model["topology"]]).design.model
        part = built.children.get(model.get("network"), built)
        rows.append(
            {
                "name": model["name"],
                "topology": model["topology"],
                "published": model["params"],
                "counted": part.count(),
                "tensors": sum(1 for _ in part.named_tensors()),
            }
        )
    return rows


def budgets() -> list[list[float]]:
    """For each budget of docs/budgets.md: parameters asked for, and those that are used."""
    rows = []
    for budget in BUDGETS:
        spec = text_spec(budget)
        asked = spec.constraints.parameter_budget.max.value
        rows.append([asked, blueprint(spec, TOPOLOGIES["decoder_lm"]).design.model.count()])
    return rows


def random_specs(number: int) -> list[dict[str, Any]]:
    """What became of random specifications, each a function of its number."""
    return [random_spec(seed) for seed in range(number)]


def enough(error: SpecError) -> int:
    """A budget that suffices, where a refusal says that the one stated is below the smallest model.

    Raises:
        SpecError: the refusal itself, where it has another reason.
    """
    least = re.search(r"which has ([\d,]+) parameters", str(error))
    if not least:
        raise error
    return int(1.2 * int(least[1].replace(",", "")))


def random_spec(seed: int) -> dict[str, Any]:
    """One of them: topology, parameters, constraints, processor seconds of its plan.

    A budget below the smallest model is refused by an error that names what would do; the
    specification is then planned with that.
    """
    document, budget = draw(seed)
    refused = False
    try:
        assess(parse(document))
    except SpecError as error:
        budget, refused = enough(error), True
        document["constraints"]["parameter_budget"]["max"] = budget
    spec = parse(document)
    begin = time.process_time()
    release = plan(spec)
    seconds = time.process_time() - begin
    feasible = release.blueprint["feasibility"]
    return {
        "topology": release.blueprint["architecture"]["topology"],
        "budget": int(budget),
        "params": release.figures["total_params"].value,
        "tensors": len(release.blueprint["state_dict"]["tensors"]),
        "satisfied": all(row["satisfied"] for row in feasible["constraints"]),
        "gave_up": bool(feasible["given_up"]),
        "refused": refused,
        "seconds": round(seconds, 4),
    }


def seconds(runs: int) -> dict[str, float]:
    """Median seconds of the commands; see `bench_cli.py`."""
    found = {what: value for what, value, _ in measure(runs)}

    def of(words: str) -> float:
        return round(next(value for what, value in found.items() if words in what), 3)

    return {"plan": of("plan()"), "synth": of("metagen synth"), "copy": of("copier copy")}


def lives(record: Path | None) -> dict[str, int]:
    """What the update laboratory counted, in a run of its own or in one that left a record."""
    if record:
        return json.loads(record.read_text(encoding="utf-8"))
    with tempfile.TemporaryDirectory() as folder:
        kept = Path(folder) / "counts.json"
        test = "tests/survival/test_updates.py"
        subprocess.run(
            [sys.executable, "-m", "pytest", "-q", "-n", "auto", test, "-k", "test_life"],
            cwd=ROOT, check=True, env=os.environ | {"SURVIVAL_RECORD": str(kept)},
        )  # fmt: skip
        return json.loads(kept.read_text(encoding="utf-8"))


def written(record: dict[str, Any]) -> str:
    """The record as JSON, one row on one line."""
    parts = []
    for key, value in record.items():
        text = json.dumps(value)
        if isinstance(value, list):
            text = "[\n  " + ",\n  ".join(map(json.dumps, value)) + "\n ]"
        parts.append(f" {json.dumps(key)}: {text}")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main() -> None:
    """Measure everything, keep it, and set the paper from it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, default=3, help="timed runs, of which the median")
    parser.add_argument("--specs", type=int, default=500, help="random specifications")
    parser.add_argument("--lives", type=Path, help="counts of a longer run of the lives")
    options = parser.parse_args()
    record = {
        "machine": f"{os.cpu_count()} cores, {platform.machine()}, "
        f"Python {platform.python_version()}",
        "seconds": seconds(options.runs),
        "published": published(),
        "budgets": budgets(),
        "random": random_specs(options.specs),
        "lives": lives(options.lives),
    }
    RECORD.write_text(written(record), encoding="utf-8")
    render(record)


if __name__ == "__main__":
    main()
