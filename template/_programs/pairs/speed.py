"""What `bench` times of generation: with a cache for the longest target, at batch 1."""

import torch
from torch import nn

from .config import Config
from .data import longest_source
from .parallel import Workers
from .timing import median_seconds

UNITS = "tokens"
QUANTITIES = {
    "kv_cache_gb": ("decode state, source and target of full length", "bytes"),
    "first_token_s": ("first token", "s"),
    "decode_tokens_per_s": ("generation", "tokens/s"),
    "peak_memory_gb": ("peak memory of generation", "bytes"),
}


@torch.inference_mode()
def measure_inference(
    model: nn.Module, config: Config, workers: Workers, repeats: int
) -> dict[str, float]:
    """Time to the first token after a source, then tokens per second, at batch 1."""
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
        "kv_cache_gb": cache.nbytes,
        "first_token_s": first,
        "decode_tokens_per_s": steps / seconds,
    }
