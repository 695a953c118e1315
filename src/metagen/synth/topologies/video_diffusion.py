"""The latent diffusion transformer over clips."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from math import log2, log10
from typing import Any

from ...specs.errors import Problem
from ...specs.vocabulary import stand_in
from ...utils import formatting as fmt
from .. import estimates
from ..devices import Device
from ..dims import Dim, choice, flag, number, real, text
from ..parts.base import Part
from ..parts.video_dit import VideoBlock, VideoDiffusion, grid
from ..solver import Frame, Shape, best_shapes, interpolate, searched
from .base import Node, Pace, Work
from .latents import (
    AUTOENCODER,
    AUTOENCODER_ALIASES,
    PROMPT,
    autoencoder_activations,
    autoencoder_dims,
    autoencoder_problems,
    autoencoder_saved,
    autoencoder_switches,
    autoencoder_tiny,
    groups_of,
    latent_size,
    prompt_activations,
    prompt_dims,
    prompt_problems,
    prompt_saved,
    prompt_switches,
    prompt_tiny,
)
from .stack import StackTopology

#: What denoising clips takes, whatever the network.
DENOISING: Mapping[str, Dim] = {
    "prediction": choice("v", "what the denoiser predicts", "noise", "v", "flow"),
    "noise_schedule": choice("cosine", "how the noise grows; flows have a straight line", "linear",
                             "scaled_linear", "cosine"),
    "train_times": number(1000, "times between clean and noise", low=2, high=10**5),
    "time_shift": real(1.0, "how far times of a flow move towards noise", low=0.1, high=100.0),
    "time_features": number(None, "sinusoids of a time", low=2, high=2**12),
    "sampling_steps": number(28, "denoising steps of a sample", high=10**5),
    "guidance_scale": real(3.0, "scale of guidance; 1 is none", low=0.0, high=100.0),
    "dropout_condition": real(0.1, "share of samples that train without a condition", high=0.9),
    "autoencoder_steps": number(20_000, "training steps after which the autoencoder is frozen"),
    "autoencoder_frames": number(4, "frames of a clip that teach the autoencoder", high=4096),
}  # fmt: skip

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

#: (log10 of the parameters, width / depth): DiT-S/2, B/2, L/2, XL/2, Latte-XL/2, CogVideoX-5B.
ASPECT = ((4, 12), (5, 16), (6, 24), (7.5, 32), (8.1, 64), (8.7, 43), (8.9, 41), (9.7, 73),
          (10.5, 110), (12, 160))  # fmt: skip

#: Denoising steps that a latency class leaves time for; at once is without guidance.
STEPS = {"real-time": 4, "near-real-time": 28, "offline": 50}

#: Share of a clip's own rate that a latency class demands.
RATE_SHARE = {"real-time": 1.0, "near-real-time": 0.25, "offline": 0.0}

PATCH = 2


@dataclass(frozen=True)
class ClipPace(Pace):
    """Frames per second, seconds to the first result, and the rate at which clips are shown."""

    shown: float = 24.0


class ClipTopology(StackTopology):
    """What generators of clips share: networks around a denoiser that fills the budget."""

    unit = "clip"
    rate_unit = "fps"
    denoises = True
    aliases = {k: v for k, v in AUTOENCODER_ALIASES.items() if k != "sample_size"} | {
        "num_frames": "frames", "hidden_size": "d_model", "num_inference_steps": "sampling_steps",
    }  # fmt: skip
    children = ("text_encoder", "autoencoder", "denoiser")
    settings = CLIP_SETTINGS
    batch = 256
    learning_rate = 1e-4
    learning_rate_source = "Peebles and Xie, 2023, section 4"
    recipe = {"weight_decay": 0.01}
    most_units_per_param = 20.0

    # -- dimensions ---------------------------------------------------------------------------

    def given(self, spec: Any) -> dict[str, Any]:
        asked = ("frames", "image_size", "channels")
        dims = {name: getattr(spec.task, name) for name in asked}
        dims = {name: value for name, value in dims.items() if value}
        rate = spec.constraints.throughput
        if rate is not None and rate.unit == self.rate_unit:
            dims["fps"] = max(1, min(round(rate.value), 1000))
        latency = spec.constraints.latency
        dims["sampling_steps"] = STEPS[latency]
        if latency == "real-time":
            dims["guidance_scale"] = 1.0
        flows = spec.training.objective[0] == "flow_matching"
        dims["prediction"] = "flow" if flows else "v"
        return dims

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
        dims |= autoencoder_dims(min(0.08 * budget, 1e8), size, channels, budget)
        prompt = prompt_dims(0.1 * budget, budget)
        dims |= prompt | {name: dims[name] for name in prompt if name in frame.given}
        dims["time_features"] = 256 if budget >= 3e6 else 64 if budget >= 3e5 else 32
        dims |= dict(frame.pins)
        if dims["patch_size"] is None:
            dims["patch_size"] = patch_size(latent_size(dims))
        return dims

    def shapes(self, budget: float, frame: Frame) -> list[Shape]:
        def search(cap: float) -> Iterator[Shape]:
            """Every cap has its own networks around the denoiser, hence counts of its own."""
            for shape in searched(self, cap, replace(frame, counts={})):
                yield replace(shape, base=_whole_heads(shape.base, frame.pins))

        return best_shapes(search, budget, bool(frame.pins))

    def aspect(self, budget: float) -> float:
        return interpolate(ASPECT, log10(max(budget, 1e4)))

    def bulk(self, dims: Mapping[str, Any]) -> float:
        return 22.0 if dims["reads_text"] else 18.0

    # -- costs --------------------------------------------------------------------------------

    def passes_of(self, dims: Mapping[str, Any]) -> int:
        """Passes of the denoiser in a sample; guidance takes two for each step."""
        return dims["sampling_steps"] * (2 if dims["guidance_scale"] != 1 else 1)

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
        idle += () if switches["reads_text"] else ("tokenizer", "texts")
        return idle if switches["conditioned"] else (*idle, "starts")

    def words(self, spec: Any, dims: Mapping[str, Any]) -> dict[str, str]:
        return {"infer_args": '--text "a red disc moves right"'} if dims["reads_text"] else {}


def patch_size(side: int) -> int:
    """Side of a patch of a code: 2 where that divides it, more for codes of over 128 places."""
    wanted = max(PATCH, side / 64)
    dividing = (p for p in range(1, side + 1) if side % p == 0)
    return min(dividing, key=lambda p: abs(log2(p / wanted)))


def _whole_heads(base: Mapping[str, Any], pins: Mapping[str, Any]) -> dict[str, Any]:
    """Dimensions whose heads divide the width."""
    dims = {name: value for name, value in base.items() if name != "head_dim"}
    if "n_heads" not in pins:
        near = (n for n in range(1, dims["n_heads"] + 1) if dims["d_model"] % n == 0)
        dims["n_heads"] = max(near)
    return dims


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
    programs = ("text", "video", "common", "films")
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
        Node("prompt", "prompt encoder", ("text_encoder",), into="denoiser"),
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

    def finished(self, model: VideoDiffusion, dims: Mapping[str, Any]) -> Work:
        flops = model.read_flops(1) * (2 if dims["guidance_scale"] != 1 else 1)
        flops += model.flops(1, 1) * self.passes_of(dims)
        flops += model.autoencoder.decode_flops(dims["frames"])
        if dims["conditioned"]:
            flops += model.autoencoder.encode_flops(dims["given_frames"])
        return Work(flops, 1, f"one clip in {dims['sampling_steps']} steps")

    def pace(
        self, model: Part, dims: Mapping[str, Any], precision: str, context: int, device: Device
    ) -> ClipPace:
        """Frames of a clip over the seconds that all of its passes take."""
        denoiser = estimates.weight_bytes(model.denoiser, precision)
        step = estimates.pass_seconds(model.flops(1, 1).causal, denoiser, device)
        around = self.finished(model, dims).flops + model.flops(1, 1) * -self.passes_of(dims)
        others = estimates.weight_bytes(model, precision) - denoiser
        seconds = step * self.passes_of(dims)
        seconds += estimates.pass_seconds(around.causal, others, device)
        method = f"roofline on {device.name}, one clip in {self.passes_of(dims)} passes"
        return ClipPace(dims["frames"] / seconds, seconds, method, dims["fps"])

    def activations(self, model: Part, dims: Mapping[str, Any], context: int) -> float:
        """The widest of the networks, beside the clip's codes and the frames that are done."""
        width, hidden = dims["d_model"], dims["d_ff"]
        stream = self.length(dims) * (2 * width + max(4 * width, 2 * hidden))
        clip = dims["frames"] * dims["channels"] * dims["image_size"] ** 2 * 4
        text = prompt_activations(dims) if dims["reads_text"] else 0
        passing = stream * estimates.ACTIVATION_BYTES
        return clip + max(passing, autoencoder_activations(dims), text)

    def saved_activations(
        self, dims: Mapping[str, Any], units: int, *, checkpointing: bool
    ) -> float:
        """Per block and position: three norms, attention's vectors twice, the MLP's vectors."""
        width, n_layers = dims["d_model"], dims["n_layers"]
        layer = 14 * width + 2 * dims["d_ff"]
        kept = n_layers * width + layer if checkpointing else n_layers * layer
        each = self.length(dims) * kept * estimates.ACTIVATION_BYTES
        taught = min(dims["autoencoder_frames"], dims["frames"])
        each += taught * autoencoder_saved(dims, checkpointing=checkpointing)
        if dims["reads_text"]:
            each += prompt_saved(dims, checkpointing=checkpointing)
        return units * each

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
            "steps": 750,
            "global_batch": 12,
            "micro_batch": 12,
            "learning_rate": 0.003,
            "warmup_steps": 20,
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
        if dims["reads_text"] and dims["text_n_layers"] > 1:
            half = dims["text_n_layers"] // 2
            removed = f"half of the prompt encoder's layers: {half} remain"
            yield "Text depth", removed, {"text_n_layers": half}
