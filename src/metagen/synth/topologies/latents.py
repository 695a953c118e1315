"""What releases of several networks share: the autoencoder of pictures and the prompt encoder.

Their dimensions, customary sizes by parameters, and tiny presets. Inside a release both are chosen
from a ladder, and the generator between them fills what is left of the budget.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Mapping
from math import inf
from typing import Any

from ...specs.errors import Problem
from ..dims import Dim, flag, number, real
from ..parts.autoencoder_kl import Autoencoder
from ..parts.prompt_encoder import PromptEncoder
from ..solver import below
from .decoder_lm import BYTE_VOCABULARY, MIN_VOCAB, VOCABULARY

AUTOENCODER: Mapping[str, Dim] = {
    "ae_channels": Dim(None, "channels of the autoencoder's stages, each of half the side before",
                       high=2**18, kind="list"),
    "ae_layers_per_block": number(2, "blocks of a stage of the autoencoder", high=8),
    "latent_channels": number(4, "channels of the autoencoder's code", high=4096),
    "ae_groups": number(32, "groups of the autoencoder's normalisation", high=4096),
    "kl_weight": real(1e-6, "weight of the code's divergence from noise", high=1e3),
    "ae_quant_conv": flag(True, "1x1 convolution of the code's moments"),
    "ae_post_quant_conv": flag(True, "1x1 convolution of the code before the decoder"),
    "ae_mid_attention": flag(True, "attention at the autoencoder's lowest resolution"),
}  # fmt: skip

#: What published configurations of autoencoders call the same.
AUTOENCODER_ALIASES: Mapping[str, str] = {
    "block_out_channels": "ae_channels",
    "layers_per_block": "ae_layers_per_block",
    "norm_num_groups": "ae_groups",
    "use_quant_conv": "ae_quant_conv",
    "use_post_quant_conv": "ae_post_quant_conv",
    "mid_block_add_attention": "ae_mid_attention",
    "in_channels": "channels",
    "sample_size": "image_size",
}

PROMPT: Mapping[str, Dim] = {
    "vocab_size": number(None, "rows of the token embedding", low=MIN_VOCAB),
    "prompt_length": number(64, "tokens of a prompt, its end included", low=2, high=2**16),
    "text_d_model": number(None, "width of the prompt encoder", low=4, high=2**18),
    "text_n_layers": number(None, "blocks of the prompt encoder", high=2048),
    "text_n_heads": number(None, "attention heads of the prompt encoder", high=4096),
    "text_d_ff": number(None, "hidden width of the prompt encoder's MLP", high=2**20),
}

#: Autoencoders inside a release: width of the first stage, blocks of a stage, and the widest stage
#: over the first. 128, 2 and 4 are those of Rombach et al. (2022).
_AE_LADDER = ((4, 1, 1), (4, 1, 2), (4, 1, 4), (8, 1, 2), (8, 1, 4), (12, 1, 4), (16, 1, 4),
              (24, 1, 4), (32, 1, 4), (32, 2, 4), (48, 2, 4), (64, 2, 4), (96, 2, 4), (128, 2, 4),
              (192, 2, 4), (256, 3, 4))  # fmt: skip

#: Prompt encoders: width and blocks. 768 x 12 and 1024 x 24 are those of CLIP, 4096 x 24 of T5-XXL.
_PROMPT_LADDER = ((16, 1), (32, 1), (48, 2), (64, 2), (96, 2), (128, 2), (192, 4), (256, 4),
                  (384, 6), (512, 8), (768, 12), (1024, 24), (1280, 32), (2048, 24), (4096, 24),
                  (5120, 40), (8192, 48))  # fmt: skip

#: Code channels by the parameters of a release: 4 (Rombach et al., 2022), 16 (Esser et al., 2024).
_CODES = ((1.5e9, 4), (inf, 16))


# -- autoencoder ----------------------------------------------------------------------------------


def downsampling(dims: Mapping[str, Any]) -> int:
    """Pixels of a side for each place of a code."""
    return 2 ** (len(dims["ae_channels"]) - 1)


def latent_size(dims: Mapping[str, Any]) -> int:
    """Side of the code of a picture."""
    return dims["image_size"] // downsampling(dims)


def customary_stages(image_size: int) -> int:
    """Stages of an autoencoder: a side of 8 for 256 pixels and more, then 4, 2 and 1.

    Fewer where the side cannot be halved that often.
    """
    wanted = 4 if image_size >= 256 else 3 if image_size >= 64 else 2 if image_size >= 8 else 1
    return next(n for n in range(wanted, 0, -1) if image_size % 2 ** (n - 1) == 0)


def stage_widths(base: int, stages: int, most: int = 4) -> tuple[int, ...]:
    """Channels that double from stage to stage, up to `most` times the first stage's."""
    return tuple(base * min(2**i, most) for i in range(stages))


def groups_of(widths: tuple[int, ...] | list[int]) -> int:
    """Groups of normalisation: 32 where they divide every width, else about a quarter of it."""
    least = min(widths)
    wanted = 32 if least >= 32 else max(1, least // 4)
    return next(g for g in range(wanted, 0, -1) if all(width % g == 0 for width in widths))


def autoencoder_dims(
    room: float,
    image_size: int,
    channels: int = 3,
    release: float = 0.0,
    counts: dict[tuple[Any, ...], tuple[int, int]] | None = None,
) -> dict[str, Any]:
    """The AUTOENCODER dimensions of the largest customary autoencoder of at most `room` parameters.

    `release` is the budget of all networks, by which the channels of the code are chosen. The
    smallest of the ladder is returned where none fits. `counts` remembers what was counted.
    """
    counts = {} if counts is None else counts
    fixed = {name: dim.default for name, dim in AUTOENCODER.items()}
    fixed |= {"latent_channels": below(_CODES, release), "channels": channels}
    stages = customary_stages(image_size)

    def step(base: int, layers: int, most: int) -> dict[str, Any]:
        widths = stage_widths(base, stages, most)
        groups = groups_of(widths)
        return fixed | {"ae_channels": widths, "ae_layers_per_block": layers, "ae_groups": groups}

    def params(ladder: tuple[int, int, int]) -> int:
        key = ("autoencoder", *ladder, stages, channels, fixed["latent_channels"])
        if key not in counts:
            counts[key] = autoencoder_params(step(*ladder)), 0
        return counts[key][0]

    found = step(*_AE_LADDER[max(1, bisect_right(_AE_LADDER, room, key=params)) - 1])
    return {name: value for name, value in found.items() if name != "channels"}


def autoencoder_params(dims: Mapping[str, Any]) -> int:
    """Parameters of the autoencoder, whatever the size of pictures."""
    switches = ("ae_quant_conv", "ae_post_quant_conv", "ae_mid_attention")
    numbers = ("ae_layers_per_block", "ae_groups", "latent_channels", "channels")
    facts = {name: dims[name] for name in (*numbers, *switches, "ae_channels")}
    return Autoencoder(facts | {"image_size": 8}).count()


def autoencoder_switches(dims: Mapping[str, Any], *, unit_latents: bool) -> dict[str, Any]:
    """The switches of `autoencoder_kl.py`; codes of unit scale are for what diffuses them."""
    return {n: dims[n] for n, d in AUTOENCODER.items() if d.switch} | {
        "ae_unit_latents": unit_latents
    }


def autoencoder_problems(pins: Mapping[str, Any]) -> Iterator[Problem]:
    """Pinned dimensions of an autoencoder, with what the spec gives, that cannot be."""
    where = "architecture.dims.ae_"
    widths, groups = pins.get("ae_channels"), pins.get("ae_groups")
    if widths is not None and not (isinstance(widths, list | tuple) and len(widths) <= 8):
        yield Problem(f"{where}channels", "needs a list of one to eight widths")
        return
    if widths and groups and any(width % groups for width in widths):
        yield Problem(f"{where}groups", f"{groups} does not divide every one of ae_channels")
    size = pins.get("image_size")
    if widths and size and size % 2 ** (len(widths) - 1):
        message = f"{size} cannot be halved {len(widths) - 1} times"
        yield Problem("architecture.dims.image_size", message)


def autoencoder_tiny(dims: Mapping[str, Any], image_size: int) -> dict[str, Any]:
    """The autoencoder of the tiny preset, never above the full one."""
    stages = min(len(dims["ae_channels"]), 3, customary_stages(image_size) + 1)
    while image_size % 2 ** (stages - 1):
        stages -= 1
    widths = tuple(map(min, (16, 32, 32), dims["ae_channels"][:stages]))
    groups = min(dims["ae_groups"], 8)
    return {
        "ae_channels": widths,
        "ae_layers_per_block": 1,
        "latent_channels": min(4, dims["latent_channels"]),
        "ae_groups": next(g for g in range(groups, 0, -1) if all(w % g == 0 for w in widths)),
    }


# -- prompt encoder -------------------------------------------------------------------------------


def prompt_dims(room: float, release: float = 0.0) -> dict[str, Any]:
    """The PROMPT dimensions of the largest customary prompt encoder of at most `room` parameters.

    `release` is the budget of all networks, by which the vocabulary is chosen. The smallest of
    the ladder is returned where none fits.
    """
    fixed = {name: dim.default for name, dim in PROMPT.items()}
    fixed["vocab_size"] = below(VOCABULARY, min(release, room * 4))

    def step(width: int, layers: int) -> dict[str, Any]:
        heads = width // 64 if width >= 256 else 4 if width >= 64 else 2
        found = {"text_d_model": width, "text_n_layers": layers}
        return fixed | found | {"text_n_heads": heads, "text_d_ff": 4 * width}

    def params(ladder: tuple[int, int]) -> int:
        return prompt_params(step(*ladder))

    return step(*_PROMPT_LADDER[max(1, bisect_right(_PROMPT_LADDER, room, key=params)) - 1])


def prompt_params(dims: Mapping[str, Any]) -> int:
    """Parameters of the prompt encoder."""
    return PromptEncoder(dims).count()


def prompt_switches(dims: Mapping[str, Any]) -> dict[str, Any]:
    """The switch of the programs that read text: whether the vocabulary is learned."""
    return {"bpe": dims["vocab_size"] > BYTE_VOCABULARY}


def prompt_problems(pins: Mapping[str, Any]) -> Iterator[Problem]:
    """Pinned dimensions of a prompt encoder that cannot be."""
    width, heads = pins.get("text_d_model"), pins.get("text_n_heads")
    if width and heads and width % heads:
        message = f"{heads} does not divide text_d_model ({width})"
        yield Problem("architecture.dims.text_n_heads", message)


def prompt_tiny(dims: Mapping[str, Any]) -> dict[str, Any]:
    """The prompt encoder of the tiny preset, never above the full one."""
    width = min(64, dims["text_d_model"])
    heads = (n for n in (4, 3, 2, 1) if n <= dims["text_n_heads"] and width % n == 0)
    return {
        "vocab_size": min(BYTE_VOCABULARY, dims["vocab_size"]),
        "prompt_length": min(48, dims["prompt_length"]),
        "text_d_model": width,
        "text_n_layers": min(2, dims["text_n_layers"]),
        "text_n_heads": next(heads),
        "text_d_ff": min(128, dims["text_d_ff"]),
    }


def prompt_alternatives(
    dims: Mapping[str, Any], called: str = "prompt encoder"
) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """What may be ablated of a prompt encoder."""
    half = dims["text_n_layers"] // 2
    if half:
        removed = f"half of the {called}'s layers: {half} remain"
        yield "Text depth", removed, {"text_n_layers": half}
