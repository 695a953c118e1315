"""What `bench` times: the answer to one series."""

import torch
from torch import nn

from .config import Config
from .parallel import Workers
from .timing import median_seconds

UNITS = "series"
QUANTITIES = {
    "latency_s": ("inference", "s/series"),
    "samples_per_s": ("inference", "series/s"),
}


def measure_inference(
    model: nn.Module, config: Config, workers: Workers, repeats: int
) -> dict[str, float]:
    """Time of one series of all variables."""
    values = torch.randn(1, config.lookback, config.num_variables, device=workers.device)
    known = torch.ones_like(values, dtype=torch.bool)
    seconds = median_seconds(lambda: model(values, known), workers.device, repeats)
    return {"latency_s": seconds, "samples_per_s": 1 / seconds}
