"""The diffusion transformer over shapes, and the release around it."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from ..arrays import concatenate
from .base import Embedding, Flops, Linear, Part, Repeat
from .convolution import at_places
from .diffusion import Denoise, denoising_loss, guided, sample, target
from .dit_block import DitBlock, FinalLayer, PerSample, TimeEmbedding
from .prompt_encoder import PromptEncoder, pooled

if TYPE_CHECKING:
    from ..arrays import Array
    from ..trace import Trace


def positions(dims: Mapping[str, Any]) -> int:
    """Tokens that attend to each other: cubes of voxels, or points."""
    if dims["representation"] == "points":
        return dims["num_points"]
    return (dims["grid_size"] // dims["patch_size"]) ** 3


def picture_patches(dims: Mapping[str, Any]) -> int:
    """Patches of a picture that is given."""
    return (dims["image_size"] // dims["picture_patch"]) ** 2


def told(dims: Mapping[str, Any]) -> int:
    """Vectors that every block may look at: tokens of a prompt and patches of a picture."""
    words = dims["prompt_length"] if dims["reads_text"] else 0
    return words + (picture_patches(dims) if dims["reads_image"] else 0)


def shape_block(dims: Mapping[str, Any]) -> DitBlock:
    """One block, which looks at what it is told where it is told anything."""
    context = (dims["d_model"], told(dims)) if told(dims) else ()
    return DitBlock(dims["d_model"], dims["n_heads"], dims["d_ff"], *context)


class ShapeDit(Part):
    """Twin of the denoiser; `flops` are those of one pass over `batch` shapes."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        width, self.positions = dims["d_model"], positions(dims)
        self.dims = dims
        numbers = 3 if dims["representation"] == "points" else dims["patch_size"] ** 3
        self.in_proj = Linear(numbers, width, True)
        self.time_embed = TimeEmbedding(dims["time_features"], width)
        if dims["reads_text"]:
            self.text_proj = PerSample(dims["text_d_model"], width, dims["prompt_length"])
        if dims["reads_image"]:
            square = dims["channels"] * dims["picture_patch"] ** 2
            self.picture_proj = PerSample(square, width, picture_patches(dims))
        if dims["labelled"]:
            self.label_embed = Embedding(dims["num_classes"] + 1, width)
        self.blocks = Repeat(shape_block(dims), dims["n_layers"])
        self.final = FinalLayer(width, numbers)

    def flops(self, batch: int, length: int) -> Flops:
        return super().flops(batch, self.positions)

    def forward(
        self,
        noisy: Array,
        times: Array,
        states: Array | None = None,
        tokens: Array | None = None,
        pictures: Array | None = None,
        labels: Array | None = None,
    ) -> Array:
        """(B, G, G, G) or (B, T, 3) at (B,), under what is wanted -> the same."""
        trace, shape = noisy.trace, noisy.shape
        noisy = noisy.to(trace.weights)
        if self.dims["representation"] == "grid":
            x = self.in_proj(noisy.copy(shape[0], self.positions, -1))
            x = x + self.places(trace).to(x.dtype)
        else:
            x = self.in_proj(noisy)
        c = self.time_embed(times)
        if labels is not None:
            c = c + self.label_embed(labels)
        told = []
        if states is not None:
            told.append(self.text_proj(states))
            c = c + pooled(told[0], tokens)
        if pictures is not None:
            told.append(self.see(pictures))
            c = c + told[-1].mean(1)
        seen = concatenate(told, 1) if told[1:] else told[0] if told else None
        for block in self.blocks.each(trace, wrapped=True):
            x = block(x, c, seen)
        made = self.final(x, c)
        return made.copy(*shape) if self.dims["representation"] == "grid" else made

    def places(self, trace: Trace) -> Array:
        """Positions of the cubes, (T, D), in fp32: sines, what fills the width, and a scale."""
        shape = self.positions, self.dims["d_model"]
        return (trace.new(shape, "fp32") * 1.0) * 0.5

    def see(self, pictures: Array) -> Array:
        """Patches of pictures, (B, C, Y, X) -> (B, P, D)."""
        trace, patches = pictures.trace, picture_patches(self.dims)
        squares = pictures.to(trace.weights).copy(pictures.shape[0], patches, -1)
        seen = at_places(self.picture_proj, squares)
        return seen + trace.new(seen.shape[1:], seen.dtype)


class ShapeDiffusion(Part):
    """Prompt encoder where texts are read, and denoiser; `flops` of one denoising step."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        if dims["reads_text"]:
            self.text_encoder = PromptEncoder(dims)
        self.denoiser = ShapeDit(dims)
        self.dims = dims
        points = dims["representation"] == "points"
        self.shape = (dims["num_points"], 3) if points else (dims["grid_size"],) * 3
        side = dims["image_size"]
        self.picture = (dims["channels"], side, side) if dims["reads_image"] else ()

    def flops(self, batch: int, length: int) -> Flops:
        return self.denoiser.flops(batch, length)

    def read_flops(self, batch: int) -> Flops:
        """FLOPs of reading prompts."""
        reader = self.children.get("text_encoder")
        return reader.flops(batch, 1) if reader else Flops()

    def encode(self, shapes: Array) -> Array:
        """What is denoised of shapes; points are scaled."""
        return shapes * 2.0 if self.dims["representation"] == "points" else shapes

    def told(self, trace: Trace, batch: int, pictures: Array | None) -> dict[str, Array]:
        """What the denoiser is told of a batch with its `pictures`, where they are given."""
        dims, told = self.dims, {}
        if dims["reads_text"]:
            told["tokens"] = trace.new((batch, dims["prompt_length"]), "int64")
            trace.keep(told["tokens"])
            told["states"] = self.text_encoder(told["tokens"])
        if pictures is not None:
            told["pictures"] = pictures * 1.0
        if dims["labelled"]:
            told["labels"] = trace.new((batch,), "int64")
            trace.keep(told["labels"])
        return told

    def denoise_for(self, told: Mapping[str, Array]) -> Denoise:
        """The denoiser that is told this; of a grid its answer follows from what it says."""

        def denoise(noisy: Array, times: Array) -> Array:
            output = self.denoiser(noisy, times, **told).to(noisy.dtype)
            if self.dims["representation"] == "points":
                return output
            return implied(self.dims["prediction"], noisy, output)

        return denoise

    def loss(self, trace: Trace, batch: int, length: int) -> None:
        """The denoiser's error."""
        shapes, noise = (trace.given(batch, *self.shape) for _ in range(2))
        clean = self.encode(shapes)
        pictures = trace.given(batch, *self.picture) if self.picture else None
        told = self.told(trace, batch, pictures)
        denoising_loss(self.dims["prediction"], self.denoise_for(told), clean, noise)

    def answer(self, trace: Trace, batch: int, length: int) -> None:
        """Shapes out of noise: conditions, and a denoising step with and without."""
        dims, grid = self.dims, self.dims["representation"] == "grid"
        noise = trace.new((batch, *self.shape), "fp32")
        pictures = trace.new((batch, *self.picture)) if self.picture else None
        with trace.phase("prompt") if dims["reads_text"] else nullcontext():
            told, untold = (self.told(trace, batch, pictures) for _ in range(2))
        scale = dims["guidance_scale"] if told else 1
        denoise = guided(self.denoise_for(told), self.denoise_for(untold), scale)
        clean = sample(dims["prediction"], denoise, noise, dims["sampling_steps"], limited=grid)
        if not grid:
            clean / 2


def implied(prediction: str, noisy: Array, clean: Array) -> Array:
    """What the denoiser should answer if these are the clean samples, (B, ...)."""
    noise = (noisy - clean * 1.0) / 2
    return target(prediction, clean, noise)
