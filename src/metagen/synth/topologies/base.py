"""What a topology is: a model built of parts, with shapes, costs, and the code it is made of.

A new architecture is a subclass: its table of dimensions, its twin, the shapes that the solver
should find customary, and the names of its parts and programs. What is abstract here is what every
architecture has to say; the rest has a default. `stack.py` has what suits a stack of equal blocks.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from math import fsum, inf
from typing import Any

from ...specs.errors import Problem
from ...utils import formatting as fmt
from .. import estimates
from ..devices import Device
from ..dims import Dim
from ..parts.base import Flops, Part
from ..serving import Timed
from ..solver import Frame, Shape
from ..trace import Trace


@dataclass(frozen=True)
class Node:
    """One node of the graph.

    `modules` are the prefixes of the modules whose parameters count here; `repeated` nodes stand
    in every block; `into` are the nodes that take its output, where that is not the next one.
    """

    id: str
    kind: str
    modules: tuple[str, ...] = ()
    repeated: bool = False
    into: tuple[str, ...] = ()


@dataclass(frozen=True)
class Phase:
    """One kind of pass that inference takes.

    Attributes:
        name: what reports call it.
        run: traces the pass for a batch.
        times: how many such passes one answer takes; 0 where only its memory counts.
    """

    name: str
    run: Callable[[Trace, int], None]
    times: float = 1


@dataclass(frozen=True)
class Pace:
    """How fast inference is: units per second, and seconds to the first result."""

    rate: float
    first: float
    method: str


@dataclass(frozen=True)
class Work:
    """FLOPs of one forward pass in evaluation mode over `units` units (tokens, images, clips)."""

    flops: Flops
    units: int
    at: str


#: Switches of the common programs, off unless a topology says otherwise: experts, scans, two kinds
#: of layers, and networks that stop learning before the others.
_UNUSUAL = {"moe": False, "scans": False, "hybrid": False, "staged": False}

#: The phase that decodes the last token that a context has room for.
FULL_CONTEXT = "decode, context full"

#: Seconds that one sample may take where nothing is generated piece by piece.
SAMPLE_SECONDS = {"real-time": 0.033, "near-real-time": 0.5, "offline": inf}


class Topology(ABC):
    """A kind of model: what a spec may ask of it, what it costs, and what its code is made of.

    Attributes:
        id: the word in `blueprint/architecture.yaml`.
        phrase: what prose calls it.
        objective: what prose says is optimised.
        covers: the `inputs`, `outputs`, `objective`, `task` and `family` words that it honours.
        served_as: how a task that it does not cover is served.
        unit: what it reads or produces one by one; FLOPs and training are counted in it.
        rate_unit: the unit of `constraints.throughput` that applies.
        table, aliases: its dimensions and other names that are understood.
        floor: the searched dimensions of the smallest model worth generating.
        top, exports: the part at the top of `model.py` and what that module offers.
        networks: parts that begin a file of their own beside `model.py`: the file, by part.
        denoises: whether a sample takes several passes, each of which is a denoising step.
        children: attributes of the model that hold networks of a release of several.
        programs: folders below `template/_programs`, later ones overriding earlier.
        settings: the fields of `Config` that the data of this kind need, `data` first.
        shown: the dimensions that documents list, with their labels.
        nodes: its graph, in order.
        levers: what the solver may give up besides precision and size.
        batch: samples of a training step; None where a power law in compute decides.
        compute_optimal_ratio: compute-optimal units per parameter, where there is such a law.
        most_units_per_param: where a training plan stops spending.
        learning_rate, learning_rate_source: the peak, where custom decides and no power law.
        recipe: other fields of `Config` whose defaults this kind of training changes.
    """

    id = ""
    phrase = ""
    objective = ""
    covers: Mapping[str, frozenset[str]] = {}
    served_as = ""
    unit = "sample"
    rate_unit = "samples/s"
    table: Mapping[str, Dim] = {}
    aliases: Mapping[str, str] = {}
    floor: Mapping[str, int] = {}
    top = ""
    exports: tuple[str, ...] = ()
    networks: Mapping[str, str] = {}
    denoises: bool = False
    children: tuple[str, ...] = ()
    programs: tuple[str, ...] = ("common",)
    settings: Mapping[str, Dim] = {}
    shown: Mapping[str, str] = {}
    nodes: tuple[Node, ...] = ()
    levers: frozenset[str] = frozenset()
    batch: int | None = 1024
    compute_optimal_ratio: float | None = None
    most_units_per_param: float = 20.0
    learning_rate: float | None = None
    learning_rate_source: str = ""
    recipe: Mapping[str, Any] = {}

    # -- dimensions ---------------------------------------------------------------------------

    def given(self, spec: Any) -> dict[str, Any]:
        """Dimensions that the spec decides without pinning them: classes, sizes, context."""
        return {}

    def trained(self, spec: Any) -> frozenset[str]:
        """The objectives that a spec's model is trained by, where its outputs decide."""
        return self.covers["objective"]

    def contradictions(self, pins: Mapping[str, Any]) -> list[Problem]:
        """Pairs of pinned dimensions that no model can have at once."""
        return []

    def base(self, budget: float, frame: Frame) -> dict[str, Any]:
        """Every dimension but the searched ones: defaults, then what is given, then pins."""
        dims = {name: dim.default for name, dim in self.table.items()}
        return dims | dict(frame.given) | dict(frame.pins)

    @abstractmethod
    def build(self, dims: Mapping[str, Any]) -> Part:
        """The model as a tree of parts."""

    def minimum(self) -> int:
        """Parameters of the smallest model worth generating."""
        return self.least({})

    def least(self, given: Mapping[str, Any]) -> int:
        """Parameters of the smallest model that serves what is given: classes, sizes, context."""
        return self.build({**self.base(0, Frame(given)), **self.floor}).count()

    @abstractmethod
    def shapes(self, budget: float, frame: Frame) -> list[Shape]:
        """Candidates for a budget, best first."""

    @property
    def counted(self) -> str:
        """`token` or `sample`: what figures of compute and training are per."""
        return "token" if self.unit == "token" else "sample"

    @property
    def passes(self) -> str:
        """What one forward pass makes: a `token`, a `sample`, or a `step` towards one."""
        return "step" if self.denoises else self.counted

    def active_params(self, model: Part, dims: Mapping[str, Any]) -> int:
        """Parameters that one unit passes through, embeddings included."""
        return model.count() - model.idle()

    # -- costs --------------------------------------------------------------------------------

    def length(self, dims: Mapping[str, Any]) -> int:
        """Positions of the sequence that FLOPs are stated for; 1 where there is no sequence."""
        return 1

    def work(self, model: Part, dims: Mapping[str, Any]) -> Work:
        """FLOPs of one sample."""
        return Work(model.flops(1, self.length(dims)), 1, f"one {self.unit}")

    def training_work(self, model: Part, dims: Mapping[str, Any]) -> Work:
        """FLOPs of the forward pass of one training sample."""
        return self.work(model, dims)

    def finished(self, model: Part, dims: Mapping[str, Any]) -> Work | None:
        """FLOPs of one finished sample, where that takes several passes."""
        return None

    def phases(self, model: Any, dims: Mapping[str, Any], context: int) -> tuple[Phase, ...]:
        """The passes of one answer, at a context in tokens where there is one."""
        length = self.length(dims)
        return (Phase(f"one {self.unit}", lambda trace, batch: model.answer(trace, batch, length)),)

    def state_bytes(self, model: Part, dims: Mapping[str, Any], context: int) -> float:
        """Bytes of what a sequence leaves behind for its next positions, in bf16."""
        return estimates.state_bytes(model, context)

    def pace(
        self, phases: Mapping[str, Timed], dims: Mapping[str, Any], batch: int, device: Device
    ) -> Pace:
        """Speed of inference: the phases of an answer one after the other."""
        seconds = fsum(phase.times * phase.seconds for phase in phases.values())
        return Pace(batch / seconds, seconds, f"roofline on {device.name}, {self.answered(dims)}")

    def answered(self, dims: Mapping[str, Any]) -> str:
        """What an answer is, for the method of a pace."""
        return f"one {self.unit}"

    def context_served(self, dims: Mapping[str, Any]) -> tuple[str, str]:
        """How the context is served, and what of it was given up for that, as phrases."""
        window = dims.get("sliding_window")
        if window:
            return f"a window of {fmt.tokens(window)} tokens slides over the context", ""
        return "full attention over the context", ""

    def too_slow(self, pace: Pace, latency: str) -> bool:
        """Whether a pace misses a latency class."""
        return pace.first > SAMPLE_SECONDS[latency]

    def latency_asked(self, latency: str) -> str:
        """What a latency class demands, in words."""
        limit = SAMPLE_SECONDS[latency]
        return "no bound" if limit == inf else f"{fmt.seconds(limit)} for one {self.unit}"

    def latency_achieved(self, pace: Pace) -> str:
        """A pace in the words of the latency row."""
        return f"{fmt.seconds(pace.first)} for one {self.unit}"

    # -- code and documents -------------------------------------------------------------------

    def switches(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        """The structural switches that source is specialised on."""
        own = {name: dims[name] for name, dim in self.table.items() if dim.switch}
        return own | {"counted": self.counted, **_UNUSUAL}

    def fields(self, dims: Mapping[str, Any]) -> dict[str, str]:
        """The dimensions that are fields of `Config`: their names there, by dimension."""
        return {name: name for name, dim in self.table.items() if not dim.switch}

    @abstractmethod
    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        """The tiny preset: dimensions, never above the full ones, and settings that differ."""

    def network_files(self, switches: Mapping[str, Any]) -> Mapping[str, str]:
        """The files of `networks`, where switches decide them."""
        return self.networks

    def folders(self, switches: Mapping[str, Any]) -> tuple[str, ...]:
        """The folders of `programs`, where switches decide them."""
        return self.programs

    def idle_programs(self, switches: Mapping[str, Any]) -> tuple[str, ...]:
        """Programs that this model does not need."""
        return ()

    def words(self, spec: Any, dims: Mapping[str, Any]) -> dict[str, str]:
        """Words of its own for prose and cards."""
        return {}

    def kind_of(self, node: Node, dims: Mapping[str, Any]) -> str:
        """What a node of the graph is, where dimensions decide it."""
        return node.kind

    def copies_of(self, node: Node, dims: Mapping[str, Any]) -> int:
        """How many blocks a node stands in."""
        return dims.get("n_layers", 1) if node.repeated else 1

    @abstractmethod
    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        """What flows out of each node, by node id; batch first.

        Where nodes take different things from one, `"a to b"` is what flows from a to b.
        """

    def alternatives(self, dims: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        """Structural changes to ablate: component, what is removed, changed dimensions."""
        if dims.get("n_layers", 1) > 1:
            half = dims["n_layers"] // 2
            lost = dims["n_layers"] - half
            yield "Depth", f"{lost} of {dims['n_layers']} layers", {"n_layers": half}


def short_run(steps: int, batch: int, learning_rate: float, warmup: int) -> dict[str, Any]:
    """The recipe of a tiny preset: a run that a laptop finishes in minutes."""
    return {
        "steps": steps,
        "global_batch": batch,
        "micro_batch": batch,
        "learning_rate": learning_rate,
        "warmup_steps": warmup,
    }
