"""What `bench` times of generation: with a cache for the whole context, at batch 1."""

import torch
from torch import nn

from .config import Config
from .data import synthetic_batch
from .model import PREFILL_CHUNK
from .parallel import Workers
from .timing import median_seconds

PROMPT = 1024  # tokens that follow the picture where `first_token_s` awaits the answer

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
    """Time to the first token after a picture and a prompt, then tokens per second, at batch 1.

    Memory peaks while the last chunk of a prompt is read that fills the context.
    """
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
    rest = torch.zeros(1, config.context_length - patches, dtype=torch.long, device=workers.device)
    x = torch.cat((model.look(images), model.embed(rest)), dim=1)
    last = x[:, -PREFILL_CHUNK:]
    cache.seen = config.context_length - last.size(1)
    model.lm_head(model.hidden(last, cache)[:, -1])
    return {
        "kv_cache_gb": cache.nbytes,
        "first_token_s": first,
        "decode_tokens_per_s": steps / seconds,
    }
