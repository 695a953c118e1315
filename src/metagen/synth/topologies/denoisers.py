"""What releases share whose denoiser is a stack: it fills what the other networks leave."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import log10
from typing import Any

from ..dims import Dim, choice, number, real
from ..solver import Frame, Shape, best_shapes, interpolate, searched
from .image_diffusion import STEPS
from .stack import StackTopology

#: What denoising clips takes, whatever the network.
DENOISING: Mapping[str, Dim] = {
    "prediction": choice("v", "what the denoiser predicts", "noise", "v", "flow"),
    "noise_schedule": choice("cosine", "how the noise grows; flows have a straight line", "linear",
                             "scaled_linear", "cosine"),
    "train_times": number(1000, "times between clean and noise", low=2, high=10**5),
    "time_shift": real(1.0, "how far times of a flow move towards noise", low=0.1, high=100.0),
    "time_features": number(None, "sinusoids of a time", low=2, high=2**12),
    "sampling_steps": number(28, "denoising steps of a sample", high=10**5),
    "guidance_scale": real(3.0, "scale of guidance; 1 is none", low=0.0, high=100.0),
    "dropout_condition": real(0.1, "share of samples that train without a condition", high=0.9),
    "autoencoder_steps": number(20_000, "training steps after which the autoencoder is frozen"),
    "autoencoder_frames": number(4, "frames of a clip that teach the autoencoder", high=4096),
}  # fmt: skip

#: (log10 of the parameters, width / depth): DiT-S/2, B/2, L/2, XL/2, Latte-XL/2, CogVideoX-5B.
ASPECT = ((4, 12), (5, 16), (6, 24), (7.5, 32), (8.1, 64), (8.7, 43), (8.9, 41), (9.7, 73),
          (10.5, 110), (12, 160))  # fmt: skip


class DenoiserTopology(StackTopology):
    """Networks around a stack of blocks that denoises.

    Attributes:
        aspects: (log10 of the parameters, width / depth).
    """

    denoises = True
    aspects: tuple[tuple[float, float], ...] = ASPECT
    batch = 256
    learning_rate = 1e-4
    learning_rate_source = "Peebles and Xie, 2023, section 4"
    recipe: Mapping[str, Any] = {"weight_decay": 0.01}

    def given(self, spec: Any) -> dict[str, Any]:
        """The way from noise: at once it is without guidance."""
        latency = spec.constraints.latency
        unguided = {"guidance_scale": 1.0} if latency == "real-time" else {}
        flows = spec.training.objective[0] == "flow_matching"
        prediction = "flow" if flows else "v"
        return {"sampling_steps": STEPS[latency], "prediction": prediction, **unguided}

    def shapes(self, budget: float, frame: Frame) -> list[Shape]:
        def search(cap: float) -> Iterator[Shape]:
            base, whole = None, {}
            for shape in searched(self, cap, frame):
                if shape.base is not base:  # candidates of one width share it
                    base, whole = shape.base, _whole_heads(shape.base, frame.pins)
                yield replace(shape, base=whole)

        return best_shapes(search, budget, bool(frame.pins))

    def aspect(self, budget: float) -> float:
        return interpolate(self.aspects, log10(max(budget, 1e4)))

    def passes_of(self, dims: Mapping[str, Any]) -> int:
        """Passes of the denoiser in a sample; guidance takes two for each step."""
        return dims["sampling_steps"] * (2 if dims["guidance_scale"] != 1 else 1)


def time_features(budget: float) -> int:
    """Sinusoids of a time."""
    return 256 if budget >= 3e6 else 64 if budget >= 3e5 else 32


def _whole_heads(base: Mapping[str, Any], pins: Mapping[str, Any]) -> dict[str, Any]:
    """Dimensions whose heads divide the width."""
    dims = {name: value for name, value in base.items() if name != "head_dim"}
    if "n_heads" not in pins:
        fewer = range(dims["n_heads"], 0, -1)
        dims["n_heads"] = next(n for n in fewer if dims["d_model"] % n == 0)
    return dims
