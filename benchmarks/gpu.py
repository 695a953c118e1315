"""Measure generated models on a GPU beside what their blueprints predict.

    python benchmarks/gpu.py [--out benchmarks/gpu.json] [--budgets 125M 1B 3B 8B] [--preset full]

For each budget a text model for `datacenter_gpu` is synthesised, and its own `bench` program
measures first token, decode speed, training pass and peak memory. The file records device, versions
and, for every quantity, predicted, measured and their ratio. Needs PyTorch with CUDA; with
`--preset tiny` it runs anywhere, without predictions, to try the script itself.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

BUDGETS = ("125M", "350M", "1B", "3B", "8B")


def measure(budget: str, preset: str, folder: Path) -> dict:
    """The bench table of one budget's model: context, columns and rows."""
    from metagen import synthesize

    name = f"bench_{budget.lower()}"
    spec = {
        "metagen_version": "1.0",
        "name": name,
        "modality": {"inputs": ["text"], "outputs": ["text"]},
        "constraints": {
            "latency": "offline",
            "device": "datacenter_gpu",
            "memory_budget": "80GB",
            "context_window": "8k",
            "parameter_budget": {"max": budget},
        },
        "training": {"compute": {"hardware": "1xH200", "duration": "1 day"}},
    }
    made = synthesize(spec, folder / name)
    subprocess.run(
        [sys.executable, "-m", f"{name}.bench", "--preset", preset],
        cwd=made.path, check=True, env=os.environ | {"PYTHONPATH": str(made.path / "code")},
    )  # fmt: skip
    table = json.loads((made.path / "results" / "bench.json").read_text(encoding="utf-8"))
    return {"budget": budget, "context": table["context"], "rows": table["rows"]}


def main() -> None:
    """Measure every budget and write the file."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/gpu.json"))
    parser.add_argument("--budgets", nargs="+", default=BUDGETS)
    parser.add_argument("--preset", choices=("full", "tiny"), default="full")
    args = parser.parse_args()
    if args.preset == "full" and not torch.cuda.is_available():
        parser.exit(1, "error: no CUDA device here; --preset tiny tries the script without one\n")
    with tempfile.TemporaryDirectory() as folder:
        found = [measure(budget, args.preset, Path(folder)) for budget in args.budgets]
    device = torch.cuda.get_device_name() if torch.cuda.is_available() else platform.machine()
    record = {
        "device": device,
        "torch": torch.__version__,
        "python": platform.python_version(),
        "columns": ["quantity", "unit", "predicted", "measured", "measured / predicted"],
        "models": found,
    }
    args.out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
