"""A causal diffusion transformer over chunks of a stream, each of them frames and their sound.

A chunk sees itself, the chunks before it, a picture and a prompt. What earlier chunks leave behind
for attention is kept, so that a stream costs the same for each chunk.

Shapes are written in letters:

    B  streams in the batch          D  features of the residual stream
    K  chunks                        H  heads, R features of a head
    Z  frames of a chunk             S  tokens of a prompt
    C  channels of a frame's code    W  features of a token
    Y, X  its rows and columns       T  positions of a chunk: patches, then codes of sound
    L  codes of a chunk's sound      P  positions of the past
    E  channels of such a code
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config
from .dit_block import (
    DitAttention,
    DitMLP,
    FinalLayer,
    Modulation,
    TimeEmbedding,
    init_dit_weight,
    modulate,
    sine_positions,
)
from .prompt_encoder import pooled, seen_tokens
from .video_dit import frames_of, patches

Past = list[tuple[Tensor, Tensor]]  # keys and values of a block, (B, H, P, R), before they turn


class StreamAttention(nn.Module):
    """Attention to what was kept and to the present, by rotary positions in time."""

    def __init__(self, dim: int, n_heads: int):
        super().__init__()
        self.n_heads = n_heads
        self.q_proj = nn.Linear(dim, dim)
        self.k_proj = nn.Linear(dim, dim)
        self.v_proj = nn.Linear(dim, dim)
        self.o_proj = nn.Linear(dim, dim)

    def forward(
        self, x: Tensor, moments: Tensor, past: tuple[Tensor, Tensor] | None, mask: Tensor | None
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """(B, T, D) -> (B, T, D), and keys and values of everything seen so far.

        `moments` are those of all keys, (P + T,); keys are kept before they turn, because moments
        count from what is kept.
        """
        q, k, v = (
            project(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)  # (B, H, T, R)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        if past is not None:
            k, v = torch.cat((past[0], k), dim=2), torch.cat((past[1], v), dim=2)
        turned = turn(k, moments)  # (B, H, P + T, R)
        y = F.scaled_dot_product_attention(turn(q, moments[-q.size(2) :]), turned, v, mask)
        return self.o_proj(y.transpose(1, 2).flatten(2)), (k, v)


def turn(x: Tensor, moments: Tensor) -> Tensor:
    """Rotate pairs of features by their moment (Su et al. 2021, eq. 34), (B, H, T, R)."""
    half = x.size(-1) // 2
    speeds = 100.0 ** -(torch.arange(half, device=x.device) / half)  # (R / 2,) turns a frame
    angles = moments[:, None] * speeds  # (T, R / 2)
    cos, sin = angles.cos().to(x.dtype), angles.sin().to(x.dtype)
    first, second = x.chunk(2, dim=-1)
    return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1)


class StreamBlock(nn.Module):
    """Modulated attention and MLP; all positions of a chunk are at one time of the diffusion."""

    def __init__(self, config: Config):
        super().__init__()
        dim = config.d_model
        self.modulation = Modulation(dim, 6)
        self.attn_norm = nn.LayerNorm(dim, 1e-6, elementwise_affine=False)
        self.attn = StreamAttention(dim, config.n_heads)
        self.mlp_norm = nn.LayerNorm(dim, 1e-6, elementwise_affine=False)
        self.mlp = DitMLP(dim, config.d_ff)
        self.cross_norm = nn.LayerNorm(dim, 1e-6)
        self.cross_attn = DitAttention(dim, config.n_heads, config.text_d_model)

    def forward(
        self,
        x: Tensor,
        c: Tensor,
        states: Tensor,
        seen: Tensor,
        moments: Tensor,
        past: tuple[Tensor, Tensor] | None,
        mask: Tensor | None,
    ) -> tuple[Tensor, tuple[Tensor, Tensor]]:
        """One layer over chunks, (B * K, T, D) under (B * K, D), and what it leaves behind."""
        shift_attn, scale_attn, gate_attn, shift_mlp, scale_mlp, gate_mlp = self.modulation(c)
        count, shape = len(states), x.shape
        y = modulate(self.attn_norm(x), shift_attn, scale_attn)
        y, kept = self.attn(y.reshape(count, -1, shape[-1]), moments, past, mask)
        x = x + gate_attn * y.view(shape)
        y = self.cross_norm(x).view(count, -1, shape[-1])  # (B, K * T, D)
        x = x + self.cross_attn(y, states, seen).view(shape)
        y = modulate(self.mlp_norm(x), shift_mlp, scale_mlp)
        return x + gate_mlp * self.mlp(y), kept


class AvatarDit(nn.Module):
    """Two projections in, for patches and for codes of sound; blocks over both; two out."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        dim, codes = config.d_model, config.latent_channels
        squares = config.patch_size**2 * codes
        self.patch_embed = nn.Linear(config.tubelet * squares, dim)
        self.sound_embed = nn.Linear(config.sound_channels, dim)
        if config.reads_image:
            self.picture_embed = nn.Linear(squares, dim)
        self.time_embed = TimeEmbedding(config.time_features, dim)
        self.text_embed = nn.Linear(config.text_d_model, dim)
        self.blocks = nn.ModuleList(StreamBlock(config) for _ in range(config.n_layers))
        self.frames_final = FinalLayer(dim, config.tubelet * squares)
        self.sound_final = FinalLayer(dim, config.sound_channels)

    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight called `name`; outputs start as zero, what is embedded as large as it is.

        Blocks start as the identity.
        """
        if name.endswith("final.proj.weight"):
            nn.init.zeros_(weight)
        elif name.endswith("_embed.weight"):
            nn.init.normal_(weight, std=weight.size(1) ** -0.5, generator=generator)
        else:
            init_dit_weight(name, weight, generator)

    def look(self, picture: Tensor, states: Tensor, tokens: Tensor) -> Past:
        """What a coded picture, (B, C, Y, X), leaves behind: the past of the first chunk."""
        patch = self.config.patch_size
        side = picture.size(-1) // patch
        x = self.picture_embed(patches(picture[:, None], 1, patch).to(states.dtype))  # (B, P, D)
        x = x + sine_positions(side, x.size(-1)).to(x)
        clean = torch.zeros(len(x), device=x.device)
        c = self.time_embed(clean) + self.text_embed(pooled(states, tokens))  # (B, D)
        moments = torch.zeros(x.size(1), device=x.device) - self.config.tubelet
        return self.through(x, c, states, tokens, moments, None, None)[1]

    def through(
        self,
        x: Tensor,
        c: Tensor,
        states: Tensor,
        tokens: Tensor,
        moments: Tensor,
        past: Past | None,
        mask: Tensor | None,
    ) -> tuple[Tensor, Past]:
        """All blocks over (B * K, T, D), and what each leaves behind."""
        seen, left = seen_tokens(tokens)[:, None, None], []
        for i, block in enumerate(self.blocks):
            before = None if past is None else past[i]
            x, kept = block(x, c, states, seen, moments, before, mask)
            left.append(kept)
        return x, left

    def forward(
        self,
        noisy: Tensor,
        times: Tensor,
        states: Tensor,
        tokens: Tensor,
        past: Past | None = None,
    ) -> tuple[Tensor, Past]:
        """What chunks are made of, at times of their own, and what they leave behind.

        A chunk is its frames' codes and its sound's in one row: (B, K, Z * C * Y * X + L * E) ->
        the same, under (B, K), states (B, S, W) and tokens (B, S). `past` is what `look` and
        earlier chunks left; each of several chunks sees no more of the past than is ever kept.
        """
        config, chunks = self.config, noisy.size(1)
        frames, sound = parted(config, noisy.flatten(0, 1).to(states.dtype))
        x = self.patch_embed(patches(frames, config.tubelet, config.patch_size))
        groups = config.chunk_frames // config.tubelet
        place = sine_positions(frames.size(-1) // config.patch_size, x.size(-1)).to(x)
        x = x + place.repeat(groups, 1)
        x = torch.cat((x, self.sound_embed(sound)), dim=1)  # (B * K, T, D)
        c = self.time_embed(times.flatten())  # (B * K, D)
        c = c + self.text_embed(pooled(states, tokens)).repeat_interleave(chunks, dim=0)
        length, before = x.size(1), 0 if past is None else past[0][0].size(2)
        shown = positions(config)[0]
        moments = self.moments(shown, (before - shown) // length + chunks, place)
        mask = self.mask(shown, length, before, chunks, x.device) if chunks > 1 else None
        x, left = self.through(x, c, states, tokens, moments, past, mask)
        made = self.frames_final(x[:, : len(place) * groups], c)
        made = frames_of(made, frames.shape, config.tubelet, config.patch_size)
        heard = self.sound_final(x[:, len(place) * groups :], c)
        output = torch.cat((made.flatten(1), heard.flatten(1)), dim=1)
        return output.view(noisy.shape), left

    def moments(self, shown: int, chunks: int, place: Tensor) -> Tensor:
        """When every position is, in frames, from the first chunk that is kept: (P + T,)."""
        config, device = self.config, place.device
        groups = torch.arange(0, config.chunk_frames, config.tubelet, device=device)
        seen = groups.repeat_interleave(len(place))  # (patches,)
        heard = torch.arange(config.chunk_codes, device=device)
        heard = heard * (config.chunk_frames / config.chunk_codes)  # (L,)
        starts = torch.arange(chunks, device=device)[:, None] * config.chunk_frames  # (K, 1)
        present = (starts + torch.cat((seen, heard))).flatten()  # (K * T,)
        return torch.cat((torch.full((shown,), -float(config.tubelet), device=device), present))

    def mask(
        self, shown: int, length: int, before: int, chunks: int, device: torch.device
    ) -> Tensor:
        """Which of what was kept and of these chunks each position sees, (K * T, P + K * T)."""
        first = (before - shown) // length  # the number of the first of these chunks
        number = torch.arange(first + chunks, device=device).repeat_interleave(length)
        behind = number[first * length :, None] - number  # (K * T, P - shown + K * T)
        seen = (behind >= 0) & (behind <= self.config.history_chunks)
        return F.pad(seen, (shown, 0), value=True)


def positions(config: Config) -> tuple[int, int]:
    """Positions of a given picture, and of a chunk."""
    side = config.image_size // 2 ** (len(config.ae_channels) - 1) // config.patch_size
    length = config.chunk_frames // config.tubelet * side**2 + config.chunk_codes
    if config.reads_image:
        return side**2, length
    else:
        return 0, length


def parted(config: Config, chunks: Tensor) -> tuple[Tensor, Tensor]:
    """Frames and sound of chunks, (B, numbers) -> (B, Z, C, Y, X) and (B, L, E)."""
    side = config.image_size // 2 ** (len(config.ae_channels) - 1)
    heard = config.chunk_codes * config.sound_channels
    frames, sound = chunks.split((chunks.size(1) - heard, heard), dim=1)
    shape = (config.chunk_frames, config.latent_channels, side, side)
    return frames.unflatten(1, shape), sound.unflatten(1, (config.chunk_codes, -1))


def kept(past: Past, shown: int, most: int) -> Past:
    """The picture's share of a past and the newest `most` positions of the rest."""
    return [
        tuple(torch.cat((part[:, :, :shown], part[:, :, shown:][:, :, -most:]), 2) for part in pair)
        for pair in past
    ]
