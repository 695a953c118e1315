"""Measure generated models on a GPU beside what their blueprints predict.

    python benchmarks/gpu.py [--out benchmarks/gpu.json] [--only NAME ...] [--preset full]

Every configuration is synthesised for `datacenter_gpu` and trained on the GPU that is there. Its
own `bench` program measures first token or sample, decode speed, training pass and peak memory,
once eager and once compiled. The file records device, versions and, for every quantity, predicted,
measured and their ratio. Needs PyTorch with CUDA; `--preset tiny` runs anywhere, without
predictions, to try the script itself.
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
from typing import Any


def text(budget: str, family: str = "transformer", context: str = "4k") -> dict[str, Any]:
    """A language model of a budget."""
    return {
        "modality": {"inputs": ["text"], "outputs": ["text"]},
        "architecture": {"family": family},
        "constraints": {"parameter_budget": {"max": budget}, "context_window": context},
    }


def pictures(budget: str, family: str, **sections: Any) -> dict[str, Any]:
    """A model that reads or makes pictures."""
    made = "label" if "training" not in sections else "image"
    return {
        "modality": {"inputs": ["image" if made == "label" else "text"], "outputs": [made]},
        "architecture": {"family": family},
        "constraints": {"parameter_budget": {"max": budget}},
        **sections,
    }


DIFFUSION = {"training": {"objective": ["diffusion"]}}
FLOW = {"training": {"objective": ["flow_matching"]}}
CONFIGURATIONS = {
    "lm_125m": text("125M"),
    "lm_350m": text("350M"),
    "lm_1b": text("1B"),
    "lm_3b": text("3B"),
    "mamba_130m": text("130M", "mamba"),
    "mamba_370m": text("370M", "mamba"),
    "vit_86m": pictures("86M", "transformer"),
    "vit_300m": pictures("300M", "transformer"),
    "resnet_25m": pictures("25M", "cnn"),
    "resnet_60m": pictures("60M", "cnn"),
    "unet_400m": pictures("400M", "diffusion", **DIFFUSION),
    "unet_1b": pictures("1B", "diffusion", **DIFFUSION),
    "mmdit_400m": pictures("400M", "transformer", **FLOW),
    "mmdit_1b": pictures("1B", "transformer", **FLOW),
}


def specification(name: str, sections: dict[str, Any], hardware: str) -> dict[str, Any]:
    """A configuration as a whole document, nothing but its size bound."""
    free = {"latency": "offline", "device": "datacenter_gpu", "memory_budget": "80GB"}
    compute = {"compute": {"hardware": hardware, "duration": "1 day"}}
    return {
        "metagen_version": "1.0",
        "name": f"bench_{name}",
        **sections,
        "constraints": free | sections["constraints"],
        "training": sections.get("training", {}) | compute,
    }


def measure(name: str, hardware: str, preset: str, folder: Path) -> list[dict[str, Any]]:
    """The bench tables of one configuration: eager, then compiled."""
    from metagen import synthesize

    document = specification(name, CONFIGURATIONS[name], f"1x{hardware}")
    made = synthesize(document, folder / name)
    found = []
    for flags in ([], ["--compile"]):
        subprocess.run(
            [sys.executable, "-m", f"bench_{name}.bench", "--preset", preset, *flags],
            cwd=made.path, check=True, env=os.environ | {"PYTHONPATH": str(made.path / "code")},
        )  # fmt: skip
        table = json.loads((made.path / "results" / "bench.json").read_text(encoding="utf-8"))
        mode = "compiled" if flags else "eager"
        found.append(
            {"name": name, "mode": mode}
            | {key: table[key] for key in ("context", "columns", "rows")}
        )
    return found


def main() -> None:
    """Measure every configuration and write the file."""
    import torch

    from metagen.hardware import catalogue

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("benchmarks/gpu.json"))
    parser.add_argument("--only", nargs="+", choices=CONFIGURATIONS, default=list(CONFIGURATIONS))
    parser.add_argument("--preset", choices=("full", "tiny"), default="full")
    parser.add_argument("--hardware", help="catalogued name; the device that is there unless given")
    args = parser.parse_args()
    there = torch.cuda.get_device_name() if torch.cuda.is_available() else ""
    if args.preset == "full" and not there:
        parser.exit(1, "error: no CUDA device here; --preset tiny tries the script without one\n")
    try:
        hardware = catalogue.device(args.hardware or there or "CPU").id
    except ValueError as error:
        parser.exit(2, f"error: --hardware: {error}\n")
    models: list[dict[str, Any]] = []
    with tempfile.TemporaryDirectory() as folder:
        for name in args.only:
            models += measure(name, hardware, args.preset, Path(folder))
    record = {
        "device": there or platform.machine(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "models": models,
    }
    args.out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
