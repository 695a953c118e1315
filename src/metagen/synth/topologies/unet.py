"""Pictures by diffusion with a U-Net."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from itertools import product
from math import log2, log10, sqrt
from typing import Any

from ...specs.errors import Problem
from ..dims import Dim, choice, flag, number, real
from ..parts.image_diffusion import beside, diffused
from ..parts.unet import UNet, attention, level_sizes
from ..solver import MANY, Frame, Polynomial, Shape, at, best_shapes, interpolate, quadratic
from . import latents
from .image_diffusion import PICTURES, ImageDiffusionTopology

UNET: Mapping[str, Dim] = {
    **PICTURES,
    "unet_channels": Dim(None, "channels of every level of the U-Net", high=2**18, kind="list"),
    "layers_per_block": number(None, "residual blocks of a level", high=64),
    "transformer_layers": Dim(
        None, "attention blocks behind a residual block, by level; 0: none", low=0, high=1024,
        kind="list",
    ),
    "mid_layers": number(None, "attention blocks at the lowest resolution", low=0, high=1024),
    "unet_heads": Dim(None, "attention heads of every level", high=4096, kind="list"),
    "time_dim": number(None, "features of the time", low=4, high=2**18),
    "norm_groups": number(None, "groups of the U-Net's normalisation", high=4096),
    "norm_eps": real(1e-5, "epsilon of the group normalisation", low=1e-12, high=1.0),
    "padding": choice("symmetric", "padding of downsampling", "symmetric", "asymmetric"),
    "time_order": choice("cos_sin", "order of the features of a time", "cos_sin", "sin_cos"),
    "linear_projections": flag(False, "linear layers around attention instead of convolutions"),
    "pooled_prompt": flag(False, "the mean of the prompt added to the time"),
    **latents.PROMPT,
    **latents.AUTOENCODER,
}  # fmt: skip

#: What published configurations call the same.
UNET_ALIASES: Mapping[str, str] = {
    "block_out_channels": "unet_channels",
    "transformer_layers_per_block": "transformer_layers",
    "norm_num_groups": "norm_groups",
    "cross_attention_dim": "text_d_model",
    "time_embedding_dim": "time_dim",
    "use_linear_projection": "linear_projections",
    "num_class_embeds": "num_classes",
    "num_inference_steps": "sampling_steps",
}

#: Dimensions with one number for every level.
_LISTS = ("unet_channels", "transformer_layers", "unet_heads")

#: (log10 of the U-Net's parameters, log2 of its first width): DDPM's 128 at 36M, 320 at 860M.
_USUAL_WIDTH = ((5, 4), (6, 4.8), (7, 6.2), (7.55, 7), (8.93, 8.3), (9.4, 8.3), (10, 9.3), (12, 12))

#: What differs where an autoencoder is trained first, in the tiny preset.
_LATENT_TRAINING = {"autoencoder_steps": 150, "global_batch": 24, "micro_batch": 24}

#: Widths over that of the first level, by the number of levels, the commonest first.
_PATTERNS = {
    1: ((1,),),
    2: ((1, 2), (1, 1)),
    3: ((1, 2, 4), (1, 2, 2), (1, 2, 3)),
    4: ((1, 2, 4, 4), (1, 2, 2, 2), (1, 2, 3, 4)),
    5: ((1, 1, 2, 2, 4), (1, 1, 2, 3, 4)),
    6: ((1, 1, 2, 2, 4, 4), (1, 1, 2, 2, 3, 4)),
}


class UNetTopology(ImageDiffusionTopology):
    """A U-Net of residual blocks, with transformers that read the prompt, or plain attention."""

    id = "unet"
    phrase = "diffusion model with a U-Net"
    covers = ImageDiffusionTopology.covers | {
        "family": frozenset({"diffusion", "cnn", "hybrid", "other"})
    }
    table = UNET
    aliases = UNET_ALIASES
    shown = {
        "image_size": "Image size",
        "layers_per_block": "Residual blocks of a level",
        "time_dim": "Features of the time",
        "text_d_model": "Width of the prompt encoder",
        "latent_channels": "Channels of the code",
        "sampling_steps": "Denoising steps",
    }

    def contradictions(self, pins: Mapping[str, Any]) -> list[Problem]:
        problems = super().contradictions(pins)
        if pins.get("pooled_prompt") and pins.get("condition") != "text":
            problems.append(
                Problem("architecture.dims.pooled_prompt", "nothing is prompted in this model")
            )
        lists = {n: pins[n] for n in _LISTS if isinstance(pins.get(n), list | tuple)}
        if len({len(values) for values in lists.values()}) > 1:
            said = ", ".join(f"{name} {len(values)}" for name, values in lists.items())
            message = f"the levels differ in number: {said}"
            problems.append(Problem(f"architecture.dims.{next(iter(lists))}", message))
        widths, groups = lists.get("unet_channels", ()), pins.get("norm_groups")
        if groups and any(width % groups for width in widths):
            message = f"{groups} does not divide every one of unet_channels"
            problems.append(Problem("architecture.dims.norm_groups", message))
        heads = lists.get("unet_heads", ())
        if len(heads) == len(widths) and any(w % n for w, n in zip(widths, heads, strict=True)):
            message = "do not divide the channels of their levels"
            problems.append(Problem("architecture.dims.unet_heads", message))
        return problems

    def base(self, budget: float, frame: Frame) -> dict[str, Any]:
        dims = super().base(budget, frame)
        levels = max(len(dims[n]) if isinstance(dims[n], list | tuple) else 1 for n in _LISTS)
        for name in _LISTS:
            if isinstance(dims[name], int):  # one number stands for every level
                dims[name] = (dims[name],) * levels
        return dims

    def least(self, given: Mapping[str, Any]) -> int:
        dims = self.base(0, Frame(given))
        plan = _Plan((1,), 8, 1, *self._attention(dims, 1, 1))
        return self.build({**dims, **self._found(plan, dims), "time_dim": 16}).count()

    def denoiser(self, dims: Mapping[str, Any], reads: int, makes: int, side: int) -> UNet:
        return UNet(dims, reads, makes, side)

    # -- shapes -------------------------------------------------------------------------------

    def shapes(self, budget: float, frame: Frame) -> list[Shape]:
        """Customary proportions at the widths that fit; the features of the time fill the rest."""
        pinned = not frame.pins.keys().isdisjoint(self.table.keys() - PICTURES.keys())
        return best_shapes(lambda cap: self._search(cap, frame), budget, pinned)

    def _search(self, cap: float, frame: Frame) -> Iterator[Shape]:
        dims = self.base(cap, frame)
        others = self.others(dims)
        for plan, cost, awkward in self._plans(cap - others, dims, frame):
            usual = 4 * plan.widths[0]
            times = {dims["time_dim"]} if dims["time_dim"] else _times(cap - others, cost, usual)
            found = tuple(self._found(plan, dims).items())
            for time_dim in times:
                params = others + _value(cost, time_dim)
                score = awkward + 2 * log2(time_dim / usual) ** 2
                score += 4 * max(0.0, 1 - params / cap) if cap else 0.0
                yield Shape(dims, (*found, ("time_dim", time_dim)), params, score)

    def _plans(
        self, room: float, dims: Mapping[str, Any], frame: Frame
    ) -> Iterator[tuple[_Plan, tuple[int, int, int], float]]:
        """Networks of about `room` parameters, what each costs, and how unusual it is."""
        fixed, text = tuple(dims["unet_channels"] or ()), dims["condition"] == "text"
        levels = len(fixed or dims["transformer_layers"] or ())
        patterns = [(fixed, 0.0)] if fixed else _patterns(diffused(dims)[1], levels)
        tried = (1, 2, 3) if room < (1e11 if text else 5e9) else (2, 3, 4, 6, 8, 12, 16, 24)
        if dims["layers_per_block"]:
            tried = (dims["layers_per_block"],)
        usual_width = 2 ** interpolate(_USUAL_WIDTH, log10(max(room, 1e5)))
        for (pattern, odd), layers in product(patterns, tried):
            for depth, rare in _depths(room, len(pattern), text):
                awkward = odd + rare + 0.3 * abs(log2(layers / (1 if room < 5e5 else 2)))
                plan = _Plan(pattern, 1, layers, *self._attention(dims, len(pattern), depth))
                costs = self._costs(plan, dims, frame)
                if fixed:
                    yield plan, _cost(costs, plan.width), awkward
                    continue
                for width in _widths(room, plan, costs):
                    far = 0.5 * log2(width / usual_width) ** 2 + 0.1 * (width % 32 != 0)
                    yield replace(plan, width=width), _cost(costs, width), awkward + far

    def _attention(
        self, dims: Mapping[str, Any], levels: int, depth: int
    ) -> tuple[tuple[int, ...], int]:
        """The customary blocks of attention of every level, and at the lowest resolution.

        Transformers deeper than two leave out the highest resolution, as in SDXL; attention
        between pixels alone stands where maps have at most 16 rows, as in DDPM.
        """
        text = dims["condition"] == "text"
        if not text:
            sizes = level_sizes({**dims, "unet_channels": (1,) * levels}, diffused(dims)[1])
            depths = tuple(int(side <= 16) for side, _ in sizes)
        elif depth > 2:
            depths = (0, 2, depth)
        else:
            depths = tuple(depth if i < 3 or levels < 4 else 0 for i in range(levels))
        middle = dims["mid_layers"]
        return (
            tuple(dims["transformer_layers"] or depths),
            (depth if text else 1) if middle is None else middle,
        )

    def _found(self, plan: _Plan, dims: Mapping[str, Any]) -> dict[str, Any]:
        """The dimensions of a plan; those that are decided stay."""
        found = {
            "unet_channels": plan.widths,
            "layers_per_block": plan.layers,
            "transformer_layers": plan.depths,
            "mid_layers": plan.middle,
            "unet_heads": dims["unet_heads"] or tuple(map(_heads, plan.widths)),
            "norm_groups": dims["norm_groups"] or latents.groups_of(plan.widths),
        }
        return found

    def _costs(self, plan: _Plan, dims: Mapping[str, Any], frame: Frame) -> _Costs:
        """Parameters of a plan's U-Net at every width of its first level.

        They are a polynomial, quadratic in that width and in the features of the time, and linear
        in blocks: it is read off counted networks. Attention is counted apart.
        """
        none = (0,) * len(plan.depths)
        key = ("unet", *plan.pattern, dims["text_d_model"])
        if (*key, 1) not in frame.counts:
            channels, side = diffused(dims)
            for layers in (1, 2):
                small = _Plan(plan.pattern, MANY, layers, none, 0)
                sizes = {**dims, **self._found(small, dims), "time_dim": MANY**3}
                count = self.denoiser(sizes, channels + beside(dims), channels, side).count()
                frame.counts[*key, layers] = divmod(count % MANY**6, MANY**3)[::-1]
        one, two = (map(quadratic, frame.counts[*key, n]) for n in (1, 2))
        fixed, each = (_line(a, b, plan.layers) for a, b in zip(one, two, strict=True))
        copies = 2 * plan.layers + 1
        levels = [
            (times, depth, copies) for times, depth in zip(plan.pattern, plan.depths, strict=True)
        ]
        for times, depth, several in (*levels, (plan.pattern[-1], plan.middle, 1)):
            if depth:
                block = _attention(depth, dims, frame)
                fixed = tuple(
                    c + several * a * times**i
                    for i, (c, a) in enumerate(zip(fixed, block, strict=True))
                )
        return fixed, each, 1 + dims["pooled_prompt"]  # the second layer of an MLP of the time

    # -- costs and presets --------------------------------------------------------------------

    def tiny_denoiser(self, dims: Mapping[str, Any], side: int) -> dict[str, Any]:
        levels = min(len(dims["unet_channels"]), 3 if side >= 16 else 2)
        wanted = (24, 48, 64) if levels > 2 else (32, 64)
        widths = tuple(map(min, wanted, dims["unet_channels"]))
        heads = tuple(min(2, n) for n in dims["unet_heads"][:levels])
        depths = tuple(min(1, n) for n in dims["transformer_layers"][:levels])
        if not any(depths) and any(dims["transformer_layers"]):
            depths = (*depths[:-1], 1)
        groups = range(min(8, dims["norm_groups"]), 0, -1)
        return {
            "unet_channels": widths,
            "layers_per_block": 1,
            "transformer_layers": depths,
            "mid_layers": min(1, dims["mid_layers"]),
            "unet_heads": tuple(n if w % n == 0 else 1 for n, w in zip(heads, widths, strict=True)),
            "time_dim": min(128, dims["time_dim"]),
            "norm_groups": next(n for n in groups if all(w % n == 0 for w in widths)),
            "steps": 600,
            "checkpoint_interval": 300,
            **(_LATENT_TRAINING if dims["space"] == "latent" else {}),
        }

    def alternatives(self, dims: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        if dims["layers_per_block"] > 1:
            half = dims["layers_per_block"] // 2
            removed = f"half of the residual blocks of a level: {half} remain"
            yield "Residual blocks", removed, {"layers_per_block": half}
        if any(dims["transformer_layers"]):
            none = (0,) * len(dims["transformer_layers"])
            yield "Attention", "all but that at the lowest resolution", {"transformer_layers": none}
        if len(dims["unet_channels"]) > 1:
            cut = {name: tuple(dims[name][:-1]) for name in _LISTS}
            yield "Lowest level", "the level with the fewest rows and columns", cut


@dataclass(frozen=True)
class _Plan:
    """A U-Net but for the features of its time: levels are `pattern` times `width` wide."""

    pattern: tuple[int, ...]
    width: int
    layers: int
    depths: tuple[int, ...]
    middle: int

    @property
    def widths(self) -> tuple[int, ...]:
        """Channels of every level."""
        return tuple(self.width * times for times in self.pattern)


#: Parameters of a U-Net: constant, for each feature of the time, for each square of it.
_Costs = tuple[Polynomial, Polynomial, int]


def _line(one: Polynomial, two: Polynomial, n: int) -> Polynomial:
    """What grows by the same with each of `n`, from the first and the second."""
    return tuple(a + (n - 1) * (b - a) for a, b in zip(one, two, strict=True))


def _cost(costs: _Costs, width: int) -> tuple[int, int, int]:
    """Costs at a width of the first level."""
    fixed, each, square = costs
    return at(fixed, width), at(each, width), square


def _widths(room: float, plan: _Plan, costs: _Costs) -> list[int]:
    """The largest width of the first level that fits with the usual time features, and less."""
    width, step = 64.0, 8
    for _ in range(4):  # parameters grow by about the square of the width
        step = 4 if width < 32 else 8 if width < 96 else 16 if width < 256 else 32
        whole = max(step, int(width) // step * step)
        params = _value(_cost(costs, whole), 4 * whole * plan.pattern[0])
        width = whole * (max(room, 1) / params) ** 0.5
    largest = max(8, int(width * 1.03) // step * step)
    return sorted({largest, max(8, largest - step)})


def _patterns(side: int, levels: int) -> list[tuple[tuple[int, ...], float]]:
    """Widths over that of the first level, and how unusual they are, for maps of `side` rows."""
    most = max(n for n in range(1, 7) if n == 1 or side >= 4 * 2 ** (n - 1))
    usual = min(most, 4)
    counts = {usual: 0.0, max(1, usual - 1): 0.1, max(1, min(usual, 2)): 0.5}
    if levels:
        counts = {min(6, levels): 0.0}
    return [
        (pattern, odd + 0.15 * i)
        for n, odd in counts.items()
        for i, pattern in enumerate(_PATTERNS[n])
    ]


def _depths(room: float, levels: int, text: bool) -> list[tuple[int, float]]:
    """Depths of transformers and how unusual they are: 1 in Stable Diffusion, 10 in SDXL."""
    if not text:
        return [(1, 0.0)]
    if levels != 3 or room < 3e8:
        late = 0.4 if room > 1.5e9 else 0.0
        return [(1, late), (2, late + 0.15)]
    usual = 2 if room < 1.5e9 else 10
    return [(n, 0.3 * abs(log2(n / usual))) for n in (1, 2, 3, 4, 6, 8, 10, 12, 16, 20, 24, 32)]


def _attention(depth: int, dims: Mapping[str, Any], frame: Frame) -> Polynomial:
    """Parameters of attention behind a residual block, of `depth` blocks where a prompt is read.

    They are quadratic in the width and linear in the depth, and read off counted parts.
    """
    key = ("attention", dims["text_d_model"])
    if key not in frame.counts:
        small = (next(attention(dims, MANY, n, 1, (1, 1), 1)).count() for n in (1, 2))
        frame.counts[key] = next(small), next(small)
    return _line(*map(quadratic, frame.counts[key]), depth)


def _times(room: float, cost: tuple[int, int, int], usual: int) -> set[int]:
    """The usual number of features of the time, and the one that fills the room, if near."""
    fixed, each, square = cost
    left = max(0.0, room - fixed)
    most = (sqrt(each**2 + 4 * square * left) - each) / (2 * square)
    step = 4 if usual < 256 else 16 if usual < 1024 else 64
    return {usual, max(step, int(min(max(most, usual / 4), 2.5 * usual)) // step * step)}


def _value(cost: tuple[int, int, int], time_dim: int) -> int:
    """Parameters at so many features of the time."""
    return cost[0] + cost[1] * time_dim + cost[2] * time_dim**2


def _heads(width: int) -> int:
    """Attention heads of a width: 64 features each, 32 in narrow levels."""
    wanted = max(1, width // (64 if width >= 256 else 32))
    return next(n for n in range(wanted, 0, -1) if width % n == 0)
