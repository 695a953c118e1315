"""What `bench` times of inference: one text at a time."""

import torch
from torch import nn

from .config import Config
from .data import synthetic_batch
from .parallel import Workers
from .timing import median_seconds

UNITS = "examples"
QUANTITIES = {
    "latency_s": ("one text", "s"),
    "samples_per_s": ("inference", "texts/s"),
}


@torch.inference_mode()
def measure_inference(
    model: nn.Module, config: Config, workers: Workers, repeats: int
) -> dict[str, float]:
    """Time to read one text of `text_length` tokens; memory peaks at the longest."""
    text = workers.move(synthetic_batch(config, 1, config.seed))["tokens"][:1]
    seconds = median_seconds(lambda: model(text), workers.device, repeats)
    model(torch.zeros(1, config.context_length, dtype=torch.long, device=workers.device))
    return {"latency_s": seconds, "samples_per_s": 1 / seconds}
