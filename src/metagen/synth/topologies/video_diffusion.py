"""The latent diffusion transformer over clips."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from math import log2
from typing import Any

from ...specs.errors import Problem
from ...specs.vocabulary import stand_in
from ...utils import formatting as fmt
from ..devices import Device
from ..dims import Dim, choice, flag, number, text
from ..parts.video_dit import VideoBlock, VideoDiffusion, grid
from ..serving import Timed
from ..solver import Frame
from .base import Node, Pace, Work, short_run
from .denoisers import DENOISING, DenoiserTopology, time_features
from .latents import (
    AUTOENCODER,
    AUTOENCODER_ALIASES,
    PROMPT,
    autoencoder_dims,
    autoencoder_problems,
    autoencoder_switches,
    autoencoder_tiny,
    groups_of,
    latent_size,
    prompt_alternatives,
    prompt_dims,
    prompt_problems,
    prompt_switches,
    prompt_tiny,
)

TABLE: Mapping[str, Dim] = {
    "frames": number(16, "frames of a clip", high=2**20),
    "fps": number(24, "frames that are shown in a second", high=1000),
    "image_size": number(256, "side of a frame, in pixels", low=8, high=2**14),
    "channels": number(3, "channels of a frame", high=1024),
    "conditioned": flag(False, "the first frames are given"),
    "given_frames": number(1, "frames at the start of a clip that are given, where any are",
                           high=2**20),
    "reads_text": flag(True, "a prompt is given"),
    **AUTOENCODER,
    **PROMPT,
    "tubelet": number(None, "frames of a patch", high=4096),
    "patch_size": number(None, "side of a patch, in places of the code", high=1024),
    "clip_attention": choice("factorised", "attention along space and time in turn, or over both",
                             "factorised", "full"),
    "d_model": number(None, "width of the denoiser's residual stream", low=8, high=2**18),
    "n_layers": number(None, "blocks of the denoiser", high=2048),
    "n_heads": number(None, "attention heads of the denoiser", high=4096),
    "d_ff": number(None, "hidden width of the denoiser's MLP", high=2**20),
    **DENOISING,
}  # fmt: skip

#: The fields of `Config` that clips with captions need.
CLIP_SETTINGS: Mapping[str, Dim] = {
    "data": text("folder of clips (GIF, .npy, folders of frames) with .txt captions; "
                 "empty: built in"),
}  # fmt: skip

#: Share of a clip's own rate that a latency class demands.
RATE_SHARE = {"real-time": 1.0, "near-real-time": 0.25, "offline": 0.0}

PATCH = 2


@dataclass(frozen=True)
class ClipPace(Pace):
    """Frames per second, seconds to the first result, and the rate at which clips are shown."""

    shown: float = 24.0


class ClipTopology(DenoiserTopology):
    """What generators of clips share: networks around a denoiser that fills the budget."""

    unit = "clip"
    rate_unit = "fps"
    aliases = {k: v for k, v in AUTOENCODER_ALIASES.items() if k != "sample_size"} | {
        "num_frames": "frames", "hidden_size": "d_model", "num_inference_steps": "sampling_steps",
    }  # fmt: skip
    children = ("text_encoder", "autoencoder", "denoiser")
    settings = CLIP_SETTINGS
    most_units_per_param = 20.0

    # -- dimensions ---------------------------------------------------------------------------

    def given(self, spec: Any) -> dict[str, Any]:
        asked = ("frames", "image_size", "channels")
        dims = {name: getattr(spec.task, name) for name in asked}
        dims = {name: value for name, value in dims.items() if value}
        rate = spec.constraints.throughput
        if rate is not None and rate.unit == self.rate_unit:
            dims["fps"] = max(1, min(round(rate.value), 1000))
        return dims | super().given(spec)

    def contradictions(self, pins: Mapping[str, Any]) -> list[Problem]:
        problems = [*autoencoder_problems(pins), *prompt_problems(pins)]
        width, heads = pins.get("d_model"), pins.get("n_heads")
        if width and width % 4:
            message = f"{width} is no multiple of 4, which positions need"
            problems.append(Problem("architecture.dims.d_model", message))
        if width and heads and width % heads:
            message = f"{heads} does not divide d_model ({width})"
            problems.append(Problem("architecture.dims.n_heads", message))
        return problems

    def base(self, budget: float, frame: Frame) -> dict[str, Any]:
        dims = {name: dim.default for name, dim in self.table.items()} | dict(frame.given)
        size, channels = (frame.pins.get(n) or dims[n] for n in ("image_size", "channels"))
        room = min(0.08 * budget, 1e8)
        dims |= autoencoder_dims(room, size, channels, budget, frame.counts)
        prompt = prompt_dims(0.1 * budget, budget)
        dims |= prompt | {name: dims[name] for name in prompt if name in frame.given}
        dims["time_features"] = time_features(budget)
        dims |= dict(frame.pins)
        if dims["patch_size"] is None:
            dims["patch_size"] = patch_size(latent_size(dims))
        return dims

    def bulk(self, dims: Mapping[str, Any]) -> float:
        return 22.0 if dims["reads_text"] else 18.0

    # -- costs --------------------------------------------------------------------------------

    def too_slow(self, pace: Pace, latency: str) -> bool:
        return pace.rate < RATE_SHARE[latency] * pace.shown

    def latency_asked(self, latency: str) -> str:
        share = RATE_SHARE[latency]
        if not share:
            return "no bound"
        return "frames at the rate at which they are shown" + (
            "" if share == 1 else f", or {fmt.percent(share)} of it"
        )

    def latency_achieved(self, pace: Pace) -> str:
        rates = (fmt.rate(rate, "fps") for rate in (pace.rate, pace.shown))
        return "{} of {} shown".format(*rates)

    # -- code and documents -------------------------------------------------------------------

    def switches(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        own = super().switches(dims) | autoencoder_switches(dims, unit_latents=True)
        own |= prompt_switches(dims) if dims["reads_text"] else {"bpe": False}
        return own | {"staged": True}

    def fields(self, dims: Mapping[str, Any]) -> dict[str, str]:
        absent = set() if dims["reads_text"] else set(PROMPT)
        if not dims["conditioned"]:
            absent.add("given_frames")
        if not (dims["conditioned"] or dims["reads_text"]):
            absent.add("dropout_condition")
        if dims["prediction"] != "flow":
            absent.add("time_shift")
        return {n: field for n, field in super().fields(dims).items() if n not in absent}

    def tiny_networks(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        """The networks of the tiny preset."""
        size = min(32, dims["image_size"])
        small = {"image_size": size, **autoencoder_tiny(dims, size)}
        widths = tuple(map(min, small["ae_channels"], (8, 16, 32)))  # frames are many
        small |= {"ae_channels": widths, "ae_groups": min(dims["ae_groups"], groups_of(widths))}
        small |= prompt_tiny(dims) if dims["reads_text"] else {}
        side = size // 2 ** (len(small["ae_channels"]) - 1)
        most = min(PATCH, dims["patch_size"])
        width = min(96, dims["d_model"])
        return small | {
            "fps": min(8, dims["fps"]),
            "patch_size": max(p for p in range(1, most + 1) if side % p == 0),
            "d_model": width,
            "n_layers": min(4, dims["n_layers"]),
            "n_heads": next(n for n in (4, 3, 2, 1) if n <= dims["n_heads"] and width % n == 0),
            "d_ff": min(192, dims["d_ff"]),
            "time_features": min(64, dims["time_features"]),
            "sampling_steps": min(16, dims["sampling_steps"]),
            "guidance_scale": min(2.0, dims["guidance_scale"]),
        }

    def idle_programs(self, switches: Mapping[str, Any]) -> tuple[str, ...]:
        idle = () if switches["bpe"] else ("bpe",)
        idle += () if switches["reads_text"] else ("tokenizer", "prompts")
        return idle if switches["conditioned"] else (*idle, "starts")

    def words(self, spec: Any, dims: Mapping[str, Any]) -> dict[str, str]:
        return {"infer_args": '--text "a red disc moves right"'} if dims["reads_text"] else {}


def patch_size(side: int) -> int:
    """Side of a patch of a code: 2 where that divides it, more for codes of over 128 places."""
    wanted = max(PATCH, side / 64)
    dividing = (p for p in range(1, side + 1) if side % p == 0)
    return min(dividing, key=lambda p: abs(log2(p / wanted)))


class VideoDiffusionTopology(ClipTopology):
    """All frames of a clip at once, denoised by blocks along space and time."""

    id = "video_diffusion"
    phrase = "latent video diffusion transformer"
    objective = "denoising of clips"
    covers = {
        "inputs": frozenset({"text", "image", "video"}),
        "outputs": frozenset({"video"}),
        "objective": frozenset({"diffusion", "flow_matching"}),
        "task": frozenset({"generation"}),
        "family": frozenset({"transformer", "diffusion", "hybrid"}),
    }
    served_as = "generation: clips that go with what is given"
    table = TABLE
    floor = {"d_model": 32, "n_layers": 2, "n_heads": 1, "d_ff": 64}
    top = "video_diffusion"
    exports = ("VideoDiffusion", "build_model", "latent_shape")
    networks = {
        "autoencoder_kl": "autoencoder", "prompt_encoder": "text_encoder",
        "video_dit": "denoiser", "diffusion": "diffusion",
    }  # fmt: skip
    programs = ("text", "prompts", "video", "common", "held_out", "films")
    shown = {
        "n_layers": "Layers",
        "d_model": "Width",
        "n_heads": "Attention heads",
        "d_ff": "Feed-forward width",
        "frames": "Frames",
        "image_size": "Frame size",
        "tubelet": "Frames of a patch",
        "patch_size": "Patch size",
        "latent_channels": "Code channels",
        "sampling_steps": "Denoising steps",
    }
    nodes = (
        Node("prompt", "prompt encoder", ("text_encoder",), into=("denoiser",)),
        Node("autoencoder", "autoencoder of frames", ("autoencoder",)),
        Node("noise", "noise at a random level"),
        Node("denoiser", "transformer over space and time", ("denoiser",)),
        Node("loss", "squared error of the prediction"),
    )

    def given(self, spec: Any) -> dict[str, Any]:
        dims = super().given(spec)
        inputs = set(map(stand_in, spec.modality.inputs))
        dims["reads_text"] = "text" in inputs
        dims["conditioned"] = not inputs.isdisjoint({"image", "video"})
        if "video" in inputs:
            dims["given_frames"] = max(1, dims.get("frames", TABLE["frames"].default) // 2)
        return dims

    def contradictions(self, pins: Mapping[str, Any]) -> list[Problem]:
        problems = super().contradictions(pins)
        frames, tubelet = pins.get("frames"), pins.get("tubelet")
        if frames and tubelet and frames % tubelet:
            message = f"{tubelet} does not divide frames ({frames})"
            problems.append(Problem("architecture.dims.tubelet", message))
        return problems

    def base(self, budget: float, frame: Frame) -> dict[str, Any]:
        dims = super().base(budget, frame)
        if dims["tubelet"] is None:
            dims["tubelet"] = 2 if dims["frames"] % 2 == 0 else 1
        dims["given_frames"] = min(dims["given_frames"], dims["frames"])
        return dims

    def build(self, dims: Mapping[str, Any]) -> VideoDiffusion:
        return VideoDiffusion(dims)

    def block(self, dims: Mapping[str, Any]) -> VideoBlock:
        return VideoBlock(dims, "space")

    def length(self, dims: Mapping[str, Any]) -> int:
        groups, patches = grid(dims)
        return groups * patches

    def work(self, model: VideoDiffusion, dims: Mapping[str, Any]) -> Work:
        return Work(model.flops(1, 1), 1, "one denoising step of a clip")

    def training_work(self, model: VideoDiffusion, dims: Mapping[str, Any]) -> Work:
        coder, taught = model.autoencoder, min(dims["autoencoder_frames"], dims["frames"])
        flops = model.flops(1, 1) + model.read_flops(1) + coder.encode_flops(dims["frames"])
        flops += coder.encode_flops(taught) + coder.decode_flops(taught)
        return Work(flops, 1, "one training clip")

    def pace(
        self, phases: Mapping[str, Timed], dims: Mapping[str, Any], batch: int, device: Device
    ) -> ClipPace:
        """Frames of a clip over the seconds that it takes."""
        plain = super().pace(phases, dims, batch, device)
        return ClipPace(dims["frames"] * plain.rate, plain.first, plain.method, dims["fps"])

    def answered(self, dims: Mapping[str, Any]) -> str:
        return f"one clip in {self.passes_of(dims)} passes"

    def finished(self, model: VideoDiffusion, dims: Mapping[str, Any]) -> Work:
        flops = model.read_flops(1) * (2 if dims["guidance_scale"] != 1 else 1)
        flops += model.flops(1, 1) * self.passes_of(dims)
        flops += model.autoencoder.decode_flops(dims["frames"])
        if dims["conditioned"]:
            flops += model.autoencoder.encode_flops(dims["given_frames"])
        return Work(flops, 1, f"one clip in {dims['sampling_steps']} steps")

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        tubelet = min(2, dims["tubelet"])
        frames = max(tubelet, min(8, dims["frames"]) // tubelet * tubelet)
        small = {"frames": frames, "tubelet": tubelet, **self.tiny_networks(dims)}
        if dims["conditioned"]:
            share = dims["given_frames"] / dims["frames"]
            small["given_frames"] = max(1, round(frames * share)) if share > 0.1 else 1
        return small | {
            "autoencoder_frames": min(2, dims["autoencoder_frames"]),
            "autoencoder_steps": 200,
            **short_run(steps=750, batch=12, learning_rate=0.003, warmup=20),
            "eval_interval": 300,
            "checkpoint_interval": 300,
            "eval_samples": 64,
        }

    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        side = latent_size(dims)
        code = ["batch", dims["frames"], dims["latent_channels"], side, side]
        shapes: dict[str, list[Any]] = {"autoencoder": code, "noise": code, "denoiser": code}
        prompt = ["batch", dims["prompt_length"], dims["text_d_model"]]
        return shapes | {"prompt": prompt if dims["reads_text"] else [], "loss": []}

    def alternatives(self, dims: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        yield from super().alternatives(dims)
        if dims["clip_attention"] == "full":
            change = {"clip_attention": "factorised"}
            yield "Joint attention", "pairs across space and time: either axis in turn", change
        longer = 2 * dims["tubelet"]
        if dims["frames"] % longer == 0:
            removed = f"every second group in time: groups of {longer} frames"
            yield "Fine time steps", removed, {"tubelet": longer}
        if dims["reads_text"]:
            yield from prompt_alternatives(dims)
