"""Agents that learn by acting: what they observe, how wide they are, and how fast they decide.

An agent reads a vector of numbers through fully connected layers, or the last frames of a screen
through the convolutions of Mnih et al. (2015).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from math import inf, log2, log10
from typing import Any

from ...specs.errors import Problem
from ...utils import formatting as fmt
from ..dims import Dim, choice, number, real, several, text
from ..parts.base import Part
from ..parts.rl import action_width
from ..solver import Frame, Shape, best_shapes, interpolate
from .base import Pace, Topology, Work

#: Decisions a second that a policy must make, by latency class.
DECISIONS = {"real-time": 60.0, "near-real-time": 2.0, "offline": 0.0}

_STATE: Mapping[str, Dim] = {
    "state_dim": number(None, "numbers of a state", high=10**6),
}
_IMAGE: Mapping[str, Dim] = {
    "image_size": number(84, "side of a frame, in pixels", low=8, high=2**14),
    "channels": number(1, "channels of a frame", high=1024),
    "frames": number(4, "frames that are seen at once, the newest last", high=1024),
}
DISCRETE: Mapping[str, Dim] = {
    "num_actions": number(None, "actions to choose from", low=2, high=10**6),
}
_LAYERS: Mapping[str, Dim] = {
    "hidden_size": number(None, "width of the fully connected layers", high=2**22),
    "n_layers": number(None, "fully connected layers of a network", high=256),
    "activation": choice("tanh", "nonlinearity", "tanh", "relu"),
}
_CONVOLUTIONS: Mapping[str, Dim] = {
    "conv_channels": several(None, "channels of the convolutions", 3, high=2**20),
    "conv_kernels": several(None, "sides of the convolutions' kernels", 3, high=2**14),
    "conv_strides": several(None, "strides of the convolutions", 3, high=2**14),
    "hidden_size": number(None, "width of the fully connected layer", high=2**22),
}

ENVIRONMENT: Mapping[str, Dim] = {
    "env": text("environment: gymnasium:NAME, or empty for the built-in one"),
    "n_envs": number(64, "environments side by side"),
    "discount": real(0.99, "what a reward is worth one step later"),
    "reward_scale": real(1.0, "what rewards are multiplied by before they are learned from"),
}

#: (log10 of the budget, fully connected layers).
DEPTH = ((4, 2), (6, 3), (8, 4), (10, 6), (12, 8))
#: Channels of the first convolution that are tried; the others have twice as many.
STEMS = (2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048, 3072,
         4096, 6144, 8192, 12_288, 16_384, 24_576, 32_768)  # fmt: skip

STATE_SHOWN = {
    "state_dim": "State", "n_layers": "Layers of a network", "hidden_size": "Width",
    "num_actions": "Actions",
}  # fmt: skip
IMAGE_SHOWN = {
    "image_size": "Side of a frame", "frames": "Frames seen", "hidden_size": "Width",
    "num_actions": "Actions",
}  # fmt: skip


def state_table(actions: Mapping[str, Dim], answers: Mapping[str, Dim]) -> Mapping[str, Dim]:
    """The dimensions of an agent that is told the numbers of a state."""
    return {**_observes("state"), **actions, **_STATE, **answers, **_LAYERS}


def pixel_table(actions: Mapping[str, Dim], answers: Mapping[str, Dim]) -> Mapping[str, Dim]:
    """The dimensions of an agent that sees the frames of a screen."""
    return {**_observes("image"), **actions, **_IMAGE, **answers, **_CONVOLUTIONS}


def _observes(word: str) -> Mapping[str, Dim]:
    return {"observation": choice(word, "what the agent is told", word)}


class AgentTopology(Topology):
    """An agent that learns from what it does."""

    unit = "environment step"
    rate_unit = "steps/s"
    #: Numbers of the built-in environment's states: the cart with its pole, or the pendulum.
    state_dims = {"discrete": 4, "continuous": 3}
    most_units_per_param = 50.0
    learning_rate = 3e-4
    recipe: Mapping[str, Any] = {"weight_decay": 0.0, "beta2": 0.999, "grad_clip": 0.5}
    method = ""

    def given(self, spec: Any) -> dict[str, Any]:
        """What a spec says about observations and actions; cart-pole or pendulum where nothing."""
        task = spec.task
        asked = {name: getattr(task, name) for name in self.table if hasattr(task, name)}
        asked = {name: value for name, value in asked.items() if value}
        kind = self.table["actions"].default
        if "action_dim" in asked and "num_actions" not in asked:
            kind = "continuous"
        return asked | {"actions": kind} if "action_dim" in self.table else asked

    def base(self, budget: float, frame: Frame) -> dict[str, Any]:
        dims = super().base(budget, frame)
        if not frame.pins.keys() & {"actions", "num_actions"} and frame.pins.get("action_dim"):
            dims["actions"] = "continuous"
        continuous = dims["actions"] == "continuous"
        own, other = ("action_dim", "num_actions") if continuous else ("num_actions", "action_dim")
        dims[own] = dims[own] or {"action_dim": 1, "num_actions": 2 + self.pixels}[own]
        dims.pop(other, None)
        if self.pixels:
            kernels, strides = convolutions(dims["image_size"])
            dims["conv_kernels"] = tuple(dims["conv_kernels"] or kernels)
            dims["conv_strides"] = tuple(dims["conv_strides"] or strides)
        else:
            dims["state_dim"] = dims["state_dim"] or self.state_dims[dims["actions"]]
        return dims

    def contradictions(self, pins: Mapping[str, Any]) -> list[Problem]:
        """Lists that are not three long, and kernels larger than what they look at."""
        names = [n for n in ("conv_channels", "conv_kernels", "conv_strides") if n in pins]
        problems = [
            Problem(f"architecture.dims.{n}", f"{len(pins[n])} numbers, not 3")
            for n in names
            if len(pins[n]) != 3
        ]
        if self.pixels and names and not problems:
            dims = self.base(0, Frame(pins=pins))
            side = dims["image_size"]
            for kernel, stride in zip(dims["conv_kernels"], dims["conv_strides"], strict=True):
                if kernel > side:
                    message = f"a kernel of {kernel} on {side} pixels"
                    return [Problem("architecture.dims.conv_kernels", message)]
                side = (side - kernel) // stride + 1
        return problems

    @property
    def pixels(self) -> bool:
        """Whether the agent sees pictures."""
        return "image_size" in self.table

    # -- shapes -------------------------------------------------------------------------------

    def least(self, given: Mapping[str, Any]) -> int:
        return min(shape.params for shape in self._search(0, Frame(given)))

    def shapes(self, budget: float, frame: Frame) -> list[Shape]:
        """Candidates, best first: depth or channels near practice, the width fills the budget."""
        pinned = not frame.pins.keys().isdisjoint(("hidden_size", "n_layers", "conv_channels"))
        return best_shapes(lambda cap: self._search(cap, frame), budget, pinned)

    def _search(self, budget: float, frame: Frame) -> Iterator[Shape]:
        base = self.base(budget, frame)
        for frozen, distance in self._frames(budget, base, frame):
            dims = base | frozen
            widths = frame.pins.get("hidden_size")
            for width in [widths] if widths else self._widths(budget, dims):
                found = dims | {"hidden_size": width}
                params = self.build(found).count()
                fill = params / budget if budget else 1.0
                score = distance + 4 * max(0.0, 1 - fill) + 0.05 * (width % 64 != 0)
                if self.pixels:
                    score += 0.3 * log2(width / (16 * found["conv_channels"][0])) ** 2
                own = {**frozen, "hidden_size": width}
                yield Shape(base, tuple(own.items()), params, score)

    def _frames(
        self, budget: float, base: Mapping[str, Any], frame: Frame
    ) -> Iterator[tuple[dict[str, Any], float]]:
        """What is decided before the width, with its distance from practice."""
        if self.pixels:
            pinned = frame.pins.get("conv_channels")
            stems = [tuple(pinned)] if pinned else [(c, 2 * c, 2 * c) for c in STEMS]
            for stem in stems:
                yield {"conv_channels": stem}, 0.0
            return
        if "n_layers" in frame.pins:
            depths: Iterable[int] = (frame.pins["n_layers"],)
        else:
            usual = round(interpolate(DEPTH, log10(max(budget, 1e4))))
            depths = (usual, max(1, usual - 1), usual + 1)
        for rank, depth in enumerate(depths):
            yield {"n_layers": depth}, 0.3 * rank

    def _widths(self, budget: float, dims: Mapping[str, Any]) -> Iterator[int]:
        """The largest width that fits, and the largest round one."""

        def fits(width: int) -> bool:
            return self.build({**dims, "hidden_size": width}).count() <= budget

        low, high = 1, 2
        while fits(high) and high < 2**22:
            low, high = high, 2 * high
        while high - low > 1:
            middle = (low + high) // 2
            low, high = (middle, high) if fits(middle) else (low, middle)
        grid = 4 if low < 1024 else 32 if low < 8192 else 256
        yield from {max(4, low // 4 * 4), max(4, low // grid * grid), max(4, low // 64 * 64)}

    # -- costs --------------------------------------------------------------------------------

    def training_work(self, model: Part, dims: Mapping[str, Any]) -> Work:
        """Every environment step is learned from several times."""
        once = self.work(model, dims)
        times = self.settings["epochs"].default
        return Work(once.flops * times, 1, f"{times} passes over one {self.unit}")

    def too_slow(self, pace: Pace, latency: str) -> bool:
        return pace.rate < DECISIONS[latency]

    def latency_asked(self, latency: str) -> str:
        limit = DECISIONS[latency]
        return f"at least {fmt.rate(limit, self.rate_unit)}" if limit else "no bound"

    def latency_achieved(self, pace: Pace) -> str:
        return fmt.rate(pace.rate, self.rate_unit) if pace.rate < inf else "at once"

    # -- code and documents -------------------------------------------------------------------

    def fields(self, dims: Mapping[str, Any]) -> dict[str, str]:
        return {name: name for name in super().fields(dims) if name in dims}

    def folders(self, switches: Mapping[str, Any]) -> tuple[str, ...]:
        if self.pixels:
            world = "rl_catch"
        else:
            world = "rl_pendulum" if switches["actions"] == "continuous" else "rl_cart_pole"
        return ("common", "rl", "rl_online", self.method, world)

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        small: dict[str, Any] = {
            "hidden_size": min(64, dims["hidden_size"]),
            "eval_samples": 20,
        }
        if self.pixels:
            size = min(24, dims["image_size"])
            kernels, strides = convolutions(size)
            same = size == dims["image_size"]
            small |= {
                "image_size": size,
                "frames": min(2, dims["frames"]),
                "conv_channels": tuple(map(min, (16, 32, 32), dims["conv_channels"])),
                "conv_kernels": dims["conv_kernels"] if same else kernels,
                "conv_strides": dims["conv_strides"] if same else strides,
            }
        else:
            least = self.state_dims[dims["actions"]]
            small |= {
                "state_dim": min(least, dims["state_dim"]),
                "n_layers": min(2, dims["n_layers"]),
            }
        if dims["actions"] == "continuous":
            small["action_dim"] = 1
        else:
            small["num_actions"] = min(2 + self.pixels, dims["num_actions"])
        return small

    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        shapes = {node.id: ["batch", dims["hidden_size"]] for node in self.nodes}
        seen = ["batch", dims.get("state_dim")]
        if self.pixels:
            side = dims["image_size"]
            seen = ["batch", dims["frames"] * dims["channels"], side, side]
        return shapes | {
            "observation": seen,
            "policy": ["batch", action_width(dims)],
            "values": ["batch", action_width(dims)],
            "value": ["batch", 1],
            "loss": [],
        }

    def alternatives(self, dims: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        if dims.get("n_layers", 1) > 1:
            yield from super().alternatives(dims)
        half = max(1, dims["hidden_size"] // 2)
        yield "Width", f"half of the width: {half} remain", {"hidden_size": half}
        if self.pixels and dims["frames"] > 1:
            yield "Memory", "all frames but the newest", {"frames": 1}


def convolutions(image_size: int) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Kernels and strides for frames of a size: those of Mnih et al. (2015) for 84 pixels.

    On larger frames the first convolution looks at larger squares, on smaller ones all do at less.
    """
    if image_size >= 36:
        stride = max(4, round(image_size / 21))
        return (2 * stride, 4, 3), (stride, 2, 1)
    if image_size >= 16:
        return (4, 3, 2), (2, 2, 1)
    return (3, 2, 1), (1, 1, 1)
