"""The diffusion transformer over clips, and the release around it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from ..arrays import concatenate, stack
from .autoencoder_kl import Autoencoder, bounded
from .base import Flops, Linear, Part, Repeat
from .diffusion import denoising_loss, guided, sample
from .dit_block import DitBlock, FinalLayer, PerSample, TimeEmbedding, modulate
from .prompt_encoder import PromptEncoder, pooled, seen_tokens

if TYPE_CHECKING:
    from ..arrays import Array
    from ..trace import Trace


def grid(dims: Mapping[str, Any]) -> tuple[int, int]:
    """Groups of frames of a clip, and patches of each."""
    side = dims["image_size"] // 2 ** (len(dims["ae_channels"]) - 1) // dims["patch_size"]
    return dims["frames"] // dims["tubelet"], side * side


class VideoBlock(DitBlock):
    """A block whose self-attention runs `along` space, time, or both; `size` is (groups, patches).

    `flops` counts as much attention as that costs.
    """

    def __init__(self, dims: Mapping[str, Any], along: str) -> None:
        text = (dims["text_d_model"], dims["prompt_length"]) if dims["reads_text"] else ()
        super().__init__(dims["d_model"], dims["n_heads"], dims["d_ff"], *text)
        self.along, self.size = along, grid(dims)

    def flops(self, batch: int, length: int) -> Flops:
        groups, patches = self.size
        lines, seen = {"space": (groups, patches), "time": (patches, groups)}.get(
            self.along, (1, length)
        )
        others = (c for name, c in self.children.items() if name != "attn")
        own = self.attn.flops(batch * lines, seen)
        return sum((child.flops(batch, length) for child in others), own)

    def forward(self, x: Array, c: Array, states: Array | None, seen: Array | None) -> Array:
        """(B, T, D) under (B, D) and (B, S, W), of which (B, 1, 1, S) are `seen` -> (B, T, D)."""
        normalise = x.trace.normalise
        shift_attn, scale_attn, gate_attn, shift_mlp, scale_mlp, gate_mlp = self.modulation(c)
        x = x + gate_attn * self.attend(modulate(normalise(x), shift_attn, scale_attn))
        if states is not None:
            x = x + self.cross_attn(self.cross_norm(x), states, seen)
        return x + gate_mlp * self.mlp(modulate(normalise(x), shift_mlp, scale_mlp))

    def attend(self, y: Array) -> Array:
        """Self-attention, (B, T, D) -> the same; places are copied to stand beside each other."""
        if self.along == "both":
            return self.attn(y, y)
        grid = y.unflatten(1, self.size)
        if self.along == "time":
            grid = grid.transpose(1, 2).copy()
        lines = grid.flatten(0, 1)
        grid = self.attn(lines, lines).view(*grid.shape)
        if self.along == "time":
            grid = grid.transpose(1, 2).copy()
        return grid.flatten(1, 2)


class VideoBlocks(Repeat):
    """Blocks along space and time in turn, or all of them over both."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        full = dims["clip_attention"] == "full"
        kinds = ("both", "both") if full else ("space", "time")
        first, second = (VideoBlock(dims, along) for along in kinds)
        super().__init__(first, dims["n_layers"])
        self.second = second  # the same tensors at another cost
        self.full = full

    def runs(self) -> Iterator[tuple[Part, int]]:
        if self.full:
            return super().runs()
        kinds = [(self.block, (self.n + 1) // 2), (self.second, self.n // 2)]
        return reversed(kinds) if self.n % 2 else iter(kinds)

    def flops(self, batch: int, length: int) -> Flops:
        first, second = (block.flops(batch, length) for block in (self.block, self.second))
        return first * ((self.n + 1) // 2) + second * (self.n // 2)


class VideoDit(Part):
    """Twin of the denoiser; `flops` are those of one pass over `batch` clips."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        width, codes = dims["d_model"], dims["latent_channels"]
        voxels = dims["tubelet"] * dims["patch_size"] ** 2
        groups, places = grid(dims)
        self.positions, self.width = groups * places, width
        seen = 2 * codes + 1 if dims["conditioned"] else codes
        self.patch_embed = Linear(seen * voxels, width, True)
        self.time_embed = TimeEmbedding(dims["time_features"], width)
        if dims["reads_text"]:
            self.text_embed = PerSample(dims["text_d_model"], width)
        self.blocks = VideoBlocks(dims)
        self.final = FinalLayer(width, codes * voxels)

    def flops(self, batch: int, length: int) -> Flops:
        return super().flops(batch, self.positions)

    def forward(
        self,
        noisy: Array,
        times: Array,
        given: Array | None = None,
        states: Array | None = None,
        tokens: Array | None = None,
    ) -> Array:
        """(B, Z, C, y, x) at (B,) beside (B, Z, C + 1, y, x), under (B, S, W) -> as the first."""
        trace = noisy.trace
        inputs = noisy if given is None else concatenate((noisy, given), 2)
        x = self.patch_embed(patches(inputs, self.positions).to(trace.weights))
        x = x + (trace.new((self.positions, self.width), x.dtype) + 0.0) / 2**0.5
        c = self.time_embed(times)
        seen = None
        if states is not None:
            c = c + self.text_embed(pooled(states, tokens))
            seen = seen_tokens(tokens).view(x.shape[0], 1, 1, -1)
        for block in self.blocks.each(trace, wrapped=True):
            x = block(x, c, states, seen)
        return self.final(x, c).copy(*noisy.shape)


def patches(frames: Array, positions: int) -> Array:
    """Frames cut into `positions` pieces, (B, Z, C, Y, X) -> (B, positions, numbers)."""
    return frames.copy(frames.shape[0], positions, -1)


def frame_loss(autoencoder: Autoencoder, frames: Array, noise: Array) -> None:
    """What restored frames miss, and the divergence of their codes; all (B, ...)."""
    moments = autoencoder.encode(frames)
    restored = autoencoder.decode(autoencoder.drawn(moments, noise)).float()
    mean, log_variance = bounded(moments)
    (mean.apply("pow") + log_variance.apply("exp") - 1.0 - log_variance).sum()
    restored.squared_error(frames)
    (restored - frames).apply("abs").mean()


def taught(video: Array, frames: int) -> Array:
    """As many evenly spaced frames of clips, (B, Z, P, Y, X) -> (B · frames, P, Y, X)."""
    found = video.narrow(1, frames)
    return (found.copy() if video.shape[1] % frames else found).flatten(0, 1)


class VideoDiffusion(Part):
    """Prompt encoder, autoencoder of frames, denoiser; `flops` of one denoising step."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        if dims["reads_text"]:
            self.text_encoder = PromptEncoder(dims)
        self.autoencoder = Autoencoder(dims, unit=True)
        self.denoiser = VideoDit(dims)
        self.dims = dims
        self.codes = dims["frames"], *self.autoencoder.code

    def flops(self, batch: int, length: int) -> Flops:
        return self.denoiser.flops(batch, length)

    def read_flops(self, batch: int) -> Flops:
        """FLOPs of reading prompts."""
        reader = self.children.get("text_encoder")
        return reader.flops(batch, 1) if reader else Flops()

    def encode(self, video: Array) -> Array:
        """(B, Z, P, Y, X) -> (B, Z, C, y, x)."""
        codes = self.autoencoder.latents(video.flatten(0, 1))
        return codes.unflatten(0, video.shape[:2])

    def decode(self, codes: Array) -> Array:
        """(B, Z, C, y, x) -> (B, Z, P, Y, X), one frame after the other."""
        trace, made = codes.trace, []
        with trace.phase("decoder"):
            for _ in trace.rounds(codes.shape[1]):
                made.append(self.autoencoder.decode(codes.select(1)))
            frames = stack([made[0]] * codes.shape[1], 1)
            return frames.float().apply("clamp")

    def prompt(self, trace: Trace, batch: int) -> dict[str, Array]:
        """Tokens, (B, S), and their states, (B, S, W), where prompts are read."""
        if not self.dims["reads_text"]:
            return {}
        tokens = trace.new((batch, self.dims["prompt_length"]), "int64")
        trace.keep(tokens)
        return {"tokens": tokens, "states": self.text_encoder(tokens)}

    def loss(self, trace: Trace, batch: int, length: int) -> None:
        """The denoiser's error, and the autoencoder's, which learns at first."""
        dims = self.dims
        video = trace.given(batch, dims["frames"], *self.autoencoder.picture)
        with trace.frozen():
            clean = self.encode(video)
        told = {}
        if dims["conditioned"]:
            told["given"] = known(clean, dropping=True)
        told |= self.prompt(trace, batch)
        noise = trace.given(*clean.shape)
        denoising_loss(
            dims["prediction"], lambda noisy, at: self.denoiser(noisy, at, **told), clean, noise
        )
        frames = taught(video, dims["autoencoder_frames"])
        with trace.first_stage():
            frame_loss(self.autoencoder, frames, trace.given(frames.shape[0], *self.codes[1:]))

    def answer(self, trace: Trace, batch: int, length: int) -> None:
        """Clips from noise: conditions, a denoising step with and without, the decoder."""
        dims = self.dims
        noise = trace.new((batch, *self.codes), "fp32")
        told: dict[str, Array] = {}
        untold: dict[str, Array] = {}
        if dims["conditioned"]:
            start = trace.new((batch, dims["given_frames"], *self.autoencoder.picture))
            with trace.phase("encoder"):
                codes = self.encode(start).pad(1, dims["frames"] - dims["given_frames"])
            told["given"] = known(codes)
            untold["given"] = trace.new(told["given"].shape)
        if dims["reads_text"]:
            with trace.phase("prompt"):
                told |= self.prompt(trace, batch)
                untold |= self.prompt(trace, batch)
        denoise = guided(
            lambda noisy, at: self.denoiser(noisy, at, **told).to(noisy.dtype),
            lambda noisy, at: self.denoiser(noisy, at, **untold).to(noisy.dtype),
            dims["guidance_scale"],
        )
        codes = sample(dims["prediction"], denoise, noise, dims["sampling_steps"])
        self.decode(codes.to(trace.weights))


def known(codes: Array, *, dropping: bool = False) -> Array:
    """What is told of the first frames, (B, Z, C, y, x) -> (B, Z, C + 1, y, x)."""
    shown = codes.trace.new((*codes.shape[:2], 1, *codes.shape[3:]), codes.dtype)
    shown = shown * 1.0 if dropping else shown
    return concatenate((codes * shown, shown), 2)
