"""The autoencoder of pictures as a release of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import fsum, inf, log2, log10, sqrt
from typing import Any

from ...specs.errors import Problem
from ...utils import formatting as fmt
from ..dims import Dim, number, text
from ..parts.autoencoder_kl import Autoencoder
from ..solver import Frame, Shape, best_shapes, interpolate
from .base import Node, Pace, Topology, short_run
from .latents import (
    AUTOENCODER,
    AUTOENCODER_ALIASES,
    autoencoder_params,
    autoencoder_problems,
    autoencoder_switches,
    autoencoder_tiny,
    customary_stages,
    groups_of,
    latent_size,
    stage_widths,
)

TABLE: Mapping[str, Dim] = {
    "image_size": number(256, "side of a picture, in pixels", low=2, high=2**14),
    "channels": number(3, "channels of a picture", high=1024),
    **AUTOENCODER,
}

#: The fields of `Config` that pictures without labels need.
PICTURES: Mapping[str, Dim] = {
    "data": text("folder of pictures, CSV with a column path, or hub dataset; empty: built in"),
}

#: Seconds that one picture may take.
PICTURE_SECONDS = {"real-time": 0.2, "near-real-time": 5.0, "offline": inf}

#: (log10 of the budget, blocks of a stage): 2 for the 84M of Rombach et al. (2022).
DEPTH = ((5, 1), (6.5, 1), (7, 2), (8.3, 2), (9, 3), (10, 4), (11, 6), (12, 8))

#: Places of a code that attention is affordable for.
MOST_PLACES = 128**2


class AutoencoderTopology(Topology):
    """Residual convolutions down to a small code with channels of its own, and up again."""

    id = "autoencoder"
    phrase = "KL-regularised image autoencoder"
    objective = "reconstruction"
    covers = {
        "inputs": frozenset({"image"}),
        "outputs": frozenset({"image"}),
        "objective": frozenset({"reconstruction"}),
        "task": frozenset({"generation"}),
        "family": frozenset({"cnn"}),
    }
    served_as = "reconstruction: the answer is the picture again"
    unit = "image"
    rate_unit = "img/s"
    table = TABLE
    aliases = AUTOENCODER_ALIASES
    top = "image_autoencoder"
    exports = ("ImageAutoencoder", "build_model", "latent_shape", "difference")
    programs = ("common", "reading", "images", "reconstruction")
    settings = PICTURES
    shown = {
        "ae_layers_per_block": "Blocks of a stage",
        "latent_channels": "Channels of the code",
        "image_size": "Image size",
    }
    nodes = (
        Node("pixels", "input"),
        Node("encoder", "convolutional encoder", ("encoder", "quant_conv")),
        Node("code", "draw of the code"),
        Node("decoder", "convolutional decoder", ("post_quant_conv", "decoder")),
        Node("loss", "reconstruction loss"),
    )
    batch = 256

    def given(self, spec: Any) -> dict[str, Any]:
        asked = {name: getattr(spec.task, name) for name in ("image_size", "channels")}
        return {name: value for name, value in asked.items() if value}

    def contradictions(self, pins: Mapping[str, Any]) -> list[Problem]:
        return list(autoencoder_problems(pins))

    def base(self, budget: float, frame: Frame) -> dict[str, Any]:
        dims = super().base(budget, frame)
        stages = len(dims["ae_channels"] or ()) or customary_stages(dims["image_size"])
        if (dims["image_size"] >> (stages - 1)) ** 2 > MOST_PLACES:
            dims["ae_mid_attention"] = frame.pins.get("ae_mid_attention", False)
        return dims

    def least(self, given: Mapping[str, Any]) -> int:
        dims = self.base(0, Frame(given))
        widths = (4,) * customary_stages(dims["image_size"])
        return autoencoder_params({**dims, "ae_channels": widths, "ae_layers_per_block": 1})

    def shapes(self, budget: float, frame: Frame) -> list[Shape]:
        return best_shapes(lambda cap: _search(self, cap, frame), budget, bool(frame.pins))

    def build(self, dims: Mapping[str, Any]) -> Autoencoder:
        return Autoencoder(dims)

    def too_slow(self, pace: Pace, latency: str) -> bool:
        return pace.first > PICTURE_SECONDS[latency]

    def latency_asked(self, latency: str) -> str:
        limit = PICTURE_SECONDS[latency]
        return "no bound" if limit == inf else f"{fmt.seconds(limit)} for one {self.unit}"

    def switches(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        return super().switches(dims) | autoencoder_switches(dims, unit_latents=False)

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        size = min(32, dims["image_size"])
        return {
            "image_size": size,
            **autoencoder_tiny(dims, size),
            **short_run(steps=700, batch=16, learning_rate=0.003, warmup=40),
            "eval_interval": 350,
            "checkpoint_interval": 350,
        }

    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        size, side, codes = dims["image_size"], latent_size(dims), dims["latent_channels"]
        pixels = ["batch", dims["channels"], size, size]
        return {
            "pixels": pixels,
            "encoder": ["batch", 2 * codes, side, side],
            "code": ["batch", codes, side, side],
            "decoder": pixels,
            "loss": [],
        }

    def words(self, spec: Any, dims: Mapping[str, Any]) -> dict[str, str]:
        numbers = dims["latent_channels"] * latent_size(dims) ** 2
        shrunk = dims["channels"] * dims["image_size"] ** 2 / numbers
        return {"compression": f"{shrunk:.0f} numbers of a picture for each of its code"}

    def alternatives(self, dims: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        if dims["ae_layers_per_block"] > 1:
            half = dims["ae_layers_per_block"] // 2
            removed = f"half of the blocks of a stage: {half} remain"
            yield "Depth", removed, {"ae_layers_per_block": half}
        if dims["ae_mid_attention"]:
            yield "Attention", "attention at the lowest resolution", {"ae_mid_attention": False}
        if dims["latent_channels"] > 1:
            half = dims["latent_channels"] // 2
            removed = f"half of the channels of the code: {half} remain"
            yield "Code", removed, {"latent_channels": half}


def _search(topology: Topology, budget: float, frame: Frame) -> Iterator[Shape]:
    """Widths that double from stage to stage, of which the last one fills the budget."""
    base, pins = topology.base(budget, frame), frame.pins
    usual = interpolate(DEPTH, log10(max(budget, 1e5)))
    around = range(round(usual) - 1, round(usual) + (3 if budget < 3e5 else 2))
    depths = [pins["ae_layers_per_block"]] if "ae_layers_per_block" in pins else around
    for layers in depths:
        if layers < 1:
            continue
        dims = {**base, "ae_layers_per_block": layers}
        for widths in [pins["ae_channels"]] if "ae_channels" in pins else _widths(budget, dims):
            if wanted := pins.get("ae_groups"):
                widths = tuple(max(1, width // wanted) * wanted for width in widths)
            groups = wanted or groups_of(widths)
            found = {"ae_layers_per_block": layers, "ae_channels": tuple(widths)}
            params = autoencoder_params(dims | found)
            customary = stage_widths(widths[0], len(widths))
            score = 2 * log2(layers / usual) ** 2 + 0.02 * log2(32 / min(groups, 32))
            score += fsum(log2(w / c) ** 2 for w, c in zip(widths, customary, strict=True))
            score += 4 * max(0.0, 1 - params / budget) if budget else 0.0
            yield Shape(base, tuple({**found, "ae_groups": groups}.items()), params, score)


def _widths(budget: float, dims: Mapping[str, Any]) -> Iterator[tuple[int, ...]]:
    """Widths of the stages: customary ones and, where they leave room, wider last ones."""
    stages = len(dims["ae_channels"] or ()) or customary_stages(dims["image_size"])

    def count(widths: tuple[int, ...]) -> int:
        return autoencoder_params({**dims, "ae_channels": widths})

    for most in (1, 2, 4) if budget < 3e5 else (4,):
        probe = stage_widths(64, stages, most)
        ideal = 64 * sqrt(max(budget, 1.0) / count(probe))
        step = 2 if ideal < 16 else 4 if ideal < 32 else 8 if ideal < 64 else 16
        step = step if ideal < 128 else 32 if ideal < 1024 else 128
        if stages == 1:
            yield from ((last,) for last in _last(budget, (), 64, step, count))
            continue
        top = max(4, int(ideal * 1.1) // step * step)
        for first in range(top, max(4, top - 6 * step) - 1, -step):
            widths = stage_widths(first, stages, most)
            yield widths
            narrower = max(step, widths[-2] * 3 // 4 // step * step)
            for before in {widths[:-1], (*widths[:-2], narrower)} if stages > 2 else {widths[:-1]}:
                lasts = _last(budget, before, widths[-1], step, count)
                yield from ((*before, last) for last in lasts)


def _last(budget: float, before: tuple[int, ...], usual: int, step: int, count: Any) -> set[int]:
    """The widest last stages that fit after those before: in customary steps, and in finer ones.

    Parameters are nearly a parabola in that width: it is read off three of them. Where none fits,
    the narrowest.
    """
    low, middle, high = (count((*before, usual * k)) for k in (1, 2, 3))
    bend = (high - 2 * middle + low) / 2
    slope = middle - low - 3 * bend
    rest = low - slope - bend - budget
    root = (-slope + sqrt(max(0.0, slope**2 - 4 * bend * rest))) / (2 * bend)
    found = set()
    for grid in {step, max(1, step // 8) if before else 1}:
        last = max(grid, int(root * usual) // grid * grid + grid)
        while last > grid and count((*before, last)) > budget:
            last -= grid
        found.add(last)
    return found
