"""Measure speed and memory on this machine, beside what the blueprint predicts.

    python -m PACKAGE.bench --preset full

Writes `results/bench.json`. The blueprint predicts the full preset, at the precision and on the
devices that it names, and a GPU is compared with them; the tiny preset, the default without a GPU,
has no predictions. Inference runs at batch 1 (in bf16 on GPUs), as the blueprint assumes;
`speed.py` says what of it is timed. Without a GPU memory is that of the whole process.
"""

import torch

from .config import Config
from .data import synthetic_batch
from .flags import config_parser, default_preset, read_config
from .model import build_model
from .optim import build_optimizer
from .parallel import Workers, build_parallel, join_workers
from .results import Table
from .speed import QUANTITIES, UNITS, measure_inference
from .timing import device_name, median_seconds, peak_bytes, read_predictions, start_peak


def bench(
    config: Config, preset: str, predicted: dict[str, float], target: str = "", repeats: int = 5
) -> Table:
    """Measure inference, then training; bytes, seconds and units per second.

    What is `predicted` for the `target` devices stands beside it, and on a GPU their ratio.
    """
    workers = join_workers(config)
    inference = measure_running(config, workers, repeats)
    training, pace = measure_training(config, workers, repeats)
    quantities = {"total_params": ("parameters", ""), **QUANTITIES}
    quantities.setdefault("peak_memory_gb", ("peak memory of inference", "bytes"))
    quantities |= {
        "train_pass_s": ("training pass, one micro-batch", "s"),
        pace: ("training", f"{UNITS}/s"),
        "train_peak_bytes": ("peak memory of training", "bytes"),
    }
    measured = inference | training
    compiled = {key: predicted.get(f"{key}_compiled") for key in training} if config.compile else {}
    predicted = predicted | compiled
    precision = "bf16" if workers.bf16 else "fp32"
    mode = ", compiled" if config.compile else ""
    columns = ["quantity", "unit", "measured"]
    rows = [[quantity, unit, measured[key]] for key, (quantity, unit) in quantities.items()]
    if predicted:
        columns.insert(2, "predicted")
        for key, row in zip(quantities, rows, strict=True):
            row.insert(2, predicted.get(key))
    if predicted and workers.device.type == "cuda":
        columns.append("measured / predicted")
        for row in rows:
            row.append(row[3] / row[2] if row[2] else None)
    context = f"{preset} preset on {device_name(workers.device)}, {precision} training{mode}"
    return Table(
        title="Benchmark",
        context=f"{context}; predicted for {target}" if predicted else context,
        columns=tuple(columns),
        rows=tuple(map(tuple, rows)),
        figures=measured,
    )


@torch.inference_mode()
def measure_running(config: Config, workers: Workers, repeats: int) -> dict[str, float]:
    """Size, speed and memory of a model that answers."""
    start_peak(workers.device)
    model = build_model(config).to(workers.device).eval()
    if workers.device.type == "cuda":
        model = model.bfloat16()
    return {
        "total_params": sum(p.numel() for p in model.parameters()),
        **measure_inference(model, config, workers, repeats),
        "peak_memory_gb": peak_bytes(workers.device),
    }


def measure_training(
    config: Config, workers: Workers, repeats: int
) -> tuple[dict[str, float], str]:
    """One micro-batch forward and backward with the optimizer's step, and the key of its pace."""
    start_peak(workers.device)
    model, loss_of = build_parallel(config, workers)
    optimizer = build_optimizer(model, config)
    batch = workers.move(synthetic_batch(config, config.micro_batch, config.seed))

    def train_pass() -> None:
        with workers.autocast():
            loss = loss_of(batch)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()

    seconds = median_seconds(train_pass, workers.device, repeats)
    if config.counted == "token":
        pace, units = "train_tokens_per_s", config.micro_batch * config.train_length
    else:
        pace, units = "train_samples_per_s", config.micro_batch
    measured = {
        "train_pass_s": seconds,
        pace: units / seconds,
        "train_peak_bytes": peak_bytes(workers.device),
    }
    return measured, pace


def main() -> None:
    """Read the flags, measure, print and save."""
    parser = config_parser(__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="timed calls, of which the median")
    args = parser.parse_args()
    try:
        preset = args.preset or default_preset()
        predicted, target = read_predictions() if preset == "full" else ({}, "")
        table = bench(read_config(args), preset, predicted, target, args.repeats)
    except ValueError as error:
        parser.exit(2, f"error: {error}\n")
    print(table.plain())
    print(f"wrote {table.save('bench')}")


if __name__ == "__main__":
    main()
