"""Measure speed and memory on this machine, beside what the blueprint predicts.

    python -m PACKAGE.bench --preset full

Writes `results/bench.json`. The blueprint predicts the full preset, at the precision and on the
device that it names; the tiny preset, the default without a GPU, has no predictions. Generation
runs at batch 1 (in bf16 on GPUs) with a cache for the longest target, as the blueprint assumes.
"""

import torch

from .config import Config
from .data import longest_source, synthetic_batch
from .flags import config_parser, default_preset, read_config
from .model import build_model
from .optim import build_optimizer
from .parallel import Workers, build_parallel, join_workers
from .results import Table
from .timing import device_name, median_seconds, peak_bytes, read_predictions, start_peak

QUANTITIES = {
    "total_params": ("parameters", ""),
    "kv_cache_gb": ("decode state, source and target of full length", "bytes"),
    "first_token_s": ("first token", "s"),
    "decode_tokens_per_s": ("generation", "tokens/s"),
    "peak_memory_gb": ("peak memory of generation", "bytes"),
    "train_pass_s": ("training pass, one micro-batch", "s"),
    "train_tokens_per_s": ("training", "tokens/s"),
    "train_peak_bytes": ("peak memory of training", "bytes"),
}


def bench(config: Config, predicted: dict[str, float], repeats: int = 5) -> Table:
    """Measure generation, then training; bytes, seconds and tokens per second."""
    workers = join_workers(config)
    measured = measure_generation(config, workers, repeats)
    measured |= measure_training(config, workers, repeats)
    rows = []
    for key, (quantity, unit) in QUANTITIES.items():
        guess, value = predicted.get(key), measured[key]
        rows.append((quantity, unit, guess, value, value / guess if guess else None))
    return Table(
        title="Benchmark",
        context=f"{device_name(workers.device)}, {'bf16' if workers.bf16 else 'fp32'} training",
        columns=("quantity", "unit", "predicted", "measured", "measured / predicted"),
        rows=tuple(rows),
        figures=measured,
    )


@torch.inference_mode()
def measure_generation(config: Config, workers: Workers, repeats: int) -> dict[str, float]:
    """Time to the first token after a source, then tokens per second, at batch 1."""
    start_peak(workers.device)
    model = build_model(config).to(workers.device).eval()
    if workers.device.type == "cuda":
        model = model.bfloat16()
    source = longest_source(config).to(workers.device)
    token = torch.zeros(1, 1, dtype=torch.long, device=workers.device)
    cache = model.new_cache(1, config.context_length)

    def first_token() -> None:
        cache.clear()
        model.score(model.decode(token, model.encode(source), cache=cache))

    first = median_seconds(first_token, workers.device, repeats)
    memory = model.encode(source)
    steps = min(32, config.context_length - 1)

    def decode() -> None:
        cache.seen = 1
        for _ in range(steps):
            model.score(model.decode(token, memory, cache=cache))

    seconds = median_seconds(decode, workers.device, repeats)
    return {
        "total_params": sum(p.numel() for p in model.parameters()),
        "kv_cache_gb": cache.nbytes,
        "first_token_s": first,
        "decode_tokens_per_s": steps / seconds,
        "peak_memory_gb": peak_bytes(workers.device),
    }


def measure_training(config: Config, workers: Workers, repeats: int) -> dict[str, float]:
    """Time of a forward and backward pass of one micro-batch, optimizer step included."""
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
    return {
        "train_pass_s": seconds,
        "train_tokens_per_s": config.micro_batch * config.train_length / seconds,
        "train_peak_bytes": peak_bytes(workers.device),
    }


def main() -> None:
    """Read the flags, measure, print and save."""
    parser = config_parser(__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="timed calls, of which the median")
    args = parser.parse_args()
    try:
        full = (args.preset or default_preset()) == "full"
        table = bench(read_config(args), read_predictions() if full else {}, args.repeats)
    except ValueError as error:
        parser.exit(2, f"error: {error}\n")
    print(table.plain())
    print(f"wrote {table.save('bench')}")


if __name__ == "__main__":
    main()
