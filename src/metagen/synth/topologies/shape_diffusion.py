"""The diffusion transformer over shapes: distances on a grid, which become a mesh, or points."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from math import inf, log2
from typing import Any

from ...specs.errors import Problem
from ...specs.vocabulary import stand_in
from ..dims import Dim, flag, number, real, text
from ..parts.base import Part
from ..parts.dit_block import DitBlock
from ..parts.shape_dit import ShapeDiffusion, picture_patches, positions, shape_block, told
from ..solver import Frame, below
from . import latents
from .base import Node, Work, short_run
from .denoisers import DenoiserTopology, time_features
from .image_diffusion import ImageDiffusionTopology, words_of
from .vit import picture_dims

TABLE: Mapping[str, Dim] = {
    "representation": words_of("what a shape is: distances on a grid, or points", "grid", "points"),
    "grid_size": number(None, "voxels of a side", low=8, high=2048),
    "truncation": real(3.0, "voxels from the surface beyond which distances are cut off", 1.0, 1e3),
    "num_points": number(2048, "points of a shape", high=10**7),
    "reads_text": flag(True, "a prompt is given"),
    "reads_image": flag(False, "a picture is given"),
    "labelled": flag(False, "a class is given"),
    "num_classes": number(10, "classes of shapes to choose from", high=10**7),
    "image_size": number(None, "side of a picture that is given, in pixels", low=4, high=2**14),
    "channels": number(3, "channels of a picture", high=1024),
    "picture_patch": number(None, "side of a patch of a picture, in pixels", high=2**14),
    **latents.PROMPT,
    "patch_size": number(None, "side of a cube that is one token, in voxels", high=2048),
    "d_model": number(None, "width of the denoiser's residual stream", low=8, high=2**18),
    "n_layers": number(None, "blocks of the denoiser", high=2048),
    "n_heads": number(None, "attention heads of the denoiser", high=4096),
    "d_ff": number(None, "hidden width of the denoiser's MLP", high=2**20),
    "time_features": number(None, "sinusoids of a time", low=2, high=2**12),
    "prediction": words_of("what the denoiser predicts", "noise", "v", "flow"),
    "noise_schedule": words_of("how noise grows", "linear", "scaled_linear", "cosine"),
    "train_times": number(1000, "times between clean and noise", low=2, high=10**5),
    "time_shift": real(4.0, "shift of the times of a flow towards noise", low=0.1, high=100.0),
    "sampling_steps": number(28, "denoising steps of a sample", high=10**5),
    "guidance_scale": real(3.0, "weight of the condition in sampling; 1: none", 0.0, 100.0),
    "dropout_condition": real(0.1, "share of shapes that train without a condition", high=0.9),
}

ALIASES: Mapping[str, str] = {
    "hidden_size": "d_model",
    "depth": "n_layers",
    "num_heads": "n_heads",
    "voxel_size": "grid_size",
    "input_size": "grid_size",
    "num_inference_steps": "sampling_steps",
}

SETTINGS: Mapping[str, Dim] = {
    "data": text("folder of OBJ, PLY or XYZ files with .txt captions; empty: built-in solids"),
}

#: (log10 of the parameters, width / depth): DiT-S, B, L and XL, and wider as they grow.
ASPECT = ((4, 12), (5, 16), (6, 24), (7.5, 32), (8.1, 60), (8.7, 42), (9.3, 64), (10.5, 110),
          (12, 160))  # fmt: skip

#: Voxels of a side by budget, where no dimension says; DiT-3D (Mo et al., 2023) has 32.
GRIDS = ((3e6, 32), (2e9, 64), (inf, 128))

#: Side of a picture that is given by budget, where the spec does not say.
PICTURES = ((3e6, 32), (6e7, 64), (inf, 224))

#: Side of a token's cube, cubes of a side at most, and patches of a picture's side.
CUBE, CUBES, PATCHES = 4, 16, 14


class ShapeDiffusionTopology(DenoiserTopology):
    """A prompt encoder where texts are read, and a transformer that denoises shapes."""

    id = "shape_diffusion"
    phrase = "diffusion transformer over shapes"
    objective = "denoising of shapes"
    covers = {
        "inputs": frozenset({"text", "image", "3d"}),
        "outputs": frozenset({"3d"}),
        "objective": frozenset({"diffusion", "flow_matching"}),
        "task": frozenset({"generation"}),
        "family": frozenset({"transformer", "diffusion", "hybrid"}),
    }
    served_as = "generation: shapes that go with what is given"
    unit = "shape"
    aspects = ASPECT
    table = TABLE
    aliases = ALIASES
    floor = {"d_model": 32, "n_layers": 2, "n_heads": 1, "d_ff": 64}
    top = "shape_diffusion"
    exports = ("ShapeDiffusion", "build_model", "shape_size")
    networks = {
        "prompt_encoder": "text_encoder", "shape_dit": "denoiser", "diffusion": "diffusion",
    }  # fmt: skip
    children = ("text_encoder", "denoiser")
    programs = ("common", "held_out", "solids")
    settings = SETTINGS
    most_units_per_param = 20.0
    shown = {
        "n_layers": "Layers",
        "d_model": "Width",
        "n_heads": "Attention heads",
        "d_ff": "Feed-forward width",
        "grid_size": "Voxels of a side",
        "patch_size": "Patch size",
        "num_points": "Points",
        "sampling_steps": "Denoising steps",
    }
    nodes = (
        Node("prompt", "prompt encoder", ("text_encoder",), into=("denoiser",)),
        Node("noise", "noise at a random level"),
        Node("denoiser", "transformer over space", ("denoiser",)),
        Node("loss", "squared error of the prediction"),
    )

    # -- dimensions ---------------------------------------------------------------------------

    def given(self, spec: Any) -> dict[str, Any]:
        """Conditions, the way to noise, and whether a shape is a grid or points."""
        inputs = set(map(stand_in, spec.modality.inputs))
        types = {component.type for component in spec.architecture.components}
        dims = picture_dims(spec) if "image" in inputs else {}
        dims.pop("num_classes", None)
        dims |= {"reads_image": "image" in inputs, "reads_text": bool(inputs - {"image", "3d"})}
        if spec.task.num_classes:
            dims |= {"labelled": True, "num_classes": spec.task.num_classes}
        if spec.task.num_points or types & {"point_cloud", "points"}:
            dims["representation"] = "points"
            dims["num_points"] = spec.task.num_points or TABLE["num_points"].default
        return dims | super().given(spec)

    def contradictions(self, pins: Mapping[str, Any]) -> list[Problem]:
        problems, where = [*latents.prompt_problems(pins)], "architecture.dims."
        width, heads = pins.get("d_model"), pins.get("n_heads")
        if width and width % 4:
            problems.append(Problem(f"{where}d_model", f"{width} is not a multiple of 4"))
        elif width and heads and width % heads:
            message = f"{heads} does not divide d_model ({width})"
            problems.append(Problem(f"{where}n_heads", message))
        for part, whole in (("patch_size", "grid_size"), ("picture_patch", "image_size")):
            sizes = pins.get(part), pins.get(whole)
            if all(sizes) and sizes[1] % sizes[0]:
                message = f"{sizes[0]} does not divide {whole} ({sizes[1]})"
                problems.append(Problem(where + part, message))
        points = (
            pins.get("representation", "points" if "num_points" in pins else "grid") == "points"
        )
        for name in ("grid_size", "patch_size", "truncation"):
            if points and name in pins:
                problems.append(Problem(where + name, "points have no grid"))
        if pins.get("sampling_steps", 1) > pins.get("train_times", 1000):
            message = f"{pins['sampling_steps']} is above train_times"
            problems.append(Problem(f"{where}sampling_steps", message))
        return problems

    def base(self, budget: float, frame: Frame) -> dict[str, Any]:
        dims = {name: dim.default for name, dim in self.table.items()}
        decided = dict(frame.given) | dict(frame.pins)
        if "num_points" in frame.pins and "representation" not in frame.pins:
            decided["representation"] = "points"
        if "num_classes" in frame.pins:
            decided.setdefault("labelled", True)
        dims |= {
            "representation": "grid",
            "prediction": "v",
            "noise_schedule": "linear",  # whose many late times decide what is wanted (Mo et al.)
            "time_features": time_features(budget),
        }
        if decided.get("reads_text", dims["reads_text"]):
            dims |= latents.prompt_dims(0.15 * budget, budget)
        dims |= decided
        if dims["representation"] == "grid":
            size = dims["grid_size"] or _grid(below(GRIDS, budget), dims["patch_size"])
            dims |= {"grid_size": size, "patch_size": dims["patch_size"] or cube_of(size)}
            dims["num_points"] = None
        else:
            dims |= {"grid_size": None, "patch_size": None, "truncation": None}
        if dims["reads_image"]:
            size = dims["image_size"] or _grid(below(PICTURES, budget), dims["picture_patch"])
            patch = dims["picture_patch"] or near_divisor(size, max(1, size / PATCHES))
            dims |= {"image_size": size, "picture_patch": patch}
        else:
            dims |= {"image_size": None, "picture_patch": None, "channels": None}
        if not dims["labelled"]:
            dims["num_classes"] = None
        return dims

    def build(self, dims: Mapping[str, Any]) -> ShapeDiffusion:
        return ShapeDiffusion(dims)

    def block(self, dims: Mapping[str, Any]) -> DitBlock:
        return shape_block(dims)

    def bulk(self, dims: Mapping[str, Any]) -> float:
        return 22.0 if told(dims) else 18.0

    # -- costs --------------------------------------------------------------------------------

    def length(self, dims: Mapping[str, Any]) -> int:
        return positions(dims)

    def passes_of(self, dims: Mapping[str, Any]) -> int:
        asks = told(dims) or dims["labelled"]
        return super().passes_of(dims) if asks else dims["sampling_steps"]

    def work(self, model: Part, dims: Mapping[str, Any]) -> Work:
        return Work(model.flops(1, 1), 1, f"one denoising step of {what(dims)}")

    def training_work(self, model: Part, dims: Mapping[str, Any]) -> Work:
        return Work(model.flops(1, 1) + model.read_flops(1), 1, "one training shape")

    def answered(self, dims: Mapping[str, Any]) -> str:
        steps = f"{dims['sampling_steps']} denoising steps"
        return f"{steps} with guidance" if self.passes_of(dims) > dims["sampling_steps"] else steps

    def finished(self, model: Part, dims: Mapping[str, Any]) -> Work:
        passes, steps = self.passes_of(dims), dims["sampling_steps"]
        flops = model.flops(1, 1) * passes + model.read_flops(1) * (2 if passes > steps else 1)
        return Work(flops, 1, f"one shape in {steps} steps, the extraction of its surface left out")

    too_slow = ImageDiffusionTopology.too_slow
    latency_asked = ImageDiffusionTopology.latency_asked

    # -- code and documents -------------------------------------------------------------------

    def switches(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        own = super().switches(dims)
        own |= latents.prompt_switches(dims) if dims["reads_text"] else {"bpe": False}
        return own | {"conditioned": bool(told(dims) or dims["labelled"])}

    def fields(self, dims: Mapping[str, Any]) -> dict[str, str]:
        needs = {
            "num_points": dims["representation"] == "points",
            "num_classes": dims["labelled"],
            "dropout_condition": told(dims) or dims["labelled"],
            "time_shift": dims["prediction"] == "flow",
        }
        needs |= dict.fromkeys(
            ("grid_size", "patch_size", "truncation"), dims["representation"] == "grid"
        )
        needs |= dict.fromkeys(("image_size", "channels", "picture_patch"), dims["reads_image"])
        needs |= dict.fromkeys(latents.PROMPT, dims["reads_text"])
        return {n: field for n, field in super().fields(dims).items() if needs.get(n, True)}

    def tiny(self, dims: Mapping[str, Any]) -> dict[str, Any]:
        width = min(96, dims["d_model"])
        small: dict[str, Any] = {}
        grid = dims["representation"] == "grid"
        if grid:
            small["grid_size"] = size = min(16, dims["grid_size"])
            small["patch_size"] = near_divisor(size, min(CUBE, dims["patch_size"]))
        else:
            small["num_points"] = min(128, dims["num_points"])
        if dims["labelled"]:
            small["num_classes"] = min(6, dims["num_classes"])
        if dims["reads_image"]:
            small["image_size"] = size = min(32, dims["image_size"])
            small["picture_patch"] = near_divisor(size, min(8, dims["picture_patch"]))
        if dims["reads_text"]:
            small |= latents.prompt_tiny(dims) | {"prompt_length": min(32, dims["prompt_length"])}
        return small | {
            "d_model": width,
            "n_layers": min(4, dims["n_layers"]),
            "n_heads": next(n for n in (4, 3, 2, 1) if n <= dims["n_heads"] and width % n == 0),
            "d_ff": min(2 * width, dims["d_ff"]),
            "time_features": min(64, dims["time_features"]),
            "sampling_steps": min(20, dims["sampling_steps"]),
            "guidance_scale": min(1.5, dims["guidance_scale"]),
            **short_run(
                steps=900 if grid else 600, batch=24 if grid else 16, learning_rate=0.003, warmup=30
            ),
            "eval_interval": 300,
            "checkpoint_interval": 300,
            "eval_samples": 64,
        }

    def folders(self, switches: Mapping[str, Any]) -> tuple[str, ...]:
        reads = ("text", "prompts") if switches["reads_text"] else ()
        reads += ("images",) if switches["reads_image"] else ()
        clouds = ("clouds",) if switches["representation"] == "points" else ()
        return (*reads, *self.programs, *clouds)

    def idle_programs(self, switches: Mapping[str, Any]) -> tuple[str, ...]:
        idle = () if switches["bpe"] else ("bpe",)
        return idle if switches["reads_image"] else (*idle, "looks", "pictures")

    def words(self, spec: Any, dims: Mapping[str, Any]) -> dict[str, str]:
        return {"infer_args": '--text "a tall thin cylinder"'} if dims["reads_text"] else {}

    def node_shapes(self, dims: Mapping[str, Any]) -> dict[str, list[Any]]:
        if dims["representation"] == "points":
            shape = ["batch", dims["num_points"], 3]
        else:
            shape = ["batch", *(3 * [dims["grid_size"]])]
        prompt = ["batch", dims["prompt_length"], dims["text_d_model"]]
        shapes = {"prompt": prompt if dims["reads_text"] else [], "noise": shape}
        return shapes | {"denoiser": shape, "loss": []}

    def alternatives(self, dims: Mapping[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
        yield from super().alternatives(dims)
        if dims["representation"] == "grid" and dims["grid_size"] % (2 * dims["patch_size"]) == 0:
            coarse = 2 * dims["patch_size"]
            removed = f"seven of eight tokens: cubes of {coarse} voxels a side"
            yield "Fine patches", removed, {"patch_size": coarse}
        if dims["reads_text"]:
            yield from latents.prompt_alternatives(dims)


def what(dims: Mapping[str, Any]) -> str:
    """What is denoised, and beside what, in words."""
    if dims["representation"] == "points":
        found = f"{dims['num_points']:,} points"
    else:
        found = f"a grid of {dims['grid_size']}³ voxels"
    if dims["reads_text"]:
        found += f" with a prompt of {dims['prompt_length']} tokens"
    if dims["reads_image"]:
        found += f" and a picture of {picture_patches(dims)} patches"
    return found


def cube_of(grid_size: int) -> int:
    """Voxels of a token's side: 4 where that divides a grid's, more for grids of over 64."""
    return near_divisor(grid_size, max(CUBE, grid_size / CUBES))


def near_divisor(size: int, wanted: float) -> int:
    """The divisor of `size` that is nearest to `wanted`."""
    dividing = (d for d in range(1, size + 1) if size % d == 0)
    return min(dividing, key=lambda d: abs(log2(d / wanted)))


def _grid(size: int, patch: int | None) -> int:
    """A size near `size` that a pinned patch divides."""
    return size if not patch else max(1, round(size / patch)) * patch
