"""The canonical document: every field of MSL with its type, its default and its description.

The descriptions are the documentation: the JSON Schema and the reference page are made of them.
Fields declared with `inferred` are None only between validation and `resolve`.
"""

import copy
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PrivateAttr,
    model_validator,
)

from . import vocabulary as v
from .errors import FieldError, Problem, SpecError, show
from .fields import (
    DimValue,
    Hertz,
    Name,
    Text,
    Texts,
    Version,
    quantity,
    read_list,
    whole,
    word,
    words,
)
from .quantities import Quantity
from .reader import Document

SEED = 42


def inferred(description: str, **extra: Any) -> Any:
    """Declare a field that `resolve` fills; the description says from what."""
    return Field(None, description=description, json_schema_extra={"x-inferred": True}, **extra)


def measured(default: str, description: str) -> Any:
    """Declare a quantity with a default, written as an author would."""
    return Field(default, validate_default=True, description=description)


def optional(description: str, **extra: Any) -> Any:
    """Declare a field that stays absent where it is not stated."""
    return Field(None, description=description, **extra)


def section(cls: type[BaseModel]) -> Any:
    """Declare a section whose every field has a default; its docstring describes it."""
    return Field(default_factory=cls)


def without_empty(data: Any) -> Any:
    """Drop the keys of a mapping that nothing was written after: they are not stated."""
    if isinstance(data, Mapping):
        return {key: value for key, value in data.items() if value is not None}
    return data


class Section(BaseModel):
    """A mapping of the document: strict, frozen, and blind to fields left empty."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    @model_validator(mode="before")
    @classmethod
    def _drop_empty(cls, data: Any) -> Any:
        return without_empty(data)


class Modality(Section):
    """What goes in and what comes out."""

    inputs: words(v.INPUT, empty=False) = Field(
        description="What the model reads.", examples=[["text"], ["text", "image"]]
    )
    outputs: words(v.OUTPUT, empty=False) = Field(
        description="What the model produces, the main output first.",
        examples=[["text"], ["video", "audio"]],
    )


class Task(Section):
    """What the model is for, and the sizes that its family needs to know."""

    type: word(v.TASK) = inferred(
        "The kind of task; inferred from the objective and the modalities."
    )
    domain: Text = inferred(
        "What the task is about, in free text; inferred: the main output, or the main input of a "
        "task that judges it.",
        examples=["video", "customer support"],
    )
    num_classes: whole(2, 10_000_000) = optional("Labels to choose from.", examples=[1000])
    horizon: whole(1, 100_000) = optional("Steps to forecast.", examples=[96])
    lookback: whole(1, 1_000_000) = optional("Steps of the past to read.", examples=[512])
    num_variables: whole(1, 1_000_000) = optional("Variables of a time series.", examples=[7])
    num_features: whole(1, 1_000_000) = optional("Columns of a table.", examples=[32])
    num_targets: whole(1, 1_000_000) = optional("Numbers to predict.", examples=[1])
    num_items: whole(2, 10_000_000_000) = optional("Items to recommend or rank.", examples=[50000])
    num_actions: whole(2, 1_000_000) = optional("Discrete actions of an agent.", examples=[18])
    action_dim: whole(1, 100_000) = optional("Dimensions of a continuous action.", examples=[6])
    state_dim: whole(1, 1_000_000) = optional("Dimensions of an observation.", examples=[17])
    node_features: whole(1, 1_000_000) = optional("Features of a node.", examples=[1433])
    edge_features: whole(1, 1_000_000) = optional("Features of an edge.", examples=[4])
    num_nodes: whole(1, 1_000_000_000) = optional("Nodes of a typical graph.", examples=[32])
    image_size: whole(8, 16_384) = optional("Side of an image or a frame, pixels.", examples=[512])
    channels: whole(1, 1024) = optional("Channels of an image or of sound.", examples=[3])
    frames: whole(1, 1_000_000) = optional("Frames of a clip.", examples=[49])
    sample_rate: Hertz = optional("Sampling rate of sound.", examples=["16kHz", 24000])
    seconds: whole(1, 86_400) = optional("Length of a clip, seconds.", examples=[10])
    num_points: whole(1, 10_000_000) = optional("Points of a cloud, or vertices.", examples=[2048])
    embedding_dim: whole(1, 65_536) = optional("Dimensions of an embedding.", examples=[512])
    max_objects: whole(1, 100_000) = optional("Objects that can be found at once.", examples=[100])


class ParameterBudget(Section):
    """How many parameters the model may have."""

    max: quantity("parameters") = measured(
        "20B",
        "The largest number of parameters; the solver fills it. `∞` is bounded by the other "
        "constraints, and by 1T.",
    )

    @model_validator(mode="before")
    @classmethod
    def _bare(cls, data: Any) -> Any:
        return {"max": data} if isinstance(data, str | int | float) else data


class Constraints(Section):
    """What the model has to live with."""

    latency: word(v.LATENCY) = Field("near-real-time", description="How soon an answer is due.")
    device: word(v.DEVICE) = Field("consumer_gpu", description="Where inference runs.")
    parameter_budget: ParameterBudget = section(ParameterBudget)
    memory_budget: quantity("bytes") = measured(
        "12GB",
        "Peak memory of inference on the device, at batch 1 and full context.",
    )
    context_window: quantity("tokens") = inferred(
        "The longest context, in tokens; `∞` is approximated by 1M. Inferred: 128k for text, "
        "otherwise none, which is the native size of the modality.",
    )
    throughput: quantity("rate") = optional(
        "How much has to come out per second; a bare number is in the unit of the main output."
    )


class Governance(Section):
    """What is said about the data when someone asks; free text."""

    pii: Text = Field("we tried", description="What the data card answers about personal data.")
    copyright: Text = Field("mostly", description="What it answers about copyright.")


class Data(Section):
    """Where the training data comes from; nothing here changes the model."""

    sources: Texts = Field(
        ("synthetic", "scraped", "licensed"),
        description="Kinds of sources, in free text.",
        examples=[["synthetic", "licensed"]],
    )
    size: Text = Field("unknown but large", description="How much of it there is, in free text.")
    governance: Governance = section(Governance)


class Compute(Section):
    """What training may use."""

    hardware: quantity("hardware") = measured("8xH100", "How many accelerators, and which.")
    duration: quantity("duration") = measured("3 days", "How long they are at hand.")


class Alignment(Section):
    """How the model is to be aligned; free text."""

    method: Texts = Field(
        ("rlhf", "rlaif", "constitutional"),
        description="By what methods, in free text.",
        examples=[["dpo"]],
    )
    policy: Text = Field("helpful-harmless-ish", description="Towards what, in free text.")


class Training(Section):
    """What is optimised, on what data, with what compute."""

    objective: words(v.OBJECTIVE, empty=False) = inferred(
        "What is optimised; the first objective decides what the model does. Inferred from the "
        "task and the outputs.",
        examples=[["autoregressive"], ["diffusion", "autoregressive"]],
    )
    data: Data = section(Data)
    compute: Compute = section(Compute)
    alignment: Alignment = section(Alignment)


class Component(Section):
    """A named part: a `type` that names one of MetaGen's parts selects it, any other labels it."""

    name: Name = Field(description="The name it goes by in the graph.", examples=["SpecEncoder"])
    type: Name = Field(description="What it is, in free text.", examples=["transformer_encoder"])


def _named_once(components: tuple[Component, ...]) -> tuple[Component, ...]:
    names = [component.name for component in components]
    twice = [name for name in names if names.count(name) > 1]
    if twice:
        raise FieldError(f"{show(twice[0])} names two components", "one name for each")
    return components


Components = Annotated[
    tuple[Component, ...], BeforeValidator(read_list), AfterValidator(_named_once)
]


class Architecture(Section):
    """The backbone, for those who want a say in it."""

    family: word(v.FAMILY) = inferred(
        "The kind of backbone; inferred from the objective and the modalities."
    )
    precision: word(v.PRECISION) = optional(
        "How weights are held at inference; chosen by the solver where it is not stated."
    )
    components: Components = Field(
        (
            Component(name="SpecEncoder", type="transformer_encoder"),
            Component(name="ModelLatent", type="hypernetwork_latent"),
            Component(name="ArchitectureSynth", type="graph_generator"),
            Component(name="LossComposer", type="objective_mixer"),
            Component(name="PaperHead", type="latex_decoder"),
        ),
        description="The components of the graph, in order.",
    )
    dims: Annotated[dict[Name, DimValue], BeforeValidator(without_empty)] = Field(
        default_factory=dict,
        description="Dimensions to pin, by the names that `blueprint/architecture.yaml` uses; "
        "they beat the parameter budget.",
        examples=[{"n_layers": 32, "d_model": 4096}],
    )


class Outputs(Section):
    """What to render."""

    artifacts: Annotated[words(v.ARTIFACT), AfterValidator(v.ARTIFACT.in_order)] = Field(
        tuple(v.ARTIFACT.words),
        description="What the repository contains, besides the blueprint and the specification, "
        "in any order.",
    )


class Evaluation(Section):
    """What the model is compared with, and how; free text."""

    benchmarks: Texts = Field(
        ("META-SOTA", "GEN-EVAL-∞", "FOUNDATION-BENCH"),
        description="Suites that the report has a column of daggers for.",
    )
    baselines: Texts = Field(
        ("GPT-4", "Gemini", "Llama", "SDXL"),
        description="Models that it is set beside.",
    )
    metrics: Texts = Field(
        ("Spec-Fidelity@1", "SOTA-Proximity", "Novelty-Per-Parameter"),
        description="Metrics, of the benchmarks page or of your own.",
    )


class Reproducibility(Section):
    """What makes the repository the same twice."""

    seed: whole(0, 2**63 - 1) = Field(SEED, description="The base seed of everything drawn.")
    determinism: Text = Field(
        "aspirational", description="How seriously that is meant, in free text."
    )


class ModelSpec(Section):
    """A model specification (MSL)."""

    metagen_version: Version = Field(description="The version of MSL.", examples=["1.0"])
    name: Name = Field(
        description="The name of the model.", examples=["text_llm_8b", "metagen_video_rt"]
    )
    description: Text = inferred(
        "One sentence about the model, in free text; inferred from the modalities and the task.",
        examples=["Real-time multimodal video generation model"],
    )
    modality: Modality = Field(description="What goes in and what comes out.")
    task: Task = section(Task)
    constraints: Constraints = section(Constraints)
    training: Training = section(Training)
    architecture: Architecture = section(Architecture)
    outputs: Outputs = section(Outputs)
    evaluation: Evaluation = section(Evaluation)
    reproducibility: Reproducibility = section(Reproducibility)

    _stated: dict[str, Any] = PrivateAttr(default_factory=dict)
    _source: str = PrivateAttr(default="spec")
    _document: Document = PrivateAttr(default_factory=Document)
    _upgrades: tuple[str, ...] = PrivateAttr(default=())

    @property
    def stated(self) -> dict[str, Any]:
        """What the author said, as plain data: no defaults, no inferences, spelled as written.

        A document of a former version of MSL is stated as the present one would have it.
        """
        return copy.deepcopy(self._stated)

    @property
    def upgrades(self) -> tuple[str, ...]:
        """What the author of a document of a former version of MSL should know."""
        return self._upgrades

    def resolved(self) -> dict[str, Any]:
        """The whole document as plain data, in canonical order, quantities in canonical text.

        Fields that are absent by nature (`throughput`, the task's sizes, `precision`) are left out.
        """
        return _plain(self)

    def with_seed(self, seed: int) -> Self:
        """Return this spec with another base seed, stated as if the author had written it."""
        changed = self.reproducibility.model_copy(update={"seed": seed})
        spec = self.model_copy(update={"reproducibility": changed})
        stated = self.stated
        stated["reproducibility"] = {**(stated.get("reproducibility") or {}), "seed": seed}
        spec._stated = stated
        return spec

    def error(self, problems: Iterable[Problem]) -> SpecError:
        """Return a `SpecError` of problems found after validation, each with its position.

        A `Problem` without a line gets that of its field in the author's file, if there is one.
        """
        return SpecError(map(self._document.place, problems), self._source)


def children(model: type[Section]) -> dict[str, type[Section] | None]:
    """Map each field of `model` to the section it holds, or None where it holds a value."""
    held = {name: field.annotation for name, field in model.model_fields.items()}
    return {
        name: kind if isinstance(kind, type) and issubclass(kind, Section) else None
        for name, kind in held.items()
    } | ({"components": Component} if "components" in held else {})


def section_at(location: Iterable[str | int]) -> type[Section] | None:
    """Return the section at a location in the document, or None where there is a value."""
    found: type[Section] | None = ModelSpec
    for step in location:
        if isinstance(step, str):
            found = children(found).get(step) if found else None
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, Section):
        fields = ((name, getattr(value, name)) for name in type(value).model_fields)
        return {name: _plain(item) for name, item in fields if item is not None}
    if isinstance(value, Quantity):
        return value.text
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return {k: _plain(v) for k, v in value.items()} if isinstance(value, dict) else value
