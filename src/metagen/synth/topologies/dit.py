"""Pictures by diffusion transformers: DiT, told a class, and MM-DiT, told a prompt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import ceil, log2, log10
from typing import Any

from ...specs.errors import Problem
from ..dims import Dim, choice, flag, number
from ..parts.base import Part
from ..parts.dit import Dit
from ..parts.image_diffusion import beside, diffused
from ..parts.mmdit import Mmdit
from ..solver import SMALL, Frame, Shape, below, best_shapes, interpolate
from . import latents
from .image_diffusion import PICTURES, ImageDiffusionTopology

#: What both transformers are described by.
TRANSFORMER: Mapping[str, Dim] = {
    "d_model": number(None, "width of the residual stream", low=8, high=2**18),
    "n_layers": number(None, "number of blocks", high=2048),
    "n_heads": number(None, "attention heads", high=4096),
    "d_ff": number(None, "hidden width of the MLP", high=2**20),
    "patch_size": number(None, "side of a patch, in pixels or places of the code", high=1024),
    "time_features": number(256, "sinusoids that a time is told by", low=2, high=2**16),
}

DIT: Mapping[str, Dim] = {
    **PICTURES,
    **TRANSFORMER,
    "learned_variance": flag(False, "a second half of the output says how sure a step is"),
    **latents.AUTOENCODER,
}

MMDIT: Mapping[str, Dim] = {
    **PICTURES,
    **TRANSFORMER,
    "pooled_dim": number(None, "features of the prompt's mean that are read", high=2**18),
    "stream_norm": choice("none", "norm of queries and keys", "none", "rmsnorm"),
    "dual_layers": number(0, "first blocks whose patches also attend alone", low=0, high=2048),
    "largest_grid": number(None, "patches of a side that positions are kept for", high=2**14),
    **latents.PROMPT,
    **latents.AUTOENCODER,
}

#: What published configurations call the same.
ALIASES: Mapping[str, str] = {
    "hidden_size": "d_model",
    "depth": "n_layers",
    "num_layers": "n_layers",
    "num_heads": "n_heads",
    "num_attention_heads": "n_heads",
    "joint_attention_dim": "text_d_model",
    "pooled_projection_dim": "pooled_dim",
    "pos_embed_max_size": "largest_grid",
    "qk_norm": "stream_norm",
    "learn_sigma": "learned_variance",
    "num_inference_steps": "sampling_steps",
}

#: (log10 of the denoiser's parameters, d_model / n_layers): DiT-S, B, L and XL, SD3 2B and 8B.
ASPECT = ((4.5, 10), (6, 14), (7.5, 32), (8.1, 60), (8.7, 42), (9.3, 64), (10, 64), (12, 128))

#: (parameters of the denoiser, grid of d_model).
_GRID = ((3e6, 16), (1e9, 64), (1e10, 128), (1e11, 256), (float("inf"), 512))

#: Dimensions that the size of a denoiser depends on, beside its depth and MLP.
_FACTS = ("d_model", "n_heads", "patch_size", "time_features", "condition", "num_classes")
_FACTS += ("learned_variance", "text_d_model", "prompt_length", "pooled_dim", "stream_norm")
_FACTS += ("dual_layers", "largest_grid")

#: Coefficients of 1 and n_layers, and of the same times d_ff.
_Bilinear = tuple[tuple[int, int], tuple[int, int]]


class DiffusionTransformer(ImageDiffusionTopology):
    """What the two transformers share: their search, and costs of a stack over patches."""

    covers = ImageDiffusionTopology.covers | {"family": frozenset({"transformer", "diffusion"})}
    shown = {
        "image_size": "Image size",
        "n_layers": "Layers",
        "d_model": "Width",
        "n_heads": "Attention heads",
        "d_ff": "Feed-forward width",
        "patch_size": "Patch size",
        "latent_channels": "Channels of the code",
        "sampling_steps": "Denoising steps",
    }
    floor = {"d_model": 16, "n_layers": 1, "n_heads": 1, "d_ff": 32}
    #: Parameters of a customary block, in squares of d_model.
    customary = 18.0

    def __init__(self) -> None:
        self.known: dict[Any, _Bilinear] = {}  # what one plan has counted

    def contradictions(self, pins: Mapping[str, Any]) -> list[Problem]:
        problems, where = super().contradictions(pins), "architecture.dims."
        width, heads = pins.get("d_model"), pins.get("n_heads")
        if width and width % 4:
            message = f"{width} is not a multiple of 4, which positions in two directions need"
            problems.append(Problem(f"{where}d_model", message))
        elif width and heads and width % heads:
            message = f"{heads} does not divide d_model ({width})"
            problems.append(Problem(f"{where}n_heads", message))
        if not problems and "patch_size" in pins:
            problems += self._uneven(pins)
        return problems

    def _uneven(self, pins: Mapping[str, Any]) -> Iterator[Problem]:
        """A patch that does not divide the maps which may be denoised."""
        sides = {diffused(self.base(budget, Frame(pins)))[1] for budget in (1e5, 1e8, 1e12)}
        rest = [side for side in sorted(sides) if side % pins["patch_size"]]
        if rest:
            message = f"{pins['patch_size']} does not divide the side of what is denoised"
            yield Problem("architecture.dims.patch_size", f"{message} ({rest[0]})")

    def base(self, budget: float, frame: Frame) -> dict[str, Any]:
        dims = super().base(budget, frame)
        if dims["patch_size"] is None:
            side = diffused(dims)[1]
            dims["patch_size"] = patch_of(side, 2 if dims["space"] == "latent" else side / 16)
        return dims

    def shapes(self, budget: float, frame: Frame) -> list[Shape]:
        return best_shapes(lambda cap: _search(self, cap, frame), budget, bool(frame.pins))

    def tokens(self, dims: Mapping[str, Any]) -> int:
        """Positions that attend to each other."""
        return (diffused(dims)[1] // dims["patch_size"]) ** 2

    def length(self, dims: Mapping[str, Any]) -> int:
        return self.tokens(dims)

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        small = super().tiny(dims)
        small["image_size"] = size = min(16, dims["image_size"])
        if dims["space"] == "latent":  # two stages at most: 64 places of a code
            stages = min(2 - size % 2, len(small["ae_channels"]))
            small["ae_channels"] = small["ae_channels"][:stages]
            small["autoencoder_steps"] = 300
            size >>= stages - 1
        if dims["condition"] == "text":
            small |= {"prompt_length": min(32, dims["prompt_length"]), "steps": 500}
        return small | self.tiny_denoiser(dims, size)

    def tiny_denoiser(self, dims: Mapping[str, Any], side: int) -> dict[str, Any]:
        width = min(64, dims["d_model"] // 4 * 4)
        heads = min(4, dims["n_heads"])
        return {
            "patch_size": patch_of(side, min(side / 8, dims["patch_size"])),
            "d_model": width,
            "n_layers": min(4, dims["n_layers"]),
            "n_heads": next(n for n in range(heads, 0, -1) if width % n == 0),
            "d_ff": min(4 * width, dims["d_ff"]),
            "time_features": min(64, dims["time_features"]),
        }

    def alternatives(self, dims: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        yield from super().alternatives(dims)
        coarse = 2 * dims["patch_size"]
        if diffused(dims)[1] % coarse == 0:
            removed = f"every second row and column of patches: their side is {coarse}"
            yield "Fine patches", removed, {"patch_size": coarse}


class DitTopology(DiffusionTransformer):
    """A stack of blocks that time and class modulate (Peebles & Xie, 2023)."""

    id = "dit"
    phrase = "diffusion transformer"
    covers = DiffusionTransformer.covers | {"inputs": frozenset({"image"})}
    table = DIT
    aliases = ALIASES

    def given(self, spec: Any) -> dict[str, Any]:
        dims = super().given(spec)
        if dims["condition"] == "text":  # another modality stands where pictures would
            dims["condition"] = "class" if "num_classes" in dims else "none"
        return dims

    def denoiser(self, dims: Mapping[str, Any], reads: int, makes: int, side: int) -> Part:
        return Dit(dims, reads, 2 * makes if dims["learned_variance"] else makes, side)

    def contradictions(self, pins: Mapping[str, Any]) -> list[Problem]:
        problems = super().contradictions(pins)
        if pins.get("condition") == "text":
            message = "text: a prompt needs text among modality.inputs"
            problems.append(Problem("architecture.dims.condition", message))
        if pins.get("learned_variance") and pins.get("prediction", "noise") != "noise":
            message = f"needs prediction noise, not {pins['prediction']}"
            problems.append(Problem("architecture.dims.learned_variance", message))
        return problems


class MmditTopology(DiffusionTransformer):
    """Patches and prompt in two streams that share their attention (Esser et al., 2024)."""

    id = "mmdit"
    phrase = "two-stream diffusion transformer"
    table = MMDIT
    aliases = ALIASES
    customary = 36.0

    def given(self, spec: Any) -> dict[str, Any]:
        return super().given(spec) | {"condition": "text"}

    def denoiser(self, dims: Mapping[str, Any], reads: int, makes: int, side: int) -> Part:
        return Mmdit(dims, reads, makes, side)

    def contradictions(self, pins: Mapping[str, Any]) -> list[Problem]:
        problems, where = super().contradictions(pins), "architecture.dims."
        if pins.get("condition", "text") != "text":
            message = f"{pins['condition']}: the second stream is a prompt"
            problems.append(Problem(f"{where}condition", message))
        for name, most in (("pooled_dim", "text_d_model"), ("dual_layers", "n_layers")):
            if most in pins and pins.get(name, 0) > pins[most]:
                message = f"{pins[name]} is above {most} ({pins[most]})"
                problems.append(Problem(where + name, message))
        return problems

    def base(self, budget: float, frame: Frame) -> dict[str, Any]:
        dims = super().base(budget, frame)
        grid = diffused(dims)[1] // dims["patch_size"]
        dims["pooled_dim"] = dims["pooled_dim"] or dims["text_d_model"]
        dims["largest_grid"] = max(grid, dims["largest_grid"] or grid)
        return dims

    def tokens(self, dims: Mapping[str, Any]) -> int:
        return super().tokens(dims) + dims["prompt_length"]

    def switches(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        grid = diffused(dims)[1] // dims["patch_size"]
        return super().switches(dims) | {
            "dual": dims["dual_layers"] > 0,
            "spare_positions": dims["largest_grid"] > grid,
            "pooled_cut": dims["pooled_dim"] < dims["text_d_model"],
        }

    def fields(self, dims: Mapping[str, Any]) -> dict[str, str]:
        switches = self.switches(dims)
        needs = {"dual_layers": "dual", "largest_grid": "spare_positions"}
        absent = {name for name, switch in needs.items() if not switches[switch]}
        return {n: f for n, f in super().fields(dims).items() if n not in absent}

    def tiny_denoiser(self, dims: Mapping[str, Any], side: int) -> dict[str, Any]:
        small, switches = super().tiny_denoiser(dims, side), self.switches(dims)
        text = min(64, dims["text_d_model"])
        small["pooled_dim"] = max(1, text // 2) if switches["pooled_cut"] else text
        if switches["dual"]:
            small["dual_layers"] = min(small["n_layers"], 2, dims["dual_layers"])
        if switches["spare_positions"]:
            grid = side // small["patch_size"]
            small["largest_grid"] = max(grid + 1, min(2 * grid, dims["largest_grid"]))
        return small


def patch_of(side: int, wanted: float) -> int:
    """The side of a patch near `wanted` that divides the side of a map, at most 64 to a row."""
    wanted = max(1.0, wanted)

    def oddness(patch: int) -> float:
        return abs(log2(patch / wanted)) + 2 * max(0.0, log2(side / patch / 64))

    return min((p for p in range(1, side + 1) if side % p == 0), key=oddness)


def _search(topology: DiffusionTransformer, budget: float, frame: Frame) -> Iterator[Shape]:
    """Widths and depths near custom, with the MLP width that fills what is left of the budget."""
    base, pins = topology.base(budget, frame), frame.pins
    room = max(0.0, budget - topology.others(base))
    aspect = interpolate(ASPECT, log10(max(room, 3e4)))
    others = topology.others(base)
    step = 16 if room < SMALL else 64
    slack = 2.0 if room < 1e7 else 1.4
    for width in _widths(topology, room, aspect, pins):
        heads = pins.get("n_heads") or heads_of(width)
        each = _counts(topology, base | {"d_model": width, "n_heads": heads})
        for n_layers in _depths(width / aspect, max(1, base.get("dual_layers", 0)), pins):
            narrow, grows = (part[0] + part[1] * n_layers for part in each)
            fills = int((room - narrow) / grows) // step * step
            if "d_ff" in pins:
                choices = {pins["d_ff"]}
            else:
                most = max(step, int(4 * width * slack) // step * step)
                fills = max(step, min(fills, most))
                choices = {fills, max(step, fills // (4 * step) * 4 * step)}
            for d_ff in choices:
                params = others + narrow + grows * d_ff
                ratio = log2(d_ff / width / 4)
                score = log2(width / n_layers / aspect) ** 2 + 2 * ratio**2
                score += 4 * max(0.0, 1 - params / budget) if budget else 0.0
                score += 0.08 * (n_layers % 2) + 0.1 * (width // heads not in (64, 128))
                score += 0.12 * (d_ff % (4 * step) != 0)
                found = {"d_model": width, "n_layers": n_layers, "n_heads": heads, "d_ff": d_ff}
                yield Shape(base, tuple(found.items()), params, score)


def _counts(topology: DiffusionTransformer, dims: Mapping[str, Any]) -> _Bilinear:
    """Parameters of the denoiser, bilinear in depth and MLP width."""
    channels, side = diffused(dims)
    facts = tuple((name, dims[name]) for name in _FACTS if name in dims)
    sizes = channels + beside(dims), channels, side
    if (facts, sizes) not in topology.known:
        topology.known[facts, sizes] = _bilinear(topology, dict(facts), *sizes)
    return topology.known[facts, sizes]


def _bilinear(
    topology: DiffusionTransformer, dims: dict[str, Any], reads: int, makes: int, side: int
) -> _Bilinear:
    """`((a, b), (c, d))` of `a + b · n_layers + (c + d · n_layers) · d_ff`, off four counts."""
    first = max(1, dims.get("dual_layers", 0))

    def count(n_layers: int, d_ff: int) -> int:
        whole = {**dims, "n_layers": n_layers, "d_ff": d_ff}
        return topology.denoiser(whole, reads, makes, side).count()

    def line(n_layers: int) -> tuple[int, int]:
        narrow, wide = count(n_layers, 1), count(n_layers, 2)
        return 2 * narrow - wide, wide - narrow

    (fixed, grows), (fixed_more, grows_more) = line(first), line(first + 1)
    b, d = fixed_more - fixed, grows_more - grows
    return (fixed - b * first, b), (grows - d * first, d)


def heads_of(width: int) -> int:
    """Attention heads of 64 features, of 128 in wide models and of fewer in narrow ones."""
    wanted = (128, 64) if width >= 4096 else (64,) if width >= 256 else (32,) if width > 64 else ()
    sizes = (size for size in (*wanted, 16, 24, 32, 8, 4, 2, 1) if width % size == 0)
    return width // next(sizes)


def _widths(
    topology: DiffusionTransformer, room: float, aspect: float, pins: Mapping[str, Any]
) -> list[int]:
    """Widths near the one that custom would give so many parameters."""
    if "d_model" in pins:
        return [pins["d_model"]]
    grid = below(_GRID, room)
    if "n_heads" in pins:
        grid = max(grid, 4 * pins["n_heads"])
        grid -= grid % (4 * pins["n_heads"])
    depth = pins.get("n_layers")
    if depth:
        ideal = (room / topology.customary / depth) ** 0.5
    else:
        ideal = (room * aspect / topology.customary) ** (1 / 3)
    first = max(grid, ceil(ideal * 0.5 / grid) * grid)
    return list(range(first, max(first, int(ideal * 1.5)) + 1, grid))


def _depths(middle: float, least: int, pins: Mapping[str, Any]) -> list[int]:
    """Depths around the customary one."""
    if "n_layers" in pins:
        return [pins["n_layers"]]
    grid = 4 if middle > 64 else 2 if middle > 32 else 1
    first = max(least, int(middle * 0.5) // grid * grid)
    return list(range(first, max(first, ceil(middle * 2)) + 1, grid))
