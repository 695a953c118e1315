"""What `bench` times of inference: one pair through both towers."""

import torch
from torch import nn

from .config import Config
from .data import synthetic_batch
from .parallel import Workers
from .timing import median_seconds

UNITS = "pairs"
QUANTITIES = {
    "latency_s": ("one pair", "s"),
    "samples_per_s": ("inference", "pairs/s"),
}


@torch.inference_mode()
def measure_inference(
    model: nn.Module, config: Config, workers: Workers, repeats: int
) -> dict[str, float]:
    """Time to embed one pair."""
    batch = workers.move(synthetic_batch(config, 1, config.seed))
    batch["images"] = batch["images"].to(next(model.parameters()).dtype)
    seconds = median_seconds(lambda: model(batch), workers.device, repeats)
    return {"latency_s": seconds, "samples_per_s": 1 / seconds}
