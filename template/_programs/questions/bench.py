"""Measure speed and memory on this machine, beside what the blueprint predicts.

    python -m PACKAGE.bench --preset full

Writes `results/bench.json`. The blueprint predicts the full preset, at the precision and on the
device that it names; the tiny preset, the default without a GPU, has no predictions. Generation
runs at batch 1 (in bf16 on GPUs) with a cache for the whole context, as the blueprint assumes.
"""

import torch

from .config import Config
from .data import synthetic_batch
from .flags import config_parser, default_preset, read_config
from .model import build_model
from .optim import build_optimizer
from .parallel import Workers, build_parallel, join_workers
from .results import Table
from .timing import device_name, median_seconds, peak_bytes, read_predictions, start_peak

PROMPT = 1024  # tokens that follow the picture where `first_token_s` awaits the answer

QUANTITIES = {
    "total_params": ("parameters", ""),
    "kv_cache_gb": ("decode state, context full", "bytes"),
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
    """Time to the first token after a picture and a prompt, then tokens per second, at batch 1."""
    start_peak(workers.device)
    model = build_model(config).to(workers.device).eval()
    if workers.device.type == "cuda":
        model = model.bfloat16()
    cache = model.new_cache(1, config.context_length)
    batch = workers.move(synthetic_batch(config, 1, config.seed))
    images = batch["images"].to(model.embed.weight.dtype)
    patches = (config.image_size // config.patch_size) ** 2
    steps = min(32, (config.context_length - patches) // 2)
    length = min(PROMPT, config.context_length - patches - steps)
    prompt = torch.zeros(1, length, dtype=torch.long, device=workers.device)
    token = model.embed(prompt[:, :1])  # (1, 1, D)

    def first_token() -> None:
        cache.seen = 0
        x = torch.cat((model.look(images), model.embed(prompt)), dim=1)
        model.lm_head(model.hidden(x, cache)[:, -1])

    first = median_seconds(first_token, workers.device, repeats)

    def decode() -> None:
        cache.seen = patches + length
        for _ in range(steps):
            model.lm_head(model.hidden(token, cache))

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
