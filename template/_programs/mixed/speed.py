"""What `bench` times of inference: one sample at a time."""

import torch
from torch import nn

from .config import Config
from .data import synthetic_batch
from .parallel import Workers
from .timing import median_seconds

UNITS = "samples"
QUANTITIES = {
    "latency_s": ("inference", "s/sample"),
    "samples_per_s": ("inference", "samples/s"),
}


@torch.inference_mode()
def measure_inference(
    model: nn.Module, config: Config, workers: Workers, repeats: int
) -> dict[str, float]:
    """Time of one sample; a text is written to its full length."""
    sample = workers.move(synthetic_batch(config, 1, config.seed))
    weights = next(model.parameters()).dtype
    sample = {k: x for k, x in sample.items() if not k.startswith("target_")}
    sample = {k: x.to(weights) if x.is_floating_point() else x for k, x in sample.items()}
    if config.gives_text:
        end = config.vocab_size - 1  # a token that is never written
    else:
        end = 0
    seconds = median_seconds(lambda: model.predict(sample, end), workers.device, repeats)
    return {"latency_s": seconds, "samples_per_s": 1 / seconds}
