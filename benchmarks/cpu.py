"""Measure training passes of generated models on this CPU beside what is predicted for it.

    python benchmarks/cpu.py [--out benchmarks/cpu.json] [--only NAME ...] [--repeats 7]

Each configuration is synthesised, and its full preset run forward and backward in fp32 on a batch.
The prediction is the trace of the same pass on a device of whose peaks a product of large matrices
and a copy, measured here, are the shares that were chosen for an H200: the machine's own speed is
taken out, and what is left is the model of it. Both are measured beside every configuration, since
other work may come and go.
"""

from __future__ import annotations

import argparse
import importlib
import json
import platform
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median
from typing import Any

from gpu import DIFFUSION, FLOW, pictures, specification, text

RECORD = Path(__file__).with_suffix(".json")
SIZED = {"task": {"image_size": 64}}
WIDTH = 1536  # of the product that is measured

#: Configurations and the samples of a batch.
CONFIGURATIONS: dict[str, tuple[dict[str, Any], int]] = {
    "lm_10m": (text("10M", context="256"), 4),
    "lm_40m": (text("40M", context="512"), 2),
    "mamba_10m": (text("10M", "mamba", context="128"), 2),
    "vit_10m": (pictures("10M", "transformer"), 8),
    "vit_30m": (pictures("30M", "transformer"), 4),
    "resnet_5m": (pictures("5M", "cnn"), 8),
    "resnet_20m": (pictures("20M", "cnn"), 4),
    "unet_10m": (pictures("10M", "diffusion", **DIFFUSION, **SIZED), 4),
    "unet_40m": (pictures("40M", "diffusion", **DIFFUSION, **SIZED), 2),
    "mmdit_10m": (pictures("10M", "transformer", **FLOW, **SIZED), 4),
    "mmdit_40m": (pictures("40M", "transformer", **FLOW, **SIZED), 2),
}


def seconds(work: Callable[[], object], repeats: int) -> float:
    """The median of some runs, after one that does not count."""
    work()
    taken = []
    for _ in range(repeats):
        begin = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begin)
    return median(taken)


def processor(repeats: int) -> tuple[float, float]:
    """FLOP/s of an fp32 product of large matrices, and bytes/s read and written by a copy."""
    import torch

    a, b = torch.randn(WIDTH, WIDTH), torch.randn(WIDTH, WIDTH)
    source = torch.randn(2**25)
    target = torch.empty_like(source)
    peak = 2 * WIDTH**3 / seconds(lambda: a @ b, repeats)
    return peak, 2 * source.nbytes / seconds(lambda: target.copy_(source), repeats)


def predict(document: dict[str, Any], batch: int, peak: float, bandwidth: float) -> float:
    """Seconds of a pass, forward and backward, on a processor that reaches that speed."""
    from metagen import load_spec
    from metagen.hardware.catalogue import ACCELERATORS
    from metagen.synth import estimates
    from metagen.synth.engine import assess
    from metagen.synth.trace import Trace

    chosen = assess(load_spec(document)).blueprint
    design, topology = chosen.design, chosen.demands.topology
    trace = Trace(autocast=False, accelerator=False)
    design.model.loss(trace, batch, topology.length(design.dims))
    peak /= estimates.efficiency(WIDTH)
    bandwidth /= estimates.TRAFFIC_EFFICIENCY
    here = replace(ACCELERATORS["CPU"], peaks={"fp32": peak}, bandwidth=bandwidth)
    return 3 * estimates.seconds(trace.close().ops, here)


def measure(document: dict[str, Any], batch: int, repeats: int) -> tuple[int, float]:
    """Parameters, and seconds of a pass of the generated model."""
    from metagen import synthesize

    with tempfile.TemporaryDirectory() as folder:
        made = synthesize(document, Path(folder) / "made")
        sys.path.insert(0, str(made.path / "code"))
        package = importlib.import_module(document["name"])
        del sys.path[0]
        config = package.Config.full()
        model = package.build_model(config).train()
        inputs = package.synthetic_batch(config, batch, 0)

        def train_pass() -> None:
            model.loss(inputs).backward()
            model.zero_grad(set_to_none=True)

        return sum(p.numel() for p in model.parameters()), seconds(train_pass, repeats)


def table() -> str:
    """The record in Markdown."""
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    lines = [
        "| model | parameters | batch | pass, measured | predicted | ratio |",
        "|---|---:|---:|---:|---:|---:|",
    ]
    for row in record["models"]:
        found, said = row["measured"], row["predicted"]
        size = f"{row['parameters'] / 1e6:.1f}M"
        lines.append(
            f"| `{row['name']}` | {size} | {row['batch']} | {found * 1e3:.0f} ms "
            f"| {said * 1e3:.0f} ms | {said / found:.2f} |"
        )
    ratios = sorted(row["predicted"] / row["measured"] for row in record["models"])
    lines += [
        "",
        f"Predictions are {ratios[0]:.2f} to {ratios[-1]:.2f} times what was measured, "
        f"{median(ratios):.2f} in the median (PyTorch {record['torch']}, fp32, "
        f"{record['threads']} threads of an {record['machine']} processor).",
    ]
    return "\n".join(lines)


def main() -> None:
    """Measure every configuration and write the file."""
    import torch

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=RECORD)
    parser.add_argument("--only", nargs="+", choices=CONFIGURATIONS, default=list(CONFIGURATIONS))
    parser.add_argument("--repeats", type=int, default=7, help="timed runs, of which the median")
    args = parser.parse_args()
    if len(args.only) < len(CONFIGURATIONS) and args.out == RECORD:
        parser.exit(2, "error: some configurations do not replace the whole record; see --out\n")
    models = []
    for name in args.only:
        sections, batch = CONFIGURATIONS[name]
        document = specification(name, sections, "1xCPU")
        before = processor(args.repeats)
        parameters, measured = measure(document, batch, args.repeats)
        peak, bandwidth = (
            median(pair) for pair in zip(before, processor(args.repeats), strict=True)
        )
        row = {
            "name": name,
            "parameters": parameters,
            "batch": batch,
            "flops_per_s": peak,
            "bytes_per_s": bandwidth,
            "measured": measured,
            "predicted": predict(document, batch, peak, bandwidth),
        }
        models.append(row)
        print(f"{name}: {row['predicted'] / measured:.2f}", file=sys.stderr)
    record = {
        "machine": platform.machine(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "threads": torch.get_num_threads(),
        "models": models,
    }
    args.out.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    print(f"wrote {args.out}")


if __name__ == "__main__":
    main()
