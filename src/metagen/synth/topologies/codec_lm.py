"""Sound from language models of codes: told in words, given a melody, or continued."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from itertools import combinations_with_replacement
from math import inf, log2, log10, prod
from typing import Any

from ...specs.errors import Problem
from ..dims import Dim, broken_rules, choice, flag, number, real
from ..parts.base import Flops, Part
from ..parts.code_lm import CodeBlock
from ..parts.codec import Codec
from ..parts.codec_lm import CodecLM, memory_positions
from ..solver import Frame, interpolate
from . import latents
from .audio_codec import (
    CODEC,
    CODEC_ALIASES,
    codec_problems,
)
from .base import Node, Work, short_run
from .sound_generators import SOUND_DATA, SoundGenerator, samples_of, seconds_of

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
    **SOUND_DATA,
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


class CodecLmTopology(SoundGenerator):
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
    passes = "frame"
    children = ("text_encoder", "codec", "lm")
    rates = {"music": 32_000, "speech": 24_000}
    seconds = {"music": 30, "speech": 10}
    told_by = "--text"
    table = TABLE
    aliases = ALIASES
    floor = {"d_model": 32, "n_layers": 1, "n_heads": 1, "head_dim": 32, "d_ff": 64}
    top = "audio_generator"
    exports = ("AudioGenerator", "build_model")
    networks = {"prompt_encoder": "text_encoder", "codec": "codec", "code_lm": "lm"}
    programs = ("text", "common", "reading", "corpus", "prompts", "sound", "music")
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
        Node("text_encoder", "text encoder", ("text_encoder", "text_proj"), into=("lm",)),
        Node("melody", "pitch classes of the melody", ("melody_proj",), into=("lm",)),
        Node("codes", "codes of the frames so far"),
        Node("lm", "language model of codes", ("lm",)),
        Node("codec", "neural codec", ("codec",)),
        Node("loss", "cross-entropy of codes, and what the codec loses"),
    )
    batch = 192  # Copet et al., 2023, section 3.1
    most_units_per_param = 0.5

    # -- dimensions ---------------------------------------------------------------------------

    def ratios(self, rate: int) -> tuple[int, ...]:
        return customary_ratios(rate)

    def given(self, spec: Any) -> dict[str, Any]:
        inputs = spec.modality.inputs
        conditioned = "text" in inputs or "audio" not in inputs
        melodic = conditioned and "audio" in inputs
        return super().given(spec) | {"conditioned": conditioned, "melodic": melodic}

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
        return problems + broken_rules(rules)

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

    def state_bytes(self, model: Part, dims: Mapping[str, Any], context: int) -> float:
        """Keys and values of the whole clip, twice with guidance."""
        return super().state_bytes(model, dims, self.length(dims)) * self.passes_of(dims)

    def answered(self, dims: Mapping[str, Any]) -> str:
        return f"{self.length(dims):,} steps and the decoder for {seconds_of(dims):.3g} s"

    def finished(self, model: Part, dims: Mapping[str, Any]) -> Work:
        """The guided language model reads everything twice; the codec decodes once."""
        steps, seconds = self.length(dims), seconds_of(dims)
        flops = _without(model, "codec", steps) * self.passes_of(dims)
        at = f"one finished clip of {seconds:.3g} s"
        if self.passes_of(dims) > 1:
            at += ", each step with and without the prompt"
        return Work(flops + model.children["codec"].flops(1, steps), 1, at)

    def passes_of(self, dims: Mapping[str, Any]) -> int:
        """Sequences that the language model reads for one clip."""
        return 2 if dims["conditioned"] and dims["guidance_scale"] != 1.0 else 1

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
        return self.tiny_networks(dims) | {
            "frames": min(32, dims["frames"]),
            "melody_stride": min(2, dims["melody_stride"]),
            "guidance_scale": min(2.0, dims["guidance_scale"]),
            "d_model": min(96, dims["d_model"]),
            "n_layers": min(3, dims["n_layers"]),
            "n_heads": min(4, dims["n_heads"]),
            "head_dim": min(24, dims["head_dim"]),
            "d_ff": min(256, dims["d_ff"]),
            **short_run(steps=600, batch=16, learning_rate=0.003, warmup=20),
            "codec_share": 0.35,
            "log_interval": 50,
            "eval_interval": 200,
            "eval_samples": 48,
            "checkpoint_interval": 200,
        }

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

    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        books, width = dims["n_codebooks"], dims["d_model"]
        states = memory_positions(dims)
        told = dims.get("prompt_length") or 0
        return {
            "text_encoder": ["batch", told, width],
            "melody": ["batch", states - told, width],
            "codes": ["batch", books, self.length(dims)],
            "lm": ["batch", books, self.length(dims), dims["codebook_size"]],
            "codec": ["batch", 1, samples_of(dims)],
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
        if dims["conditioned"]:
            yield from latents.prompt_alternatives(dims, "text encoder")


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
