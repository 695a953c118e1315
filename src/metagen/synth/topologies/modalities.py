"""What models of any inputs and outputs share: switches for both, and the sizes of a task."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from typing import Any

from ...specs.errors import Problem
from ...specs.vocabulary import stand_in
from ..dims import Dim, broken_rules, text
from ..solver import Frame, below
from .audio_classifier import FRAME_RATE, MOST_FRAMES
from .base import Topology
from .clip_classifier import ClipTopology
from .decoder_lm import VOCABULARY
from .outputs import SeveralOutputs
from .stack import STACK_SHOWN
from .vit import patch_size, picture_dims

#: Tokens of a text at most.
MOST_TEXT = 4096


class ModalitiesTopology(SeveralOutputs, ClipTopology):
    """Adapters for what is read, one backbone over all of it, heads for what is given.

    Attributes:
        reads, gives: the switches of inputs and outputs, `reads_text` and the like.
        stated: the sizes of a task that are dimensions as they stand.
        text_length: the dimension that bounds a text.
    """

    reads: tuple[str, ...] = ()
    gives: tuple[str, ...] = ()
    stated: tuple[str, ...] = ("num_classes", "sample_rate", "embedding_dim")
    text_length = ""
    unit = "sample"
    settings: Mapping[str, Dim] = {
        "data": text("CSV or JSONL with a column per input and output; empty: built in"),
    }
    shown = STACK_SHOWN
    batch = 256

    def given(self, spec: Any) -> dict[str, Any]:
        """What is read and given, and the sizes that the task states."""
        sides = ((self.reads, spec.modality.inputs), (self.gives, spec.modality.outputs))
        dims: dict[str, Any] = {}
        for names, modalities in sides:
            words = set(map(stand_in, modalities))
            dims |= {name: name.partition("_")[2] in words for name in names}
        task = spec.task
        asked = {name: getattr(task, name) for name in self.stated}
        if task.seconds:
            asked["n_frames"] = min(task.seconds * FRAME_RATE, MOST_FRAMES)
        window = spec.constraints.context_window
        if window and "context_window" in spec.stated.get("constraints", {}):
            asked[self.text_length] = int(min(max(window.value, 4), MOST_TEXT))
        stated = {name: value for name, value in asked.items() if value}
        return dims | picture_dims(spec) | stated

    def contradictions(self, pins: Mapping[str, Any]) -> list[Problem]:
        return broken_rules(self.rules(pins))

    def rules(self, pins: Mapping[str, Any]) -> Iterator[tuple[str, Any, str, None]]:
        """What pinned switches and patches must not do."""
        dims = {name: dim.default for name, dim in self.table.items()} | dict(pins)
        for names, what in ((self.reads, "input"), (self.gives, "output")):
            none = all(pins.get(name) is False for name in names)
            yield names[0], none, f"no {what} is left", None
        wide = (dims["patch_size"] or 1) > dims["image_size"]
        yield "patch_size", wide, "it is above image_size", None
        wide = "audio_patch" in pins and dims["audio_patch"] > min(dims["n_mels"], dims["n_frames"])
        yield "audio_patch", wide, "it is above n_mels or n_frames", None

    def base(self, budget: float, frame: Frame) -> dict[str, Any]:
        """As everywhere; switches that would leave nothing to read or give stay as given."""
        dims = Topology.base(self, budget, frame)
        for names in (self.reads, self.gives):
            if not any(dims[name] for name in names):
                dims |= {name: frame.given.get(name, self.table[name].default) for name in names}
        dims["vocab_size"] = dims["vocab_size"] or below(VOCABULARY, budget)
        dims["patch_size"] = dims["patch_size"] or patch_size(dims["image_size"], budget)
        dims["audio_patch"] = min(dims["audio_patch"], dims["n_mels"], dims["n_frames"])
        return dims

    @abstractmethod
    def sizes(self, dims: Mapping[str, Any]) -> dict[str, int]:
        """Numbers of each input that is read, by its switch."""

    def sample(self, dims: Mapping[str, Any]) -> list[int]:
        """Numbers that one sample consists of: tokens, pixels, points of a waveform."""
        return [sum(self.sizes(dims).values())]

    @abstractmethod
    def called(self, name: str) -> str:
        """What prose calls an input."""

    def alternatives(self, dims: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        yield from Topology.alternatives(self, dims)
        read = [name for name in self.reads if dims[name]]
        for name in read if len(read) > 1 else ():
            word = self.called(name)
            yield word[0].upper() + word[1:], f"{word}: the rest is read alone", {name: False}
