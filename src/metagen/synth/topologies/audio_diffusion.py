"""Sound from latent diffusion: told in words, continued from its beginning, or both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf
from typing import Any

from ...specs.errors import Problem
from ...specs.vocabulary import stand_in
from ..dims import Dim, broken_rules, choice, flag, number, real
from ..parts.audio_diffusion import AudioDiffusion, WaveAutoencoder, audio_block, hop_of
from ..parts.base import Flops, Part
from ..parts.dit_block import DitBlock
from ..solver import Frame, below
from . import latents
from .audio_codec import (
    CODEC,
    CODEC_ALIASES,
    codec_problems,
)
from .base import Node, Work, short_run
from .codec_lm import customary_ratios
from .denoisers import DENOISING, DenoiserTopology, time_features
from .sound_generators import SOUND_DATA, SoundGenerator, samples_of, seconds_of

#: Seconds of a clip where the task states none (Liu et al., 2023), and its sampling rate.
SECONDS, RATE = 10, 44_100
#: Codes in a second, about (Evans et al., 2024: 21.5).
FRAME_RATE = 25
#: Frames that teach the autoencoder where a clip has more: two seconds.
TAUGHT = 2 * FRAME_RATE

_QUANTISED = {"codebook_size", "n_codebooks", "codebook_decay"}
_LEFT_OUT = {"autoencoder_steps", "autoencoder_frames"}

TABLE: Mapping[str, Dim] = {
    "sound": choice("music", "what the built-in data are", "music", "speech"),
    "conditioned": flag(True, "a prompt says what is to be heard"),
    "continued": flag(False, "the beginning of the sound is given"),
    "frames": number(SECONDS * FRAME_RATE, "frames of a clip", low=4, high=2**20),
    "given_frames": number(None, "frames at the start of a clip that are given, where any are",
                           high=2**20),
    **{name: dim for name, dim in CODEC.items() if name not in _QUANTISED},
    "causal_conv": flag(False, "a frame hears nothing that comes after it"),
    "latent_channels": number(None, "channels of a frame's code", high=4096),
    "kl_weight": real(0.005, "weight of the code's divergence from noise", high=1e3),
    "autoencoder_frames": number(None, "frames of a clip that teach the autoencoder", low=4,
                                 high=2**20),
    **latents.PROMPT,
    "d_model": number(None, "width of the denoiser's residual stream", low=8, high=2**18),
    "n_layers": number(None, "blocks of the denoiser", high=2048),
    "n_heads": number(None, "attention heads of the denoiser", high=4096),
    "d_ff": number(None, "hidden width of the denoiser's MLP", high=2**20),
    **{name: dim for name, dim in DENOISING.items() if name not in _LEFT_OUT},
}  # fmt: skip

#: What published configurations call the same.
ALIASES = {name: dim for name, dim in CODEC_ALIASES.items() if dim in TABLE} | {
    "hidden_size": "d_model", "num_hidden_layers": "n_layers", "num_layers": "n_layers",
    "num_attention_heads": "n_heads", "num_inference_steps": "sampling_steps",
}  # fmt: skip

#: The fields of `Config` that sounds with prompts need.
SETTINGS: Mapping[str, Dim] = {
    **SOUND_DATA,
    "codec_share": real(0.5, "share of the steps in which the autoencoder learns too"),
}

#: (budget, channels of a code): 64 are Stable Audio's.
_CODES = ((3e6, 8), (3e7, 16), (2e8, 32), (inf, 64))

#: Autoencoders by size: filters, residual blocks, recurrent layers, features.
_AUTOENCODERS = ((2, 1, 1, 8), (3, 1, 1, 12), (4, 1, 1, 16), (6, 1, 1, 24), (8, 1, 1, 32),
                 (12, 1, 1, 48), (16, 1, 2, 64), (24, 1, 2, 96), (32, 1, 2, 128), (48, 2, 2, 128),
                 (64, 2, 2, 128), (96, 3, 2, 128), (128, 3, 2, 256))  # fmt: skip

#: Shares of the budget that the autoencoder and the prompt encoder may take.
_AUTOENCODER_SHARE, _TEXT_SHARE = 0.12, 0.1


class AudioDiffusionTopology(SoundGenerator, DenoiserTopology):
    """Stable Audio's shape: a prompt encoder, an autoencoder of waveforms, and a transformer."""

    id = "audio_diffusion"
    phrase = "latent diffusion transformer"
    objective = "denoising of sounds"
    covers = {
        "inputs": frozenset({"text", "audio"}),
        "outputs": frozenset({"audio"}),
        "objective": frozenset({"diffusion", "flow_matching"}),
        "task": frozenset({"generation", "text_to_speech"}),
        "family": frozenset({"transformer", "diffusion", "hybrid"}),
    }
    served_as = "generation: sounds that go with what is given"
    children = ("text_encoder", "autoencoder", "denoiser")
    rates = {"music": RATE, "speech": 24_000}
    seconds = dict.fromkeys(rates, SECONDS)
    told_by = "--prompt"
    table = TABLE
    aliases = ALIASES
    floor = {"d_model": 32, "n_layers": 1, "n_heads": 1, "d_ff": 64}
    top = "audio_diffusion"
    exports = ("AudioDiffusion", "build_model", "latent_shape")
    networks = {
        "prompt_encoder": "text_encoder", "wave_autoencoder": "autoencoder",
        "audio_dit": "denoiser", "diffusion": "diffusion",
    }  # fmt: skip
    programs = (
        "text", "common", "held_out", "reading", "corpus", "prompts", "sound", "music",
        "audio_diffusion",
    )  # fmt: skip
    settings = SETTINGS
    shown = {
        "n_layers": "Layers",
        "d_model": "Width",
        "n_heads": "Attention heads",
        "d_ff": "Feed-forward width",
        "latent_channels": "Code channels",
        "num_filters": "Filters of the autoencoder",
        "frames": "Frames of a clip",
        "sample_rate": "Sampling rate (Hz)",
        "sampling_steps": "Denoising steps",
    }
    nodes = (
        Node("prompt", "prompt encoder", ("text_encoder",), into=("denoiser",)),
        Node("autoencoder", "autoencoder of waveforms", ("autoencoder",)),
        Node("noise", "noise at a random level"),
        Node("denoiser", "transformer over frames", ("denoiser",)),
        Node("loss", "squared error of the prediction"),
    )
    most_units_per_param = 2.0

    # -- dimensions ---------------------------------------------------------------------------

    def ratios(self, rate: int) -> tuple[int, ...]:
        return code_ratios(rate)

    def given(self, spec: Any) -> dict[str, Any]:
        inputs = set(map(stand_in, spec.modality.inputs))
        told = {"conditioned": bool(inputs - {"audio"}), "continued": "audio" in inputs}
        return super().given(spec) | told

    def contradictions(self, pins: Mapping[str, Any]) -> list[Problem]:
        problems = [*codec_problems(pins), *latents.prompt_problems(pins)]
        width, heads, frames = pins.get("d_model", 2), pins.get("n_heads", 1), pins.get("frames")
        told = pins.get("conditioned") or pins.get("continued")
        rules = (
            ("d_model", width % 2, "positions come in pairs", "an even number"),
            ("n_heads", width % heads and "d_model" in pins,
             f"{heads} does not divide d_model ({width})", None),
            ("audio_channels", pins.get("audio_channels", 1) != 1, "sound has one channel", "1"),
            ("given_frames", frames and pins.get("given_frames", 1) >= frames,
             "nothing is left to be made", None),
            ("autoencoder_frames", frames and pins.get("autoencoder_frames", 1) > frames,
             f"a clip has {frames} frames", None),
            ("sampling_steps", pins.get("sampling_steps", 1) > pins.get("train_times", 1000),
             "more steps than times to take them at", None),
            ("guidance_scale", told is False and pins.get("guidance_scale", 1) != 1,
             "nothing is told that could guide", "1"),
        )  # fmt: skip
        return problems + broken_rules(rules)

    def base(self, budget: float, frame: Frame) -> dict[str, Any]:
        dims = {name: dim.default for name, dim in self.table.items()}
        dims |= {"sample_rate": RATE, "ratios": code_ratios(RATE)}
        decided = dict(frame.given) | dict(frame.pins)
        dims["latent_channels"] = below(_CODES, budget)
        dims["time_features"] = time_features(budget)
        dims |= decided
        dims |= autoencoder_dims(_AUTOENCODER_SHARE * budget, dims, frame.counts)
        dims |= dict(frame.pins)
        if dims["conditioned"]:
            dims |= latents.prompt_dims(_TEXT_SHARE * budget, budget) | dict(frame.pins)
        else:
            dims = {n: v for n, v in dims.items() if n not in latents.PROMPT or n in frame.pins}
        if not (dims["conditioned"] or dims["continued"]):
            dims["guidance_scale"] = 1.0
        if dims["given_frames"] is None:
            dims["given_frames"] = max(1, dims["frames"] // 4)
        if dims["autoencoder_frames"] is None:
            dims["autoencoder_frames"] = min(TAUGHT, dims["frames"])
        return dims

    def build(self, dims: Mapping[str, Any]) -> AudioDiffusion:
        return AudioDiffusion(dims)

    def block(self, dims: Mapping[str, Any]) -> DitBlock:
        return audio_block(dims)

    def bulk(self, dims: Mapping[str, Any]) -> float:
        """Attention, modulation and MLP; with a prompt, attention to that."""
        return 22.0 if dims["conditioned"] else 18.0

    # -- costs --------------------------------------------------------------------------------

    def length(self, dims: Mapping[str, Any]) -> int:
        return dims["frames"]

    def work(self, model: Part, dims: Mapping[str, Any]) -> Work:
        """FLOPs of one denoising step, without guidance."""
        at = f"one denoising step of a clip of {dims['frames']:,} frames"
        if dims["conditioned"]:
            at += f", for a prompt of {dims['prompt_length']} tokens"
        return Work(model.flops(1, self.length(dims)), 1, at)

    def training_work(self, model: Part, dims: Mapping[str, Any]) -> Work:
        """The autoencoder works both ways while it learns."""
        coder, taught = model.autoencoder, dims["autoencoder_frames"] * hop_of(dims)
        flops = self.work(model, dims).flops + self._told(model, dims)
        flops += coder.encode_flops(1, samples_of(dims)) + coder.encode_flops(1, taught)
        flops += coder.decode_flops(1, taught)
        return Work(flops, 1, f"one training clip of {dims['frames']:,} frames")

    def _told(self, model: Part, dims: Mapping[str, Any]) -> Flops:
        """FLOPs of the conditions of one sample, once."""
        flops = model.read_flops(1)
        if dims["continued"]:
            flops += model.autoencoder.encode_flops(1, dims["given_frames"] * hop_of(dims))
        return flops

    def answered(self, dims: Mapping[str, Any]) -> str:
        return f"{self.passes_of(dims)} passes and the decoder for {seconds_of(dims):.3g} s"

    def finished(self, model: Part, dims: Mapping[str, Any]) -> Work:
        """FLOPs of one clip: conditions, every step, the decoder."""
        steps = dims["sampling_steps"]
        lanes = self.passes_of(dims) // steps
        flops = self.work(model, dims).flops * self.passes_of(dims)
        flops += self._told(model, dims) * lanes
        flops += model.autoencoder.decode_flops(1, samples_of(dims))
        at = f"one finished clip of {seconds_of(dims):.3g} s: {steps} denoising steps"
        if lanes > 1:
            at += ", each with and without the condition"
        return Work(flops, 1, f"{at}, and the decoder")

    # -- code and documents -------------------------------------------------------------------

    def switches(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        bpe = latents.prompt_switches(dims) if dims["conditioned"] else {"bpe": False}
        own = super().switches(dims) | {"melodic": False, "diffused": True} | bpe
        return own | {"staged": True}

    def fields(self, dims: Mapping[str, Any]) -> dict[str, str]:
        absent = set() if dims["conditioned"] else set(latents.PROMPT)
        if not dims["continued"]:
            absent.add("given_frames")
        if not (dims["conditioned"] or dims["continued"]):
            absent.add("dropout_condition")
        if dims["prediction"] != "flow":
            absent.add("time_shift")
        return {n: f for n, f in super().fields(dims).items() if n not in absent}

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        networks = self.tiny_networks(coder_dims(dims))
        small = {name: value for name, value in networks.items() if name not in _QUANTISED}
        frames = min(32, dims["frames"])
        width = min(96, dims["d_model"])
        heads = (n for n in (4, 3, 2, 1) if n <= dims["n_heads"] and width % n == 0)
        return small | {
            "frames": frames,
            "given_frames": max(1, min(frames // 4, dims["given_frames"])),
            "autoencoder_frames": min(max(4, frames // 2), dims["autoencoder_frames"]),
            "latent_channels": min(8, dims["latent_channels"]),
            "guidance_scale": min(2.0, dims["guidance_scale"]),
            "sampling_steps": min(16, dims["sampling_steps"]),
            "time_features": min(64, dims["time_features"]),
            "d_model": width,
            "n_layers": min(4, dims["n_layers"]),
            "n_heads": next(heads),
            "d_ff": min(192, dims["d_ff"]),
            **short_run(steps=700, batch=16, learning_rate=0.003, warmup=20),
            "codec_share": 0.4,
            "log_interval": 50,
            "eval_interval": 350,
            "eval_samples": 48,
            "checkpoint_interval": 350,
        }

    def folders(self, switches: Mapping[str, Any]) -> tuple[str, ...]:
        return (*self.programs, *(("speech",) if switches["sound"] == "speech" else ()))

    def idle_programs(self, switches: Mapping[str, Any]) -> tuple[str, ...]:
        idle = () if switches["conditioned"] else ("tokenizer", "prompts")
        idle += () if switches["continued"] else ("starts",)
        return idle if switches["bpe"] else (*idle, "bpe")

    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        codes = ["batch", dims["frames"], dims["latent_channels"]]
        shapes: dict[str, list[Any]] = {"autoencoder": codes, "noise": codes, "denoiser": codes}
        if dims["conditioned"]:
            shapes["prompt"] = ["batch", dims["prompt_length"], dims["text_d_model"]]
        return {"prompt": []} | shapes | {"loss": []}

    def alternatives(self, dims: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        yield from super().alternatives(dims)
        if dims["latent_channels"] > 1:
            half = dims["latent_channels"] // 2
            removed = f"half of the code's channels: {half} remain"
            yield "Code channels", removed, {"latent_channels": half}
        if dims["conditioned"]:
            yield from latents.prompt_alternatives(dims)


def code_ratios(rate: int) -> tuple[int, ...]:
    """Four ratios, falling, that leave about `FRAME_RATE` codes of a second of sound."""
    return customary_ratios(2 * rate)  # as many as a codec of twice the rate


def coder_dims(dims: Mapping[str, Any]) -> dict[str, Any]:
    """The dimensions of a codec with the convolutions of this autoencoder."""
    return {**dims, "codebook_size": 2, "n_codebooks": 1, "codebook_decay": 0.9}


def autoencoder_dims(
    room: float, dims: Mapping[str, Any], counts: dict[tuple[Any, ...], tuple[int, int]]
) -> dict[str, Any]:
    """The dimensions of the largest customary autoencoder of at most `room` parameters.

    `counts` remembers what was counted.
    """
    names = ("num_filters", "n_residual_layers", "n_lstm_layers", "codebook_dim")
    fixed = {n: dims[n] for n in CODEC if n not in _QUANTISED and n not in names}
    fixed |= {"latent_channels": dims["latent_channels"]}
    found: dict[str, Any] = {}
    for sizes in _AUTOENCODERS:
        trial = dict(zip(names, sizes, strict=True))
        key = ("autoencoder", *sizes, str(fixed))
        if key not in counts:
            counts[key] = WaveAutoencoder(fixed | trial).count(), 0
        if found and counts[key][0] > room:
            break
        found = trial
    return found
