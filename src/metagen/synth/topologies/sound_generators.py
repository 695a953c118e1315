"""What generators of sound share: clips told in words, in the frames of a codec or autoencoder."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from math import prod
from typing import Any

from ..devices import Device
from ..dims import Dim, read_pins, text
from ..serving import Timed
from . import latents
from .audio_codec import CodecTopology, SoundPace, sound_dims, tiny_codec
from .decoder_lm import tokenizer_of
from .stack import StackTopology

#: Seconds of a clip that is drawn at once, at most.
MOST_SECONDS = 300

#: The field of `Config` that sounds with prompts need.
SOUND_DATA: Mapping[str, Dim] = {
    "data": text("folder of WAV and .txt files, CSV, JSONL, or hub dataset; empty: built in"),
}


class SoundGenerator(StackTopology):
    """Clips of music or speech.

    Attributes:
        rates, seconds: samples in a second, and seconds of a clip, where a task states none.
        told_by: the flag of `infer.py` that takes a prompt.
    """

    unit = "clip"
    rate_unit = "samples/s"
    rates: Mapping[str, int] = {}
    seconds: Mapping[str, int] = {}
    told_by = ""

    @abstractmethod
    def ratios(self, rate: int) -> tuple[int, ...]:
        """Positions that a frame is made into, stage by stage, for a sampling rate."""

    def given(self, spec: Any) -> dict[str, Any]:
        """What is heard, how long, and in frames of how many samples."""
        pins, _ = read_pins(self.table, self.aliases, spec.architecture.dims or {})
        sound = "speech" if spec.task.type == "text_to_speech" else "music"
        dims = super().given(spec) | {"sample_rate": self.rates[sound], "sound": sound}
        dims |= {k: v for k, v in sound_dims(spec).items() if k == "sample_rate"}
        rate = pins.get("sample_rate", dims["sample_rate"])
        dims["ratios"] = self.ratios(rate)
        seconds = min(spec.task.seconds or self.seconds[sound], MOST_SECONDS)
        hop = prod(pins.get("ratios", dims["ratios"]))
        return dims | {"frames": max(4, round(seconds * rate / hop))}

    def pace(
        self, phases: Mapping[str, Timed], dims: Mapping[str, Any], batch: int, device: Device
    ) -> SoundPace:
        """Seconds of sound beside the seconds that it takes."""
        plain = super().pace(phases, dims, batch, device)
        return SoundPace(plain.rate, plain.first, plain.method, seconds_of(dims))

    too_slow = CodecTopology.too_slow
    latency_asked = CodecTopology.latency_asked
    latency_achieved = CodecTopology.latency_achieved

    def tiny_networks(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        """The codec, or what codes instead, and the prompt encoder of the tiny preset."""
        ratios = (min(ratio, 4 if i < 3 else 2) for i, ratio in enumerate(dims["ratios"]))
        small = tiny_codec(dims) | {
            "sample_rate": min(4000, dims["sample_rate"]),
            "ratios": tuple(ratios),
            "num_filters": min(4, dims["num_filters"]),
        }
        return small | (latents.prompt_tiny(dims) if dims["conditioned"] else {})

    def network_files(self, switches: Mapping[str, Any]) -> Mapping[str, str]:
        told = switches["conditioned"]
        return {p: f for p, f in self.networks.items() if told or p != "prompt_encoder"}

    def words(self, spec: Any, dims: Mapping[str, Any]) -> dict[str, str]:
        if not dims["conditioned"]:
            return {"infer_args": "--opening sound.wav"}
        said = "sa mi to" if dims["sound"] == "speech" else "a low saw arpeggio, fast"
        return {
            "tokenizer": tokenizer_of(dims["vocab_size"]),
            "infer_args": f"{self.told_by} '{said}'",
        }


def samples_of(dims: Mapping[str, Any]) -> int:
    """Samples of a clip."""
    return dims["frames"] * prod(dims["ratios"])


def seconds_of(dims: Mapping[str, Any]) -> float:
    """Seconds of a clip."""
    return samples_of(dims) / dims["sample_rate"]
