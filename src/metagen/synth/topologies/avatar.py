"""Streams of frames and sound, denoised chunk by chunk."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from math import gcd, log2, prod
from typing import Any

from ...specs.errors import Problem
from ...specs.vocabulary import stand_in
from ...utils import formatting as fmt
from ..devices import Device
from ..dims import Dim, flag, number, text
from ..parts.avatar import Avatar, SoundAutoencoder, StreamBlock, chunk_length, picture_length
from ..parts.base import Part
from ..serving import Timed
from ..solver import Frame
from .base import Node, Work, short_run
from .latents import (
    latent_size,
    prompt_alternatives,
)
from .video_diffusion import TABLE as CLIPS
from .video_diffusion import ClipPace, ClipTopology

_LEFT_OUT = {"frames", "conditioned", "given_frames", "reads_text", "clip_attention"}

TABLE: Mapping[str, Dim] = {
    "frames": number(None, "frames of a training clip", high=2**20),
    "chunks": number(8, "chunks of a training clip", high=2**16),
    "chunk_frames": number(None, "frames of a chunk", high=2**12),
    "sample_rate": number(16_000, "samples of sound in a second", high=10**6),
    "chunk_codes": number(None, "codes of a chunk's sound", high=2**20),
    "code_samples": number(None, "samples of sound that a code stands for", high=2**16),
    "max_pos": number(None, "positions of the past that can be looked back at", high=2**40),
    "sliding_window": number(0, "positions of the past that are kept; 0: all", low=0, high=2**40),
    "history_chunks": number(None, "chunks of the past that are kept", high=2**40),
    "reads_image": flag(True, "a picture of the speaker is given"),
    **{name: dim for name, dim in CLIPS.items() if name not in _LEFT_OUT},
    "sound_width": number(None, "channels of the first stage of the autoencoder of sound",
                          high=2**14),
    "sound_channels": number(None, "channels of a code of sound", low=2, high=4096),
    "sound_ratios": Dim(None, "samples that each stage of the autoencoder of sound joins",
                        high=64, kind="list"),
}  # fmt: skip

STREAM_SETTINGS: Mapping[str, Dim] = {
    "data": text("folder of clips (GIF, .npy, folders of frames), each with .wav and .txt; "
                 "empty: built in"),
}  # fmt: skip

#: Widths of the autoencoder of sound, by what a release has room for.
_SOUND_LADDER = (2, 4, 8, 16, 24, 32, 48, 64, 96, 128)

CHUNK = 6  # frames of a chunk, about
CODE = 160  # samples of a code, about


class AvatarTopology(ClipTopology):
    """Frames and sound of a chunk denoised at once, behind everything that came before."""

    id = "avatar"
    phrase = "causal audio-video diffusion transformer"
    objective = "denoising of frames and sound, each chunk at a time of its own"
    covers = {
        "inputs": frozenset({"text", "image"}),
        "outputs": frozenset({"video", "audio"}),
        "objective": frozenset({"diffusion", "flow_matching", "autoregressive"}),
        "task": frozenset({"generation"}),
        "family": frozenset({"transformer", "diffusion", "hybrid"}),
    }
    served_as = "generation: a stream of frames with its sound"
    table = TABLE
    floor = {"d_model": 32, "n_layers": 1, "n_heads": 1, "d_ff": 64}
    children = ("text_encoder", "autoencoder", "sound", "denoiser")
    top = "avatar"
    exports = ("Avatar", "build_model", "chunk_numbers")
    networks = {
        "autoencoder_kl": "autoencoder", "prompt_encoder": "text_encoder",
        "avatar_sound": "sound", "avatar_dit": "denoiser", "diffusion": "diffusion",
    }  # fmt: skip
    programs = ("text", "prompts", "sound", "video", "common", "held_out", "films", "avatars")
    settings = STREAM_SETTINGS
    levers = frozenset({"window"})
    shown = {
        "n_layers": "Layers",
        "d_model": "Width",
        "n_heads": "Attention heads",
        "d_ff": "Feed-forward width",
        "chunk_frames": "Frames of a chunk",
        "image_size": "Frame size",
        "sample_rate": "Samples of sound a second",
        "chunk_codes": "Codes of a chunk's sound",
        "sampling_steps": "Denoising steps",
    }
    nodes = (
        Node("prompt", "prompt encoder", ("text_encoder",), into=("denoiser",)),
        Node("autoencoder", "autoencoder of frames", ("autoencoder",), into=("noise",)),
        Node("sound", "autoencoder of sound", ("sound",)),
        Node("noise", "noise at a level of every chunk"),
        Node("denoiser", "causal transformer over chunks", ("denoiser",)),
        Node("loss", "squared error of the prediction"),
    )
    batch = 128
    prompt_chunk = 0

    # -- dimensions ---------------------------------------------------------------------------

    def given(self, spec: Any) -> dict[str, Any]:
        dims = super().given(spec)
        inputs = set(map(stand_in, spec.modality.inputs))
        dims["reads_image"] = "image" in inputs
        if spec.task.sample_rate:
            dims["sample_rate"] = round(
                getattr(spec.task.sample_rate, "value", spec.task.sample_rate)
            )
        window = spec.constraints.context_window
        if window and "context_window" in spec.stated.get("constraints", {}):
            dims["max_pos"] = int(min(window.value, 2**20))
        return dims

    def base(self, budget: float, frame: Frame) -> dict[str, Any]:
        dims = super().base(budget, frame)
        decided = frame.pins
        plan = sound_plan(dims["sample_rate"], dims["fps"], decided.get("chunk_frames"))
        dims |= {name: value for name, value in plan.items() if name not in decided}
        if "sound_ratios" in decided:
            dims["code_samples"] = prod(dims["sound_ratios"])
        if dims["tubelet"] is None:
            dims["tubelet"] = 2 if dims["chunk_frames"] % 2 == 0 else 1
        if dims["frames"]:
            dims["chunks"] = decided.get("chunks") or max(1, dims["frames"] // dims["chunk_frames"])
        dims["frames"] = dims["chunks"] * dims["chunk_frames"]
        if dims["sound_channels"] is None:
            dims["sound_channels"] = 8 if budget < 3e7 else 32
        if dims["sound_width"] is None:
            dims["sound_width"] = sound_width(min(0.03 * budget, 5e7), dims, frame.counts)
        length = chunk_length(dims)
        if dims["max_pos"] is None:
            dims["max_pos"] = dims["chunks"] * length
        if frame.window and frame.window < dims["max_pos"] and "sliding_window" not in decided:
            dims["sliding_window"] = frame.window
        kept = min(dims["sliding_window"] or dims["max_pos"], dims["max_pos"])
        if "history_chunks" not in decided:
            dims["history_chunks"] = max(1, kept // length)
        return dims

    def contradictions(self, pins: Mapping[str, Any]) -> list[Problem]:
        problems = super().contradictions(pins)
        width, heads = pins.get("d_model"), pins.get("n_heads")
        if width and heads and width % (2 * heads):
            message = f"{heads} heads of {width} features cannot turn in pairs"
            problems.append(Problem("architecture.dims.n_heads", message))
        return problems

    def bulk(self, dims: Mapping[str, Any]) -> float:
        return 22.0

    def build(self, dims: Mapping[str, Any]) -> Avatar:
        return Avatar(dims)

    def block(self, dims: Mapping[str, Any]) -> StreamBlock:
        return StreamBlock(dims)

    # -- costs --------------------------------------------------------------------------------

    def length(self, dims: Mapping[str, Any]) -> int:
        """Positions that a chunk looks back at once the stream is long enough."""
        return picture_length(dims) + dims["history_chunks"] * chunk_length(dims)

    def work(self, model: Part, dims: Mapping[str, Any]) -> Work:
        past = dims["history_chunks"]
        at = f"one denoising step of a chunk, of the past {past:,} × {dims['chunk_frames']} frames"
        return Work(model.flops(1, self.length(dims)), 1, at)

    def training_work(self, model: Avatar, dims: Mapping[str, Any]) -> Work:
        """All chunks of a clip, each behind those before it, and the autoencoders."""
        length, chunks = chunk_length(dims), dims["chunks"]
        behind = picture_length(dims) + length * min((chunks - 1) // 2, dims["history_chunks"])
        taught = min(dims["autoencoder_frames"], dims["frames"])
        samples = chunks * dims["chunk_codes"] * dims["code_samples"]
        flops = model.flops(1, behind) * chunks + model.text_encoder.flops(1, 1)
        flops += model.autoencoder.encode_flops(dims["frames"] + 1)
        flops += model.autoencoder.encode_flops(taught) + model.autoencoder.decode_flops(taught)
        flops += model.sound.encoder.flops(1, 2 * samples) + model.sound.decoder.flops(1, samples)
        return Work(flops, 1, "one training clip")

    def chunk_work(self, model: Avatar, dims: Mapping[str, Any]) -> tuple[int, Any]:
        """Passes of the denoiser for a chunk, the one that is remembered included; the decoders."""
        lanes = 2 if dims["guidance_scale"] != 1 else 1
        samples = dims["chunk_codes"] * dims["code_samples"]
        decoding = model.autoencoder.decode_flops(dims["chunk_frames"])
        decoding += model.sound.decoder.flops(1, samples)
        return self.passes_of(dims) + lanes, decoding

    def state_bytes(self, model: Part, dims: Mapping[str, Any], context: int) -> float:
        """What is kept of the past, twice with guidance."""
        lanes = 2 if dims["guidance_scale"] != 1 else 1
        return lanes * super().state_bytes(model, dims, self.length(dims))

    def pace(
        self, phases: Mapping[str, Timed], dims: Mapping[str, Any], batch: int, device: Device
    ) -> ClipPace:
        """Frames of a chunk over the seconds that it takes."""
        plain = super().pace(phases, dims, batch, device)
        return ClipPace(dims["chunk_frames"] * plain.rate, plain.first, plain.method, dims["fps"])

    def answered(self, dims: Mapping[str, Any]) -> str:
        lanes = 2 if dims["guidance_scale"] != 1 else 1
        return f"{dims['chunk_frames']} frames in {self.passes_of(dims) + lanes} passes"

    def finished(self, model: Avatar, dims: Mapping[str, Any]) -> Work:
        passes, decoding = self.chunk_work(model, dims)
        flops = model.flops(1, self.length(dims)) * passes + decoding
        at = (
            f"one clip of {dims['chunks']} chunks in {dims['sampling_steps']} steps each, kept full"
        )
        return Work(flops * dims["chunks"] + model.text_encoder.flops(1, 1), 1, at)

    def context_served(self, dims: Mapping[str, Any]) -> tuple[str, str]:
        chunks = dims["history_chunks"]
        seconds = fmt.seconds(chunks * dims["chunk_frames"] / dims["fps"])
        how = f"keys and values of {chunks:,} chunks ({seconds} of frames and sound) are kept"
        return how, "all of the past but its end" if dims["sliding_window"] else ""

    # -- code and documents -------------------------------------------------------------------

    def switches(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        return super().switches(dims | {"reads_text": True}) | {
            "reads_text": True, "conditioned": dims["reads_image"],
        }  # fmt: skip

    def fields(self, dims: Mapping[str, Any]) -> dict[str, str]:
        found = super().fields({**dims, "reads_text": True, "conditioned": True})
        return {n: f for n, f in found.items() if n not in ("max_pos", "sliding_window")}

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        small = self.tiny_networks({**dims, "reads_text": True})
        small["fps"] = min(8, dims["fps"])
        small["d_model"] = width = min(64, dims["d_model"])
        small["n_heads"] = next(n for n in (4, 2, 1) if width % (2 * n) == 0)
        rate = min(2_000, dims["sample_rate"])
        plan = sound_plan(rate, small["fps"], 4, 100)
        length = min(4, dims["chunks"])
        return small | plan | {
            "sample_rate": rate,
            "tubelet": 2 if plan["chunk_frames"] % 2 == 0 and dims["tubelet"] > 1 else 1,
            "chunks": length,
            "frames": length * plan["chunk_frames"],
            "history_chunks": min(length, dims["history_chunks"]),
            "sound_width": min(8, dims["sound_width"]),
            "sound_channels": min(8, dims["sound_channels"]),
            "autoencoder_frames": 2,
            "autoencoder_steps": 200,
            **short_run(steps=600, batch=8, learning_rate=0.003, warmup=20),
            "eval_interval": 300,
            "checkpoint_interval": 300,
            "eval_samples": 64,
        }  # fmt: skip

    def words(self, spec: Any, dims: Mapping[str, Any]) -> dict[str, str]:
        return {
            "infer_args": '--text "a red face speaks low"',
            "timed": f"chunk of {dims['chunk_frames']} frames",
        }

    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        side = latent_size(dims)
        frames = ["batch", dims["chunk_frames"], dims["latent_channels"], side, side]
        sound = ["batch", dims["chunk_codes"], dims["sound_channels"]]
        both = [frames, sound]
        prompt = ["batch", dims["prompt_length"], dims["text_d_model"]]
        return {"prompt": prompt, "autoencoder": frames, "sound": sound, "noise": both,
                "denoiser": both, "loss": []}  # fmt: skip

    def alternatives(self, dims: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        if dims["n_layers"] > 1:
            half = dims["n_layers"] // 2
            yield "Depth", f"half of the layers: {half} remain", {"n_layers": half}
        if dims["history_chunks"] > 1:
            half = dims["history_chunks"] // 2
            yield "Memory", f"half of the past: {half} chunks remain", {"history_chunks": half}
        yield from prompt_alternatives(dims)


def sound_plan(
    rate: int, fps: int, chunk_frames: int | None = None, code: int = CODE
) -> dict[str, Any]:
    """Frames and codes of a chunk that last equally long, and how samples become codes.

    A chunk has about `CHUNK` frames, a code about `code` samples.
    """
    least = fps // gcd(rate, fps)  # frames that last a whole number of samples
    if chunk_frames is None or chunk_frames % least:
        wanted = chunk_frames or CHUNK
        chunk_frames = least * max(1, round(wanted / least))
    samples = rate * chunk_frames // fps
    dividing = (n for n in range(1, min(samples, 4 * CODE) + 1) if samples % n == 0)
    smooth = (n for n in dividing if max(ratios_of(n), default=1) <= 16)
    span = min(smooth, key=lambda n: (abs(log2(n / code)), n))
    return {
        "chunk_frames": chunk_frames,
        "chunk_codes": samples // span,
        "code_samples": span,
        "sound_ratios": ratios_of(span),
    }


def ratios_of(span: int) -> tuple[int, ...]:
    """A number as a product of factors of at most eight, where its primes allow."""
    primes, prime, left = [], 2, span
    while left > 1:
        if left % prime:
            prime += 1
        else:
            primes.append(prime)
            left //= prime
    ratios: list[int] = []
    for prime in sorted(primes, reverse=True):
        fitting = [i for i, ratio in enumerate(ratios) if ratio * prime <= 8]
        if fitting:
            ratios[fitting[0]] *= prime
        else:
            ratios.append(prime)
    return tuple(sorted(ratios)) or (1,)


def sound_width(
    room: float, dims: Mapping[str, Any], counts: dict[tuple[Any, ...], tuple[int, int]]
) -> int:
    """The widest autoencoder of sound of at most `room` parameters; `counts` remembers sizes."""
    shape = tuple(dims["sound_ratios"]), dims["sound_channels"]

    def params(width: int) -> int:
        key = ("sound", width, *shape)
        if key not in counts:
            counts[key] = sound_params(width, *shape), 0
        return counts[key][0]

    fitting = bisect_right(_SOUND_LADDER, room, key=params)
    return _SOUND_LADDER[max(1, fitting) - 1]


def sound_params(width: int, ratios: tuple[int, ...], channels: int) -> int:
    """Parameters of an autoencoder of sound."""
    names = ("sound_width", "sound_ratios", "sound_channels")
    return SoundAutoencoder(dict(zip(names, (width, ratios, channels), strict=True))).count()
