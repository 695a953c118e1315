"""What `bench` times of inference: one picture, from noise to pixels."""

from torch import nn

from .config import Config
from .data import synthetic_batch
from .parallel import Workers
from .timing import median_seconds

UNITS = "images"
QUANTITIES = {
    "latency_s": ("one picture, all of its steps", "s/image"),
    "samples_per_s": ("inference", "images/s"),
}
TAUGHT = ("images", "posterior_noise", "quantiles")  # what training alone reads


def measure_inference(
    model: nn.Module, config: Config, workers: Workers, repeats: int
) -> dict[str, float]:
    """Time of one picture."""
    kind = next(model.parameters()).dtype
    batch = workers.move(synthetic_batch(config, 1, config.seed))
    batch = {n: x for n, x in batch.items() if n not in TAUGHT}
    batch = {n: x.to(kind) if x.is_floating_point() else x for n, x in batch.items()}
    steps, scale = config.sampling_steps, config.guidance_scale
    seconds = median_seconds(
        lambda: model.generate(batch, steps, scale=scale), workers.device, repeats
    )
    return {"latency_s": seconds, "samples_per_s": 1 / seconds}
