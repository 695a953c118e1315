"""The neural audio codec, and the dimensions that whatever speaks in its codes shares with it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from math import inf, log2, prod
from typing import Any

from ...specs.errors import Problem
from ..devices import Device
from ..dims import Dim, choice, flag, number, real, text
from ..parts.base import Part
from ..parts.codec import Codec
from ..serving import Timed
from ..solver import Frame, Shape, best_shapes, parabola
from .base import Node, Pace, Topology, Work, short_run

#: Seconds of sound that are coded at once; of longer ones a part.
MOST_SECONDS = 30
#: Shares of real time that the classes of latency ask for (SPEC: media at its rate, or a quarter).
PACE = {"real-time": 1.0, "near-real-time": 0.25, "offline": 0.0}

#: Of a codec, by itself or as a part of something larger; `None` is for the solver or the owner.
CODEC: Mapping[str, Dim] = {
    "sample_rate": number(24_000, "samples of sound in a second", low=100, high=10**6),
    "audio_channels": number(1, "channels of sound", high=1024),
    "num_filters": number(None, "channels of the first convolution; they double at every ratio",
                          high=2**18),
    "ratios": Dim((8, 5, 4, 2), "positions that the decoder makes of each, stage by stage",
                  high=4096, kind="list"),
    "kernel": number(7, "positions that the first convolutions see", high=1023),
    "last_kernel": number(7, "positions that the last convolutions see", high=1023),
    "residual_kernel": number(3, "positions that a residual block sees", high=1023),
    "dilation_growth": number(2, "dilation of a residual block over that of the one before",
                              high=64),
    "compress": number(2, "channels of a residual block over those of its middle", high=1024),
    "n_residual_layers": number(None, "residual blocks at every resolution", high=64),
    "n_lstm_layers": number(None, "recurrent layers of the encoder, and of the decoder", high=64),
    "codebook_dim": number(None, "features of a frame", high=2**18),
    "codebook_size": number(1024, "codes of a codebook", low=2, high=2**20),
    "n_codebooks": number(8, "codebooks, each for what those before it left over", high=1024),
    "codebook_decay": real(0.99, "share of a code's average that a batch leaves", 0.0, 1.0),
    "codec_norm": choice("weight_norm", "normalisation of the convolutions", "weight_norm",
                         "time_group_norm"),
    "causal_conv": flag(True, "a frame hears nothing that comes after it"),
    "pad_mode": choice("reflect", "what convolutions see beyond the ends", "reflect", "constant"),
    "conv_shortcut": flag(True, "a convolution on the shortcuts of residual blocks"),
}  # fmt: skip

#: Their names in published configurations.
CODEC_ALIASES = {
    "sampling_rate": "sample_rate",
    "upsampling_ratios": "ratios",
    "hidden_size": "codebook_dim",
    "kernel_size": "kernel",
    "last_kernel_size": "last_kernel",
    "residual_kernel_size": "residual_kernel",
    "dilation_growth_rate": "dilation_growth",
    "num_residual_layers": "n_residual_layers",
    "num_lstm_layers": "n_lstm_layers",
    "num_quantizers": "n_codebooks",
    "norm_type": "codec_norm",
    "use_causal_conv": "causal_conv",
    "use_conv_shortcut": "conv_shortcut",
}

#: Depths that are tried, from the customary one on.
BLOCKS, RECURRENT = (1, 2, 3, 4), (2, 1, 3, 4)
_SEARCHED = ("num_filters", "n_residual_layers", "n_lstm_layers", "codebook_dim")


def sound_dims(spec: Any) -> dict[str, Any]:
    """Rate and channels of sound where the task states them."""
    asked = {"sample_rate": spec.task.sample_rate, "audio_channels": spec.task.channels}
    return {name: value for name, value in asked.items() if value}


def codec_problems(dims: Mapping[str, Any]) -> list[Problem]:
    """Dimensions that no codec can have at once."""
    width, compress = dims.get("num_filters"), dims.get("compress", 2)
    if width and width < compress:
        message = f"{width} channels cannot be compressed {compress} times"
        return [Problem("architecture.dims.num_filters", message)]
    return []


def bits_per_second(dims: Mapping[str, Any]) -> float:
    """What the codes of a second of sound amount to."""
    frames = dims["sample_rate"] / prod(dims["ratios"])
    return frames * dims["n_codebooks"] * log2(dims["codebook_size"])


def tiny_codec(dims: Mapping[str, Any]) -> dict[str, Any]:
    """The codec of a tiny preset: as many stages, narrow ones, and short strides."""
    ratios = [min(ratio, 4 if i < 2 else 2) for i, ratio in enumerate(dims["ratios"])]
    return {
        "sample_rate": min(8000, dims["sample_rate"]),
        "num_filters": min(8, dims["num_filters"]),
        "ratios": tuple(ratios),
        "n_residual_layers": min(1, dims["n_residual_layers"]),
        "n_lstm_layers": min(1, dims["n_lstm_layers"]),
        "codebook_size": min(64, dims["codebook_size"]),
        "codebook_dim": min(32, dims["codebook_dim"]),
        "n_codebooks": min(4, dims["n_codebooks"]),
        "codebook_decay": min(0.9, dims["codebook_decay"]),
    }


@dataclass(frozen=True)
class SoundPace(Pace):
    """The speed of something that makes `sound` seconds of sound in each unit."""

    sound: float = 1.0

    @property
    def speed(self) -> float:
        """Seconds of sound in a second."""
        return self.sound / self.first


class CodecTopology(Topology):
    """Convolutions down to frames, a recurrent network, codebooks, and all of it backwards."""

    id = "audio_codec"
    phrase = "neural audio codec"
    objective = "reconstruction through discrete codes"
    covers = {
        "inputs": frozenset({"audio"}),
        "outputs": frozenset({"audio"}),
        "objective": frozenset({"reconstruction"}),
        "task": frozenset({"generation", "anomaly_detection"}),
        "family": frozenset({"cnn", "hybrid", "other"}),
    }
    served_as = "reconstruction: sounds come back from their codes"
    unit = "clip"
    rate_unit = "samples/s"
    table = CODEC | {"clip_samples": number(24_000, "samples of a clip", low=32, high=10**8)}
    aliases = CODEC_ALIASES
    floor = {"num_filters": 2, "n_residual_layers": 1, "n_lstm_layers": 1, "codebook_dim": 4}
    top = "audio_codec"
    exports = ("AudioCodec", "build_model", "reconstruction_loss")
    programs = ("common", "reading", "sound", "codec")
    settings = {
        "data": text("WAV file, folder of them, or Hugging Face dataset; empty: built in"),
    }
    shown = {
        "num_filters": "Filters of the first convolution",
        "n_residual_layers": "Residual blocks of a stage",
        "n_lstm_layers": "Recurrent layers",
        "codebook_dim": "Features of a frame",
        "codebook_size": "Codes of a codebook",
        "n_codebooks": "Codebooks",
        "sample_rate": "Sampling rate (Hz)",
    }
    nodes = (
        Node("waveform", "input"),
        Node("encoder", "convolutional encoder", ("encoder",)),
        Node("quantizer", "residual vector quantiser"),
        Node("decoder", "convolutional decoder", ("decoder",)),
        Node("loss", "distances of waveforms and of mel spectra"),
    )
    batch = 64
    learning_rate = 3e-4
    learning_rate_source = "Défossez et al., 2023, section 4.2"
    recipe = {"weight_decay": 0.0}
    most_units_per_param = 2.5

    # -- dimensions ---------------------------------------------------------------------------

    def given(self, spec: Any) -> dict[str, Any]:
        dims = sound_dims(spec)
        rate = (spec.architecture.dims or {}).get("sample_rate") or dims.get("sample_rate")
        rate = rate or self.table["sample_rate"].default
        return dims | {"clip_samples": rate * min(spec.task.seconds or 1, MOST_SECONDS)}

    def contradictions(self, pins: Mapping[str, Any]) -> list[Problem]:
        return codec_problems(pins)

    def build(self, dims: Mapping[str, Any]) -> Codec:
        return Codec(dims)

    def shapes(self, budget: float, frame: Frame) -> list[Shape]:
        """Candidates, best first, over filters, depths and features of a frame."""
        pinned = not frame.pins.keys().isdisjoint(_SEARCHED)
        return best_shapes(lambda cap: self._search(cap, frame), budget, pinned)

    def _search(self, budget: float, frame: Frame) -> Iterator[Shape]:
        base, pins = self.base(budget, frame), frame.pins
        for blocks in _choices(pins.get("n_residual_layers"), BLOCKS):
            for recurrent in _choices(pins.get("n_lstm_layers"), RECURRENT):
                dims = base | {"n_residual_layers": blocks, "n_lstm_layers": recurrent}
                for width in self._filters(budget, dims, frame):
                    top = width * 2 ** len(dims["ratios"])
                    fixed, each = self._affine(dims | {"num_filters": width}, frame)
                    for features in _features((budget - fixed) / each, top, pins):
                        found = {
                            "num_filters": width,
                            "n_residual_layers": blocks,
                            "n_lstm_layers": recurrent,
                            "codebook_dim": features,
                        }
                        params = fixed + each * features
                        score = _distance(found, top, params / budget if budget else 1.0)
                        yield Shape(base, tuple(found.items()), params, score)

    def _filters(self, budget: float, dims: Mapping[str, Any], frame: Frame) -> Iterable[int]:
        """Filters of the first convolution around those that the budget pays for."""
        if "num_filters" in frame.pins:
            return (frame.pins["num_filters"],)
        fixed, each = self._affine({**dims, "num_filters": 64}, frame)
        ideal = 64 * (budget / (fixed + 128 * each)) ** 0.5
        grid = 2 ** max(0, int(log2(max(ideal, 1) / 16)))
        low = max(grid, int(0.65 * ideal) // grid * grid, dims["compress"])
        return range(low, max(low, int(1.25 * ideal)) + 1, grid)

    def _affine(self, dims: Mapping[str, Any], frame: Frame) -> tuple[int, int]:
        """Parameters as `fixed + each · codebook_dim`; depths add to them evenly, too."""
        width, step = dims["num_filters"], dims["compress"]
        if width % step:
            counts = self._counted(dims, frame)
        else:  # quadratic in the filters, as long as they can be divided
            found = {n: self._counted(dims | {"num_filters": n}, frame)
                     for n in (step, 2 * step, 3 * step)}  # fmt: skip
            counts = tuple(parabola({n: found[n][i] for n in found}, width) for i in range(4))
        fixed, each, block, recurrent = counts
        depth = dims["n_residual_layers"] * block + dims["n_lstm_layers"] * recurrent
        return fixed + depth, each

    def _counted(self, dims: Mapping[str, Any], frame: Frame) -> tuple[int, ...]:
        """The constant of the count, and what a feature, a block and a recurrent layer add to it.

        Each is read off models that are built.
        """
        key = ("codec", dims["num_filters"])
        if (*key, 0) not in frame.counts:
            shapes = ((1, 1, 1), (2, 1, 1), (1, 2, 1), (1, 1, 2))
            least, *more = (
                self.build(dims | dict(zip(_SEARCHED[1:], shape, strict=True))).count()
                for shape in shapes
            )
            block, recurrent, each = (count - least for count in more)
            frame.counts[*key, 0] = least - block - recurrent - each, each
            frame.counts[*key, 1] = block, recurrent
        return *frame.counts[*key, 0], *frame.counts[*key, 1]

    # -- costs --------------------------------------------------------------------------------

    def length(self, dims: Mapping[str, Any]) -> int:
        return dims["clip_samples"]

    def work(self, model: Part, dims: Mapping[str, Any]) -> Work:
        seconds = dims["clip_samples"] / dims["sample_rate"]
        at = f"one clip of {seconds:g} s, to codes and back"
        return Work(model.flops(1, self.length(dims)), 1, at)

    def pace(
        self, phases: Mapping[str, Timed], dims: Mapping[str, Any], batch: int, device: Device
    ) -> SoundPace:
        """Seconds of sound beside the seconds that it takes."""
        plain = super().pace(phases, dims, batch, device)
        return SoundPace(
            plain.rate, plain.first, plain.method, dims["clip_samples"] / dims["sample_rate"]
        )

    def too_slow(self, pace: Pace, latency: str) -> bool:
        return sound_speed(pace) < PACE[latency]

    def latency_asked(self, latency: str) -> str:
        wanted = PACE[latency]
        return f"{wanted:g} s of sound in a second" if wanted else "no bound"

    def latency_achieved(self, pace: Pace) -> str:
        return f"{sound_speed(pace):.3g} s of sound in a second"

    # -- code and documents -------------------------------------------------------------------

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        return tiny_codec(dims) | {
            "clip_samples": min(2048, dims["clip_samples"]),
            **short_run(steps=360, batch=16, learning_rate=0.003, warmup=20),
            "eval_samples": 64,
        }

    def idle_programs(self, switches: Mapping[str, Any]) -> tuple[str, ...]:
        return ("accumulation",)  # codebooks follow every micro-batch

    def words(self, spec: Any, dims: Mapping[str, Any]) -> dict[str, str]:
        return {"infer_args": "--input sound.wav", "purpose": "audio coding"}

    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        frames = -(-dims["clip_samples"] // prod(dims["ratios"]))
        wave = ["batch", dims["audio_channels"], dims["clip_samples"]]
        return {
            "waveform": wave,
            "encoder": ["batch", dims["codebook_dim"], frames],
            "quantizer": ["batch", dims["n_codebooks"], frames],
            "decoder": wave,
            "loss": [],
        }

    def alternatives(self, dims: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        books, layers = dims["n_codebooks"], dims["n_lstm_layers"]
        if books > 1:
            half = books // 2
            yield "Codebooks", f"half of the codebooks: {half} remain", {"n_codebooks": half}
        if layers > 1:
            yield "Recurrence", "all recurrent layers but one", {"n_lstm_layers": 1}
        if dims["n_residual_layers"] > 1:
            yield "Residual blocks", "all but one of a stage", {"n_residual_layers": 1}
        if dims["conv_shortcut"]:
            yield "Shortcuts", "the convolutions on the shortcuts", {"conv_shortcut": False}


def sound_speed(pace: Pace) -> float:
    """Seconds of sound in a second; without bound where a pace does not say."""
    return pace.speed if isinstance(pace, SoundPace) else inf


def _choices(pinned: int | None, tried: tuple[int, ...]) -> tuple[int, ...]:
    return (pinned,) if pinned else tried


def _features(room: float, top: int, pins: Mapping[str, Any]) -> set[int]:
    """Features of a frame: those that fill the room, near the customary number."""
    if "codebook_dim" in pins:
        return {pins["codebook_dim"]}
    wanted = _customary(top)
    grid = 1 if wanted < 32 else 8 if wanted < 256 else 32
    low, high = max(4, int(wanted / 2)), max(4, int(wanted * 2))
    full = int(min(max(room, low), high)) // grid * grid or low
    return {max(low, full), max(low, min(full, int(wanted) // grid * grid))}


def _customary(top: int) -> float:
    """A quarter of the widest layer, 128 from 512 on, and its square root's growth beyond 1024."""
    return top / 4 if top < 512 else 128 * max(1.0, top / 1024) ** 0.5


def _distance(found: Mapping[str, int], top: int, fill: float) -> float:
    """How far a shape is from practice, in squared octaves and costs of odd numbers."""
    width, features = found["num_filters"], found["codebook_dim"]
    score = log2(features / _customary(top)) ** 2 + 4 * max(0.0, 1 - fill)
    score += 0.3 * (found["n_residual_layers"] - 1) + 0.3 * abs(found["n_lstm_layers"] - 2)
    score += 0.1 * (width % 8 != 0 and width > 16) + 0.1 * (width % 32 != 0 and width > 64)
    return score + 0.1 * (features % 16 != 0 and features > 32)
