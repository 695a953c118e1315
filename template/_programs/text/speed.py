"""What `bench` times of generation: with a cache for the whole context, at batch 1."""

import torch
from torch import nn

from .config import Config
from .model import PREFILL_CHUNK
from .parallel import Workers
from .timing import median_seconds

PROMPT = 1024  # tokens of the prompt whose answer is awaited in `first_token_s`

UNITS = "tokens"
QUANTITIES = {
    "kv_cache_gb": ("decode state, context full", "bytes"),
    "first_token_s": ("first token", "s"),
    "decode_tokens_per_s": ("generation", "tokens/s"),
    "peak_memory_gb": ("peak memory of generation", "bytes"),
}


@torch.inference_mode()
def measure_inference(
    model: nn.Module, config: Config, workers: Workers, repeats: int
) -> dict[str, float]:
    """Time to the first token of a prompt, then tokens per second, at batch 1.

    Memory peaks while the last chunk of a prompt is read that fills the context.
    """
    cache = model.new_cache(1, config.context_length)
    prompt = torch.zeros(1, min(PROMPT, config.context_length // 2), dtype=torch.long)
    prompt, token = prompt.to(workers.device), prompt[:, :1].to(workers.device)

    def first_token() -> None:
        cache.seen = 0
        model.lm_head(model.hidden(prompt, cache)[:, -1])

    first = median_seconds(first_token, workers.device, repeats)
    steps = min(32, config.context_length - prompt.size(1))

    def decode() -> None:
        cache.seen = prompt.size(1)
        for _ in range(steps):
            model(token, cache)

    seconds = median_seconds(decode, workers.device, repeats)
    chunk = min(PREFILL_CHUNK, config.context_length)
    cache.seen = config.context_length - chunk
    last = torch.zeros(1, chunk, dtype=torch.long, device=workers.device)
    model.lm_head(model.hidden(last, cache)[:, -1])
    return {
        "kv_cache_gb": cache.nbytes,
        "first_token_s": first,
        "decode_tokens_per_s": steps / seconds,
    }
