"""Sound from language models of codes: told in words, given a melody, or continued."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import combinations_with_replacement
from math import inf, log2, log10, prod
from typing import Any

from ...specs.errors import Problem
from .. import estimates
from ..devices import Device
from ..dims import Dim, choice, flag, number, read_pins, real, text
from ..parts.base import Flops, Part
from ..parts.code_lm import CodeBlock
from ..parts.codec import Codec
from ..parts.codec_lm import CodecLM, memory_positions
from ..solver import Frame, Shape, interpolate, stack_shapes
from . import latents
from .audio_codec import (
    CODEC,
    CODEC_ALIASES,
    SPECTRA,
    CodecTopology,
    SoundPace,
    codec_problems,
    kept_elements,
    live_elements,
    sound_dims,
    tiny_codec,
)
from .base import Node, Work
from .stack import StackTopology

#: Seconds of a clip where the task states none, and the longest that is drawn at once.
SECONDS, MOST_SECONDS = {"music": 30, "speech": 10}, 300
#: Frames of codes in a second that a codec is made for (Copet et al., 2023, section 3.1).
FRAME_RATE = 50

TABLE: Mapping[str, Dim] = {
    "sound": choice("music", "what the built-in data are", "music", "speech"),
    "conditioned": flag(True, "a prompt says what is to be heard; else a sound is continued"),
    "melodic": flag(False, "a melody is followed too"),
    "frames": number(1500, "frames of a clip", low=4, high=2**20),
    "melody_stride": number(6, "frames from one pitch of a melody to the next", high=4096),
    "guidance_scale": real(3.0, "weight of the prompt in sampling; 1: none", low=0.0, high=100.0),
    "dropout_condition": real(0.1, "share of samples that train without a prompt", high=0.9),
    "d_model": number(None, "width of the language model", low=8, high=2**18),
    "n_layers": number(None, "blocks of the language model", high=2048),
    "n_heads": number(None, "attention heads of the language model", high=4096),
    "head_dim": number(None, "width of one attention head", low=2, high=4096),
    "d_ff": number(None, "hidden width of the language model's MLP", high=2**20),
    "norm_eps": real(1e-5, "epsilon of the normalisation layers", low=1e-12, high=1.0),
    **CODEC,
    **latents.PROMPT,
}  # fmt: skip

#: What published configurations call the same.
ALIASES = {
    "hidden_size": "d_model", "num_hidden_layers": "n_layers", "num_attention_heads": "n_heads",
    "ffn_dim": "d_ff", "num_codebooks": "n_codebooks", "sampling_rate": "sample_rate",
    **{name: dim for name, dim in CODEC_ALIASES.items() if name != "hidden_size"},
}  # fmt: skip

#: The fields of `Config` that sounds with prompts need.
SETTINGS: Mapping[str, Dim] = {
    "data": text("folder of WAV and .txt files, CSV, JSONL, or hub dataset; empty: built in"),
    "codec_share": real(0.5, "share of the steps in which the codec learns too; then it is frozen"),
}

#: (budget, codebooks, codes of each): MusicGen's from 100M on.
_BOOKS = ((3e5, 2, 32), (1e6, 2, 64), (5e6, 4, 64), (2e7, 4, 256), (1e8, 4, 1024), (inf, 4, 2048))

#: Codecs by size: filters, recurrent layers, features. 32 and 64 are those of EnCodec's at 24 kHz
#: and of MusicGen's at 32 kHz.
_CODECS = ((2, 1, 8), (3, 1, 12), (4, 1, 16), (6, 1, 24), (8, 1, 32), (12, 1, 48), (16, 2, 64),
           (24, 2, 96), (32, 2, 128), (64, 2, 128), (96, 2, 128), (128, 2, 256))  # fmt: skip

#: Shares of the budget that the codec and the text encoder may take, and the most of the latter.
_CODEC_SHARE, _TEXT_SHARE, _MOST_TEXT = 0.2, 0.15, 5e9

#: (log10 of the budget, d_model / n_layers): MusicGen-small, -medium and -large at 8.6 to 9.5.
ASPECT = ((5, 16), (6, 20), (7, 28), (8, 40), (8.6, 42), (9.2, 34), (9.6, 43), (10.5, 80),
          (12, 128))  # fmt: skip

#: What only generators that denoise have, for the programs that are shared with them.
_PLAIN = {"diffused": False, "continued": False}

#: Seconds of generation for each second of sound.
LATENCY = {"real-time": 1.0, "near-real-time": 4.0, "offline": inf}


class CodecLmTopology(StackTopology):
    """MusicGen's shape: a text encoder, a codec, and a decoder over its codes."""

    id = "codec_lm"
    phrase = "codec language model"
    objective = "autoregressive prediction of the codes of a neural codec"
    covers = {
        "inputs": frozenset({"text", "audio"}),
        "outputs": frozenset({"audio"}),
        "objective": frozenset({"autoregressive"}),
        "task": frozenset({"generation", "text_to_speech"}),
        "family": frozenset({"transformer"}),
    }
    served_as = "generation: sound is drawn frame by frame"
    unit = "clip"
    rate_unit = "samples/s"
    passes = "frame"
    children = ("text_encoder", "codec", "lm")
    table = TABLE
    aliases = ALIASES
    floor = {"d_model": 32, "n_layers": 1, "n_heads": 1, "head_dim": 32, "d_ff": 64}
    top = "audio_generator"
    exports = ("AudioGenerator", "build_model")
    networks = {"prompt_encoder": "text_encoder", "codec": "codec", "code_lm": "lm"}
    programs = ("text", "common", "sound", "music")
    settings = SETTINGS
    learning_rate = 1e-4
    learning_rate_source = "Copet et al., 2023, section 4.1"
    recipe = {"weight_decay": 0.01}
    shown = {
        "n_layers": "Layers",
        "d_model": "Width",
        "n_heads": "Attention heads",
        "d_ff": "Feed-forward width",
        "n_codebooks": "Codebooks",
        "codebook_size": "Codes of a codebook",
        "num_filters": "Filters of the codec",
        "text_d_model": "Width of the text encoder",
        "frames": "Frames of a clip",
        "sample_rate": "Sampling rate (Hz)",
    }
    nodes = (
        Node("text_encoder", "text encoder", ("text_encoder", "text_proj"), into="lm"),
        Node("melody", "pitch classes of the melody", ("melody_proj",), into="lm"),
        Node("codes", "codes of the frames so far"),
        Node("lm", "language model of codes", ("lm",)),
        Node("codec", "neural codec", ("codec",)),
        Node("loss", "cross-entropy of codes, and what the codec loses"),
    )
    batch = 192  # Copet et al., 2023, section 3.1
    most_units_per_param = 0.5

    # -- dimensions ---------------------------------------------------------------------------

    def given(self, spec: Any) -> dict[str, Any]:
        pins, _ = read_pins(self.table, self.aliases, spec.architecture.dims or {})
        speech = spec.task.type == "text_to_speech"
        conditioned = "text" in spec.modality.inputs or "audio" not in spec.modality.inputs
        dims = {
            "sample_rate": 24_000 if speech else 32_000,
            "sound": "speech" if speech else "music",
            "conditioned": conditioned,
            "melodic": conditioned and "audio" in spec.modality.inputs,
            **{k: v for k, v in sound_dims(spec).items() if k == "sample_rate"},
        }
        rate = pins.get("sample_rate", dims["sample_rate"])
        dims["ratios"] = customary_ratios(rate)
        seconds = min(spec.task.seconds or SECONDS[dims["sound"]], MOST_SECONDS)
        hop = prod(pins.get("ratios", dims["ratios"]))
        return dims | {"frames": max(4, round(seconds * rate / hop))}

    def contradictions(self, pins: Mapping[str, Any]) -> list[Problem]:
        problems = [*codec_problems(pins), *latents.prompt_problems(pins)]
        rules = (
            ("d_model", pins.get("d_model", 2) % 2, "positions come in pairs", "an even number"),
            ("audio_channels", pins.get("audio_channels", 1) != 1, "sound has one channel", "1"),
            ("melodic", pins.get("melodic") and not pins.get("conditioned", True),
             "a melody stands beside a prompt", "false, or conditioned: true"),
            ("frames", pins.get("melodic") and pins.get("melody_stride", 1) > pins.get(
                "frames", inf), "a clip has no room for a pitch of its melody", None),
        )  # fmt: skip
        return problems + [
            Problem(f"architecture.dims.{name}", message, allowed=allowed)
            for name, broken, message, allowed in rules
            if broken
        ]

    def base(self, budget: float, frame: Frame) -> dict[str, Any]:
        dims = {name: dim.default for name, dim in self.table.items()}
        dims |= {"sample_rate": 32_000, "ratios": customary_ratios(32_000)}
        decided = dict(frame.given) | dict(frame.pins)
        _, dims["n_codebooks"], dims["codebook_size"] = next(b for b in _BOOKS if budget < b[0])
        dims |= decided
        dims |= codec_dims(_CODEC_SHARE * budget, dims) | dict(frame.pins)
        if dims["conditioned"]:
            room = min(_TEXT_SHARE * budget, _MOST_TEXT)
            dims |= latents.prompt_dims(room, budget) | dict(frame.pins)
        else:
            dims |= {"guidance_scale": 1.0, "melodic": False}
            dims = {n: v for n, v in dims.items() if n not in latents.PROMPT or n in frame.pins}
        return dims

    def build(self, dims: Mapping[str, Any]) -> CodecLM:
        return CodecLM(dims)

    def block(self, dims: Mapping[str, Any]) -> CodeBlock:
        return CodeBlock(dims, memory_positions(dims))

    def shapes(self, budget: float, frame: Frame) -> list[Shape]:
        """The language model's; the other networks stand on ladders of published ones."""
        return stack_shapes(self, budget, replace(frame, counts={}))

    def aspect(self, budget: float) -> float:
        return interpolate(ASPECT, log10(max(budget, 1e5)))

    def bulk(self, dims: Mapping[str, Any]) -> float:
        """Two attentions, of which a model that is not conditioned has one, and an MLP."""
        return 16.0 if dims["conditioned"] else 12.0

    # -- costs --------------------------------------------------------------------------------

    def length(self, dims: Mapping[str, Any]) -> int:
        """Steps in which a clip is drawn: the last codebook lags behind the first."""
        return dims["frames"] + dims["n_codebooks"] - 1

    def work(self, model: Part, dims: Mapping[str, Any]) -> Work:
        """FLOPs of a clip, without guidance, over its frames."""
        at = f"a clip of {dims['frames']:,} frames, decoded"
        if dims["conditioned"]:
            at += f", for a prompt of {dims['prompt_length']} tokens"
        return Work(model.flops(1, self.length(dims)), dims["frames"], at)

    def training_work(self, model: Part, dims: Mapping[str, Any]) -> Work:
        """The codec works both ways while it learns."""
        codec, steps = model.children["codec"], self.length(dims)
        learns = codec.training(1, dims["frames"] * codec.hop)
        flops = _without(model, "codec", steps) + learns
        return Work(flops, 1, f"one training clip of {dims['frames']:,} frames")

    def finished(self, model: Part, dims: Mapping[str, Any]) -> Work:
        """The guided language model reads everything twice; the codec decodes once."""
        steps, seconds = self.length(dims), dims["frames"] * _hop(dims) / dims["sample_rate"]
        flops = _without(model, "codec", steps) * self.passes_of(dims)
        at = f"one finished clip of {seconds:.3g} s"
        if self.passes_of(dims) > 1:
            at += ", each step with and without the prompt"
        return Work(flops + model.children["codec"].flops(1, steps), 1, at)

    def passes_of(self, dims: Mapping[str, Any]) -> int:
        """Sequences that the language model reads for one clip."""
        return 2 if dims["conditioned"] and dims["guidance_scale"] != 1.0 else 1

    def activations(self, model: Part, dims: Mapping[str, Any], context: int) -> float:
        """The widest stage of the codec's decoder, or the language model's first pass."""
        samples = dims["frames"] * _hop(dims)
        decoder = live_elements(dims, samples) * estimates.ACTIVATION_BYTES + 4 * samples
        width = dims["n_heads"] * dims["head_dim"]
        each = 2 * dims["d_model"] + max(4 * width, 2 * dims["d_ff"])
        states = memory_positions(dims) * 2 * width
        scores = dims["n_codebooks"] * dims["codebook_size"]
        step = self.passes_of(dims) * (each + states + scores) * estimates.ACTIVATION_BYTES
        prompt = latents.prompt_activations(dims) if dims["conditioned"] else 0.0
        return max(decoder, step + prompt)

    def saved_activations(
        self, dims: Mapping[str, Any], units: int, *, checkpointing: bool
    ) -> float:
        """Of all networks at once, as while the codec learns; `units` are clips."""
        samples = dims["frames"] * _hop(dims)
        codec = kept_elements(dims, samples, checkpointing=checkpointing)
        kept = codec * estimates.ACTIVATION_BYTES + SPECTRA * 4 * samples
        width, d_model, layers = (
            dims["n_heads"] * dims["head_dim"],
            dims["d_model"],
            dims["n_layers"],
        )
        own = 4 * d_model + 4 * width + 2 * dims["d_ff"]
        if dims["conditioned"]:
            kept += latents.prompt_saved(dims, checkpointing=checkpointing)
            own += 2 * d_model + 2 * width
        states = 2 * width * memory_positions(dims)  # of a block
        each = self.length(dims) * own + states
        whole = self.length(dims) * d_model * layers + each if checkpointing else layers * each
        scores = self.length(dims) * dims["n_codebooks"] * dims["codebook_size"]
        return units * (kept + whole * estimates.ACTIVATION_BYTES + 2 * 4 * scores)

    def memory(
        self, model: Part, dims: Mapping[str, Any], precision: str, context: int, device: Device
    ) -> estimates.Memory:
        """Keys and values of the whole clip, twice with guidance."""
        plain = super().memory(model, dims, precision, context, device)
        state = estimates.state_bytes(model, self.length(dims)) * self.passes_of(dims)
        return replace(plain, state=state)

    def pace(
        self, model: Part, dims: Mapping[str, Any], precision: str, context: int, device: Device
    ) -> SoundPace:
        """Every step reads the language model and half of the state; then the codec decodes."""
        lm, steps = model.children["lm"], self.length(dims)
        weights = estimates.weight_bytes(lm, precision)
        state = estimates.state_bytes(lm, steps // 2) * self.passes_of(dims)
        moved = steps * (weights + state) / (device.bandwidth * estimates.BANDWIDTH_EFFICIENCY)
        flops = lm.flops(1, steps).causal * self.passes_of(dims)
        seconds = max(moved, flops / (device.peak * estimates.PREFILL_EFFICIENCY))
        others = estimates.weight_bytes(model, precision) - weights
        rest = _without(model, "lm", steps).causal
        seconds += estimates.pass_seconds(rest, others, device)
        sound = dims["frames"] * _hop(dims) / dims["sample_rate"]
        method = f"roofline on {device.name}, {steps:,} steps and the decoder for {sound:.3g} s"
        return SoundPace(1 / seconds, seconds, method, sound)

    too_slow = CodecTopology.too_slow
    latency_asked = CodecTopology.latency_asked
    latency_achieved = CodecTopology.latency_achieved

    # -- code and documents -------------------------------------------------------------------

    def switches(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        attention = {"pos": "sinusoidal", "attn_bias": False, "key_bias": False}
        mlp = {"mlp": "plain", "mlp_bias": False, "activation": "gelu"}
        bpe = latents.prompt_switches(dims) if dims["conditioned"] else {"bpe": False}
        own = super().switches(dims) | attention | mlp | bpe | _PLAIN
        return own | {"attn_scale": True, "staged": True}

    def fields(self, dims: Mapping[str, Any]) -> dict[str, str]:
        absent = set()
        if not dims["conditioned"]:
            absent |= {*latents.PROMPT, "guidance_scale", "dropout_condition"}
        if not dims["melodic"]:
            absent.add("melody_stride")
        return {n: f for n, f in super().fields(dims).items() if n not in absent}

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        stages = (min(ratio, 4 if i < 3 else 2) for i, ratio in enumerate(dims["ratios"]))
        frames = min(32, dims["frames"])
        codec = tiny_codec(dims) | {
            "sample_rate": min(4000, dims["sample_rate"]),
            "ratios": tuple(stages),
            "num_filters": min(4, dims["num_filters"]),
        }
        small = codec | (latents.prompt_tiny(dims) if dims["conditioned"] else {})
        return small | {
            "frames": frames,
            "melody_stride": min(2, dims["melody_stride"]),
            "guidance_scale": min(2.0, dims["guidance_scale"]),
            "d_model": min(96, dims["d_model"]),
            "n_layers": min(3, dims["n_layers"]),
            "n_heads": min(4, dims["n_heads"]),
            "head_dim": min(24, dims["head_dim"]),
            "d_ff": min(256, dims["d_ff"]),
            "steps": 600,
            "global_batch": 16,
            "micro_batch": 16,
            "learning_rate": 0.003,
            "warmup_steps": 20,
            "codec_share": 0.35,
            "log_interval": 50,
            "eval_interval": 200,
            "eval_samples": 48,
            "checkpoint_interval": 200,
        }

    def network_files(self, switches: Mapping[str, Any]) -> Mapping[str, str]:
        told = switches["conditioned"]
        return {p: f for p, f in self.networks.items() if told or p != "prompt_encoder"}

    def folders(self, switches: Mapping[str, Any]) -> tuple[str, ...]:
        speech = ("speech",) if switches["sound"] == "speech" else ()
        melody = ("music_melody",) if switches["melodic"] else ()
        continued = () if switches["conditioned"] else ("music_continued",)
        return (*self.programs, *speech, *melody, *continued)

    def idle_programs(self, switches: Mapping[str, Any]) -> tuple[str, ...]:
        idle = ("accumulation",)  # codebooks follow every micro-batch
        if not switches["conditioned"]:
            idle += ("tokenizer", "prompts")
        elif not switches["melodic"]:
            idle += ("starts",)
        return idle if switches["bpe"] else (*idle, "bpe")

    def words(self, spec: Any, dims: Mapping[str, Any]) -> dict[str, str]:
        if not dims["conditioned"]:
            return {"infer_args": "--opening sound.wav"}
        said = "sa mi to" if dims["sound"] == "speech" else "a low saw arpeggio, fast"
        byte_level = not latents.prompt_switches(dims)["bpe"]
        return {
            "tokenizer": "byte-level" if byte_level else "byte-level BPE",
            "infer_args": f"--text '{said}'",
        }

    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        books, width = dims["n_codebooks"], dims["d_model"]
        states = memory_positions(dims)
        told = dims.get("prompt_length") or 0
        return {
            "text_encoder": ["batch", told, width],
            "melody": ["batch", states - told, width],
            "codes": ["batch", books, self.length(dims)],
            "lm": ["batch", books, self.length(dims), dims["codebook_size"]],
            "codec": ["batch", 1, dims["frames"] * _hop(dims)],
            "loss": [],
        }

    def alternatives(self, dims: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        yield from super().alternatives(dims)
        if dims["melodic"]:
            yield "Melody", "the melody: the prompt alone is followed", {"melodic": False}
        if dims["n_codebooks"] > 1:
            half = dims["n_codebooks"] // 2
            removed = f"half of the codebooks: {half} remain, and fewer bits a second"
            yield "Codebooks", removed, {"n_codebooks": half}
        if dims["conditioned"] and dims["text_n_layers"] > 1:
            half = dims["text_n_layers"] // 2
            removed = f"half of the text encoder's layers: {half} remain"
            yield "Text depth", removed, {"text_n_layers": half}


def _hop(dims: Mapping[str, Any]) -> int:
    """Samples of a frame."""
    return prod(dims["ratios"])


def _without(model: Part, name: str, steps: int) -> Flops:
    """FLOPs of all networks but one."""
    others = (part for child, part in model.children.items() if child != name)
    return sum((part.flops(1, steps) for part in others), Flops())


def customary_ratios(rate: int) -> tuple[int, ...]:
    """Four ratios, falling, that leave about `FRAME_RATE` frames of a second of sound."""
    wanted = max(1.0, rate / FRAME_RATE)

    def oddness(ratios: tuple[int, ...]) -> tuple[float, int]:
        return round(abs(log2(prod(ratios) / wanted)), 6), ratios[-1] - ratios[0]

    most = 8 if wanted <= 8**4 else 64
    found = min(combinations_with_replacement(range(1, most + 1), 4), key=oddness)
    return tuple(reversed(found))


def codec_dims(room: float, dims: Mapping[str, Any]) -> dict[str, Any]:
    """The dimensions of the largest customary codec of at most `room` parameters."""
    found: dict[str, Any] = {}
    for filters, recurrent, features in _CODECS:
        trial = {"num_filters": filters, "n_lstm_layers": recurrent, "codebook_dim": features}
        trial["n_residual_layers"] = 1
        if found and Codec({**dims, **trial}).count() > room:
            break
        found = trial
    return found
