"""Streams of frames and sound: the causal transformer, the autoencoder of sound, the release."""

from __future__ import annotations

from collections.abc import Mapping
from math import prod
from typing import TYPE_CHECKING, Any

from ..arrays import concatenate
from .autoencoder_kl import Autoencoder
from .base import Flops, Linear, Numbered, Part, Repeat
from .convolution import at_places, convolve
from .diffusion import Denoise, corrupt, guided, sample, target
from .dit_block import (
    DitAttention,
    FinalLayer,
    Modulation,
    PerSample,
    TimeEmbedding,
    dit_mlp,
    modulate,
)
from .norms import Norm
from .prompt_encoder import PromptEncoder, pooled, seen_tokens
from .spectra import stft
from .video_dit import frame_loss, patches, taught

if TYPE_CHECKING:
    from ..arrays import Array
    from ..trace import Trace

#: Codes of sound before a chunk that its waveform depends on, and the windows of the loss.
OVERLAP, WINDOWS = 8, (64, 256)

#: Keys and values of the last block, and what all the others keep beside them.
Past = tuple["Array", ...]


def places(dims: Mapping[str, Any]) -> int:
    """Patches of a frame."""
    side = dims["image_size"] // 2 ** (len(dims["ae_channels"]) - 1) // dims["patch_size"]
    return side * side


def chunk_length(dims: Mapping[str, Any]) -> int:
    """Positions of a chunk: its patches, then its codes of sound."""
    return dims["chunk_frames"] // dims["tubelet"] * places(dims) + dims["chunk_codes"]


def kept_length(dims: Mapping[str, Any]) -> int:
    """Positions of the past that are kept once the stream is long enough."""
    return picture_length(dims) + dims["history_chunks"] * chunk_length(dims)


def picture_length(dims: Mapping[str, Any]) -> int:
    """Positions that the given picture takes."""
    return places(dims) if dims["reads_image"] else 0


class WaveConv(Part):
    """A convolution over samples; `per` samples stand for each position it is computed at."""

    def __init__(
        self,
        inputs: int,
        outputs: int,
        kernel: int,
        per: int,
        stride: int = 1,
        *,
        transposed: bool = False,
    ) -> None:
        super().__init__()
        self.per, self.stride, self.transposed = per, stride, transposed
        ends = (inputs, outputs) if transposed else (outputs, inputs)
        self.parameter("weight", *ends, kernel)
        self.parameter("bias", outputs)

    def flops(self, batch: int, length: int) -> Flops:
        """2 · weights at every position of `length` samples."""
        return Flops(2 * batch * (length // self.per) * self.tensors["weight"].numel)

    def forward(self, x: Array) -> Array:
        """(B, inputs, N) -> (B, outputs, N / stride), or N · stride where it is transposed."""
        weight = x.trace.matrix(self)
        if self.transposed:
            length = x.shape[-1] * self.stride
            size = (length - self.stride + weight.shape[-1],)
            return convolve(x, weight, size, transposed=True).narrow(-1, length)
        kernel = weight.shape[-1]
        return convolve(x.pad(-1, kernel - self.stride), weight, (x.shape[-1] // self.stride,))


class SoundBlock(Part):
    """Two convolutions beside the identity."""

    def __init__(self, width: int, per: int) -> None:
        super().__init__()
        self.conv1 = WaveConv(width, width, 3, per)
        self.conv2 = WaveConv(width, width, 1, per)

    def forward(self, x: Array) -> Array:
        """(B, W, N) -> the same, recomputed in backward where the trace says so."""
        return x.trace.checkpointed(self._forward, x)

    def _forward(self, x: Array) -> Array:
        return x + self.conv2(self.conv1(x.apply("elu")).apply("elu"))


class SoundAutoencoder(Part):
    """Causal convolutions to codes and back; `length` is in samples."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        ratios, codes = tuple(dims["sound_ratios"]), dims["sound_channels"]
        widths = [dims["sound_width"] * 2**i for i in range(len(ratios) + 1)]
        spans = [prod(ratios[:i]) for i in range(len(ratios) + 1)]
        down: list[Part] = [WaveConv(1, widths[0], 7, 1)]
        up: list[Part] = [WaveConv(codes, widths[-1], 3, spans[-1])]
        for i, ratio in enumerate(ratios):
            down.append(SoundBlock(widths[i], spans[i]))
            down.append(WaveConv(widths[i], widths[i + 1], 2 * ratio, spans[i + 1], ratio))
        for i, ratio in reversed(list(enumerate(ratios))):
            above = widths[i + 1], widths[i]
            up.append(WaveConv(*above, 2 * ratio, spans[i + 1], ratio, transposed=True))
            up.append(SoundBlock(widths[i], spans[i]))
        down.append(WaveConv(widths[-1], codes, 1, spans[-1]))
        up.append(WaveConv(widths[0], 1, 7, 1))
        self.encoder, self.decoder = Numbered(*down), Numbered(*up)

    def encode(self, sound: Array) -> Array:
        """(B, N) -> codes of unit scale, (B, L, E)."""
        codes = self.encoder(sound.unsqueeze(1).to(sound.trace.weights))
        return sound.trace.normalise(codes.transpose(1, 2))

    def decode(self, codes: Array) -> Array:
        """(B, L, E) -> (B, N)."""
        return self.decoder(codes.transpose(1, 2)).select(1)

    def loss(self, sound: Array) -> None:
        """What restored sounds, (B, N), miss: of their samples, and of their spectra."""
        restored = self.decode(self.encode(sound))
        (sound.trace.full("loss", restored) - sound).apply("abs").mean()
        for size in WINDOWS:
            difference = log_spectrum(restored, size) - log_spectrum(sound, size)
            difference.apply("abs").mean()


def log_spectrum(sound: Array, size: int) -> Array:
    """(B, N) -> logarithms of magnitudes, (B, bins, frames)."""
    spectrum = stft(sound.float(), size, size // 4)
    power = spectrum.select(-1).apply("pow") + spectrum.select(-1).apply("pow")
    return (power + 1.0).apply("log") / 2


class StreamAttention(DitAttention):
    """Attention to `past` positions that are kept, and to the present ones.

    `flops` are those of one chunk; `length` is the past.
    """

    def __init__(self, width: int, n_heads: int, present: int, kept: int) -> None:
        super().__init__(width, n_heads, width)
        self.present, self.kept = present, kept

    def flops(self, batch: int, length: int) -> Flops:
        own = (child.flops(batch, self.present) for child in self.children.values())
        pairs = 4 * batch * self.width * self.present * (self.present + length)
        return sum(own, Flops(pairs))

    def state_elements(self, length: int) -> int:
        """A key and a value for each position that is kept."""
        return 2 * self.width * min(length, self.kept)

    def forward(
        self, x: Array, moments: Array, mask: Array | None, *past: Array
    ) -> tuple[Any, Any]:
        """(B, T, D) -> the same, and keys and values of all, (B, H, P + T, R)."""
        q, k, v = (
            project(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        if past:
            k, v = (concatenate(pair, 2) for pair in zip(past, (k, v), strict=False))
        turned = turn(k, moments)
        y = x.trace.attend(turn(q, moments.narrow(0, q.shape[2])), turned, v, mask)
        return self.o_proj(y.transpose(1, 2).copy().flatten(2)), (k, v)


def turn(x: Array, moments: Array) -> Array:
    """Rotary positions in time, (B, H, T, R) at (T,) -> the same."""
    angles = moments.unsqueeze(1) * x.trace.new((x.shape[-1] // 2,), "fp32")
    cos, sin = angles.apply("cos").to(x.dtype), angles.apply("sin").to(x.dtype)
    first, second = x.chunk(2)
    return concatenate((first * cos - second * sin, second * cos + first * sin))


class StreamBlock(Part):
    """A modulated block with cross-attention; `length` is the past, the present one chunk."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        width, self.present = dims["d_model"], chunk_length(dims)
        self.modulation = Modulation(width, 6)
        self.attn = StreamAttention(width, dims["n_heads"], self.present, kept_length(dims))
        self.mlp = dit_mlp(width, dims["d_ff"])
        self.cross_norm = Norm(width, "layernorm", True)
        self.cross_attn = DitAttention(
            width, dims["n_heads"], dims["text_d_model"], dims["prompt_length"]
        )

    def flops(self, batch: int, length: int) -> Flops:
        others = (c.flops(batch, self.present) for n, c in self.children.items() if n != "attn")
        return sum(others, self.attn.flops(batch, length))

    def forward(
        self,
        x: Array,
        c: Array,
        states: Array,
        seen: Array,
        moments: Array,
        mask: Array | None,
        *past: Array,
    ) -> tuple[Any, Any]:
        """(B · K, T, D) under (B · K, D) and (B, S, W) -> the same; keys and values it leaves."""
        normalise, shape, rows = x.trace.normalise, x.shape, states.shape[0]
        shift_attn, scale_attn, gate_attn, shift_mlp, scale_mlp, gate_mlp = self.modulation(c)
        y = modulate(normalise(x), shift_attn, scale_attn)
        y, kept = self.attn(y.view(rows, -1, shape[-1]), moments, mask, *past)
        x = x + gate_attn * y.view(*shape)
        y = self.cross_norm(x).view(rows, -1, shape[-1])
        x = x + self.cross_attn(y, states, seen).view(*shape)
        y = modulate(normalise(x), shift_mlp, scale_mlp)
        return x + gate_mlp * self.mlp(y), kept


class AvatarDit(Part):
    """Twin of the denoiser; `flops` of one chunk behind a past of `length` positions."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        width = dims["d_model"]
        squares = dims["patch_size"] ** 2 * dims["latent_channels"]
        self.dims = dims
        self.heard = dims["chunk_codes"]
        self.seen = chunk_length(dims) - self.heard
        self.patch_embed = Linear(dims["tubelet"] * squares, width, True)
        self.sound_embed = Linear(dims["sound_channels"], width, True)
        if dims["reads_image"]:
            self.picture_embed = Linear(squares, width, True)
        self.time_embed = TimeEmbedding(dims["time_features"], width)
        self.text_embed = PerSample(dims["text_d_model"], width)
        self.blocks = Repeat(StreamBlock(dims), dims["n_layers"])
        self.frames_final = FinalLayer(width, dims["tubelet"] * squares)
        self.sound_final = FinalLayer(width, dims["sound_channels"])

    def flops(self, batch: int, length: int) -> Flops:
        frames = (self.patch_embed, self.frames_final)
        sound = (self.sound_embed, self.sound_final)
        ends = [part.flops(batch, self.seen) for part in frames]
        ends += [part.flops(batch, self.heard) for part in sound]
        ends += [part.flops(batch, 1) for part in (self.time_embed, self.text_embed)]
        return sum(ends, self.blocks.flops(batch, length))

    def look(self, picture: Array, states: Array, tokens: Array) -> Past:
        """What a coded picture, (B, C, y, x), leaves behind."""
        trace, count = picture.trace, picture.shape[0]
        x = self.picture_embed(patches(picture.to(states.dtype), places(self.dims)))
        x = x + trace.new(x.shape[1:], x.dtype)
        c = self.time_embed(trace.new((count,), "fp32"))
        c = c + self.text_embed(pooled(states, tokens))
        moments = trace.new((x.shape[1],), "fp32")
        return self.through(x, c, states, tokens, moments, None, ())[1]

    def through(
        self,
        x: Array,
        c: Array,
        states: Array,
        tokens: Array,
        moments: Array,
        mask: Array | None,
        past: Past,
    ) -> tuple[Array, Past]:
        """All blocks over (B · K, T, D), and what they leave behind."""
        trace, count, width = x.trace, states.shape[0], x.shape[2]
        seen = seen_tokens(tokens).view(count, 1, 1, -1)
        length = (past[0].shape[2] if past else 0) + x.numel // (count * width)
        pieces = 1 if trace.learns and not trace.checkpointing else 2  # else backward holds values
        others = trace.new((pieces, self.blocks.n - 1, count, length, width), x.dtype)
        for block in self.blocks.each(trace, wrapped=True):
            kept = ()  # what the block before left is among the others'
            x, kept = block(x, c, states, seen, moments, mask, *past)
        return x, (*kept, others)

    def forward(
        self, noisy: Array, times: Array, states: Array, tokens: Array, past: Past = ()
    ) -> tuple[Array, Past]:
        """(B, K, M) at (B, K), under (B, S, W) -> (B, K, M), and what the chunks leave behind."""
        trace, chunks = noisy.trace, noisy.shape[1]
        frames, sound = parted(self.dims, noisy.flatten(0, 1).to(states.dtype))
        x = self.patch_embed(patches(frames, self.seen))
        place = trace.new((places(self.dims), x.shape[2]), x.dtype)
        x = x + trace.compute((place,), x.shape[1:])
        x = concatenate((x, at_places(self.sound_embed, sound)), 1)
        c = self.time_embed(times.flatten())
        c = c + self.text_embed(pooled(states, tokens)).repeat_interleave(chunks, 0)
        before, present = past[0].shape[2] if past else 0, chunks * x.shape[1]
        moments = trace.new((before + present,), "fp32")
        mask = self.mask(trace, present, before) if chunks > 1 else None
        x, left = self.through(x, c, states, tokens, moments, mask, past)
        made = self.frames_final(x.narrow(1, self.seen), c).copy()
        heard = self.sound_final(x.narrow(1, self.heard), c)
        return concatenate((made.flatten(1), heard.flatten(1)), 1).view(*noisy.shape), left

    def mask(self, trace: Trace, present: int, before: int) -> Array:
        """Which of what was kept and of these chunks each position sees."""
        shown = picture_length(self.dims)
        behind = trace.new((present, before - shown + present), "int64")
        after, near = (trace.compute((behind,), behind.shape, "bool") for _ in range(2))
        return (after + near).pad(1, shown)


def parted(dims: Mapping[str, Any], chunks: Array) -> tuple[Array, Array]:
    """Frames and sound of chunks, (B, numbers) -> (B, Z, C, y, x) and (B, L, E)."""
    side = dims["image_size"] // 2 ** (len(dims["ae_channels"]) - 1)
    heard = dims["chunk_codes"] * dims["sound_channels"]
    frames, sound = chunks.split((chunks.shape[1] - heard, heard), 1)
    shape = (dims["chunk_frames"], dims["latent_channels"], side, side)
    return frames.unflatten(1, shape), sound.unflatten(1, (dims["chunk_codes"], -1))


class Avatar(Part):
    """Prompt encoder, autoencoders of frames and of sound, denoiser; `flops` of one step."""

    def __init__(self, dims: Mapping[str, Any]) -> None:
        super().__init__()
        self.text_encoder = PromptEncoder(dims)
        self.autoencoder = Autoencoder(dims, unit=True)
        self.sound = SoundAutoencoder(dims)
        self.denoiser = AvatarDit(dims)
        self.dims = dims

    def flops(self, batch: int, length: int) -> Flops:
        return self.denoiser.flops(batch, length)

    def state_elements(self, length: int) -> int:
        return self.denoiser.state_elements(length)

    @property
    def numbers(self) -> int:
        """Numbers of a coded chunk: of its frames, then of its sound."""
        frames = self.dims["chunk_frames"] * prod(self.autoencoder.code)
        return frames + self.dims["chunk_codes"] * self.dims["sound_channels"]

    def encode(self, video: Array, sound: Array) -> Array:
        """Coded chunks, (B, Z, P, Y, X) and (B, N) -> (B, K, M)."""
        batch, chunks = video.shape[0], self.dims["chunks"]
        frames = self.autoencoder.latents(video.flatten(0, 1))
        heard = self.sound.encode(sound)
        return concatenate([codes.view(batch, chunks, -1) for codes in (frames, heard)], 2)

    def show(self, chunk: Array) -> Array:
        """Frames of one coded chunk, (B, M) -> (B, Z, P, Y, X)."""
        frames, _ = parted(self.dims, chunk)
        frames = frames.copy() if chunk.shape[0] > 1 else frames
        return self.autoencoder.decode(frames.flatten(0, 1)).float().apply("clamp")

    def speak(self, chunks: Array) -> Array:
        """Sound of the last of these coded chunks, (B, K, M) -> (B, N)."""
        span, samples = self.dims["chunk_codes"], self.dims["code_samples"]
        _, codes = parted(self.dims, chunks.flatten(0, 1))
        codes = codes.copy(chunks.shape[0], -1, codes.shape[2])
        sound = self.sound.decode(codes.narrow(1, span + OVERLAP))
        return sound.narrow(1, span * samples).float().apply("clamp")

    def read(self, trace: Trace, batch: int) -> tuple[Array, Array]:
        """States of prompts, (B, S, W), and their tokens, (B, S)."""
        tokens = trace.new((batch, self.dims["prompt_length"]), "int64")
        trace.keep(tokens)
        return self.text_encoder(tokens), tokens

    def before(self, picture: Array, states: Array, tokens: Array) -> Past:
        """What the first chunk can look back at; the picture, (B, P, Y, X), is not coded yet."""
        if not self.dims["reads_image"]:
            return ()
        with picture.trace.frozen():
            codes = self.autoencoder.latents(picture)
        return self.denoiser.look(codes * 1.0, states, tokens)

    def output(self, clean: Array) -> tuple[Array, Array]:
        """What the denoiser answers to noise, and what it should, (B · K, M) both."""
        trace, batch, chunks = clean.trace, clean.shape[0], clean.shape[1]
        at = trace.new((batch, chunks), "fp32")
        flat, noise = clean.flatten(0, 1), trace.given(batch * chunks, clean.shape[2])
        noisy = corrupt(flat, noise).view(*clean.shape)
        states, tokens = self.read(trace, batch)
        past = self.before(trace.given(batch, *self.autoencoder.picture), states, tokens)
        answer, _ = self.denoiser(noisy, at, states, tokens, past)
        return answer.flatten(0, 1).float(), target(self.dims["prediction"], flat, noise)

    def loss(self, trace: Trace, batch: int, length: int) -> None:
        """The denoiser's errors, and those of the autoencoders, which learn at first."""
        dims = self.dims
        video = trace.given(batch, dims["frames"], *self.autoencoder.picture)
        sound = trace.given(batch, dims["chunks"] * dims["chunk_codes"] * dims["code_samples"])
        with trace.frozen():
            clean = self.encode(video, sound)
        pairs = (parted(dims, chunks) for chunks in self.output(clean))
        for ours, theirs in zip(*pairs, strict=True):
            ours.squared_error(theirs)
        del pairs, ours, theirs
        with trace.first_stage():
            self.sound.loss(sound)
            frames = taught(video, dims["autoencoder_frames"])
            frame_loss(
                self.autoencoder, frames, trace.given(frames.shape[0], *self.autoencoder.code)
            )

    def answer(self, trace: Trace, batch: int, length: int) -> None:
        """A chunk behind as long a past as is ever kept, in as many lanes as guidance takes."""
        dims = self.dims
        noise = trace.new((batch, self.numbers), "fp32")
        picture = trace.new((batch, *self.autoencoder.picture))
        with trace.phase("prompt", 0):  # once in a stream
            count = 2 if dims["guidance_scale"] != 1 else 1
            lanes = [self.lane(picture) for _ in range(count)]
        denoisers = [self.denoise_in(lane) for lane in lanes]
        denoise = guided(denoisers[0], denoisers[-1], dims["guidance_scale"])
        chunk = sample(dims["prediction"], denoise, noise, dims["sampling_steps"])
        with trace.phase("past"):
            for _ in trace.rounds(count):
                self.remember(lanes[0], chunk)
        with trace.phase("decoder"):
            chunk = chunk.to(trace.weights)
            frames = self.show(chunk)
            recent = 1 - -OVERLAP // dims["chunk_codes"]
            self.speak(concatenate([chunk.unsqueeze(1)] * recent, 1))
            del frames

    def lane(self, picture: Array) -> dict[str, Any]:
        """Conditions of a stream, and a past that is full."""
        trace, batch = picture.trace, picture.shape[0]
        states, tokens = self.read(trace, batch)
        self.before(picture, states, tokens)
        heads, width = self.dims["n_heads"], self.dims["d_model"]
        shape = (batch, heads, kept_length(self.dims), width // heads)
        past = tuple(trace.given(*shape, dtype=trace.weights) for _ in range(2))
        return {"states": states, "tokens": tokens, "past": past}

    def denoise_in(self, lane: dict[str, Any]) -> Denoise:
        """The denoiser of the next chunk, (B, M) noisy and (B,) times -> (B, M)."""

        def denoise(noisy: Array, at: Array) -> Array:
            made, _ = self.denoiser(noisy.unsqueeze(1), at.unsqueeze(1), **lane)
            return made.select(1).to(noisy.dtype)

        return denoise

    def remember(self, lane: dict[str, Any], chunk: Array) -> None:
        """A pass over the clean chunk, and the copy of what is kept of the past that it leaves."""
        trace, batch = chunk.trace, chunk.shape[0]
        past = self.denoiser(chunk.unsqueeze(1), trace.new((batch, 1), "fp32"), **lane)[1]
        shape = (2, self.dims["n_layers"], batch, kept_length(self.dims), self.dims["d_model"])
        trace.compute(past, shape)
