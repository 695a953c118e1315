"""What of inference `bench` times: one chunk of a stream whose past is as long as it ever is."""

import torch
from torch import Tensor, nn

from .config import Config
from .data import synthetic_batch
from .denoiser import positions
from .parallel import Workers
from .timing import median_seconds

UNITS = "clips"
QUANTITIES = {
    "latency_s": ("one chunk", "s"),
    "samples_per_s": ("generation", "frames/s"),
}


def measure_inference(
    model: nn.Module, config: Config, workers: Workers, repeats: int
) -> dict[str, float]:
    """Time of all denoising steps of one chunk, and of decoding its frames and sound."""
    batch = workers.move(synthetic_batch(config, 1, config.seed))
    picture = batch["video"][:, 0].to(next(model.parameters()).dtype, copy=True)
    noise, steps, scale = batch["noise"][:, 0].clone(), config.sampling_steps, config.guidance_scale
    lanes = model.lanes(batch["tokens"], picture, scale)
    del batch  # the rest of which takes memory in training alone
    model.next_chunk(lanes, noise, steps, scale)
    shown, length = positions(config)
    for lane in lanes:
        lane["past"] = [
            tuple(filled(part, shown, length, config) for part in pair) for pair in lane["past"]
        ]

    def chunk() -> tuple[Tensor, Tensor]:
        made = model.next_chunk(lanes, noise, steps, scale)
        coded = made.to(picture.dtype)
        return model.show(coded), model.speak(torch.stack((coded, coded), dim=1))

    seconds = median_seconds(chunk, workers.device, repeats)
    return {"latency_s": seconds, "samples_per_s": config.chunk_frames / seconds}


def filled(part: Tensor, shown: int, length: int, config: Config) -> Tensor:
    """The past of a block with its newest chunk repeated until no more would be kept."""
    newest = part[:, :, -length:].repeat(1, 1, config.history_chunks, 1)
    return torch.cat((part[:, :, :shown], newest), dim=2)
