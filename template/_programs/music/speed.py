"""What `bench` measures of a generator of sound: one clip, drawn frame by frame."""

import torch
from torch import nn

from .config import Config
from .data import synthetic_batch
from .parallel import Workers
from .timing import median_seconds

UNITS = "clips"
QUANTITIES = {
    "latency_s": ("one clip", "s"),
    "samples_per_s": ("inference", "clips/s"),
    "kv_cache_gb": ("decode state of a clip", "bytes"),
}
TAUGHT = ("waveform", "train_codec", "dropped")  # what training alone reads


def measure_inference(
    model: nn.Module, config: Config, workers: Workers, repeats: int
) -> dict[str, float]:
    """Seconds of one whole clip, and the bytes of its decode state."""
    batch = workers.move(synthetic_batch(config, 1, config.seed))
    if config.conditioned:
        batch = {name: batch[name] for name in batch if name not in TAUGHT}
    else:
        opening = batch["waveform"][..., : model.codec.hop].clone()
        batch = {"opening": opening.to(model.codec.dtype)}
    seconds = median_seconds(lambda: model.generate(batch, config.frames), workers.device, repeats)
    memory, rows = None, 1
    if config.conditioned:
        from .model import condition

        memory = condition(model, batch)  # (1, S, D)
        if config.guidance_scale != 1.0:
            memory = memory.repeat(2, 1, 1)
        rows = len(memory)
    cache = model.lm.new_cache(rows, config.frames + config.n_codebooks - 1)
    first = torch.zeros(rows, config.n_codebooks, 1, dtype=torch.long, device=workers.device)
    model.lm(first, memory, cache)
    return {
        "latency_s": seconds,
        "samples_per_s": 1 / seconds,
        "kv_cache_gb": cache.nbytes,
    }
