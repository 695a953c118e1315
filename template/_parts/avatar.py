"""Someone who speaks: frames and their sound, made together, chunk after chunk.

Shapes are written in letters:

    B  streams in the batch          C  channels of a frame's code
    K  chunks                        y, x  its rows and columns
    Z  frames of a stream            L  codes of a stream's sound
    P  channels of a frame           E  channels of such a code
    Y, X  its rows and columns       N  samples of a sound
    M  numbers of a coded chunk      S  tokens of a prompt
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .autoencoder_kl import Autoencoder
from .avatar_dit import AvatarDit, Past, kept, parted, positions
from .avatar_sound import SoundAutoencoder
from .config import Config
from .diffusion import Denoiser, corrupt, guided, over, sample, target, times
from .frame_loss import frame_loss
from .prompt_encoder import PromptEncoder, without_text

OVERLAP = 8  # codes of sound before a chunk that its waveform depends on


class Avatar(nn.Module):
    """Autoencoders of frames and of sound, and a causal transformer that denoises both at once."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.text_encoder = PromptEncoder(config)
        self.autoencoder = Autoencoder(config)
        self.sound = SoundAutoencoder(config)
        self.denoiser = AvatarDit(config)

    @property
    def blocks(self) -> list[nn.Module]:
        """The blocks of all networks."""
        coders = [*self.autoencoder.blocks, *self.sound.blocks]
        return [*self.text_encoder.blocks, *coders, *self.denoiser.blocks]

    def init_weights(self, generator: torch.Generator) -> None:
        """Draw every weight afresh."""
        for name, parameter in self.named_parameters():
            self.init_weight(name, parameter, generator)

    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight called `name`, as its network does."""
        network, _, own = name.partition(".")
        getattr(self, network).init_weight(own, weight, generator)

    def encode(self, video: Tensor, sound: Tensor) -> Tensor:
        """Coded chunks, (B, Z, P, Y, X) and (B, N) -> (B, K, M); each number of unit scale."""
        frames = self.autoencoder.latents(video.flatten(0, 1)).unflatten(0, video.shape[:2])
        seen = frames.unflatten(1, (-1, self.config.chunk_frames)).flatten(2)  # (B, K, ...)
        heard = self.sound.encode(sound).unflatten(1, (-1, self.config.chunk_codes)).flatten(2)
        return torch.cat((seen, heard), dim=2)

    def show(self, chunk: Tensor) -> Tensor:
        """Frames of one coded chunk, (B, M) -> (B, Z, P, Y, X)."""
        frames, _ = parted(self.config, chunk)
        shown = self.autoencoder.decode(frames.flatten(0, 1)).unflatten(0, frames.shape[:2])
        return shown.float().clamp(-1, 1)

    def speak(self, chunks: Tensor) -> Tensor:
        """Sound of the last of these coded chunks, (B, K, M) -> (B, N)."""
        _, codes = parted(self.config, chunks.flatten(0, 1))
        codes = codes.reshape(len(chunks), -1, codes.size(-1))  # (B, K * L, E)
        span = self.config.chunk_codes
        sound = self.sound.decode(codes[:, -span - OVERLAP :])
        return sound[:, -span * self.config.code_samples :].float().clamp(-1, 1)

    def before(self, states: Tensor, tokens: Tensor, picture: Tensor | None) -> Past | None:
        """What the first chunk can look back at; `picture` is coded, (B, C, y, x)."""
        if self.config.reads_image:
            return self.denoiser.look(picture, states, tokens)
        else:
            return None

    def output(self, batch: dict[str, Tensor], clean: Tensor) -> tuple[Tensor, Tensor]:
        """What the denoiser answers to the batch's noise, and what it should, (B * K, M) both."""
        at = times(self.config, batch["quantiles"].flatten())  # (B * K,)
        flat, noise = clean.flatten(0, 1), batch["noise"].flatten(0, 1)
        noisy = corrupt(self.config, flat, noise, at).view(clean.shape)
        tokens = without_text(batch["tokens"], batch["dropped"])
        states = self.text_encoder(tokens)
        picture = None
        if self.config.reads_image:
            with torch.no_grad():
                picture = self.autoencoder.latents(batch["video"][:, 0])
            picture = picture * over(~batch["dropped"], picture)
        past = self.before(states, tokens, picture)
        answer, _ = self.denoiser(noisy, at.view(batch["quantiles"].shape), states, tokens, past)
        return answer.flatten(0, 1).float(), target(self.config, flat, noise, at)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Mean squared error of the denoiser, and while they learn the autoencoders' losses.

        `video` is (B, Z, P, Y, X), `sound` (B, N), `tokens` (B, S). Every chunk is at a time of its
        own (Chen et al. 2024): `noise` is (B, K, M), `quantiles` (B, K). Prompt and picture, which
        is the first frame, are left out where `dropped`, (B,). `posterior_noise` is there as long
        as the autoencoders learn, and has as many frames as teach the one of frames.
        """
        video, sound = batch["video"], batch["sound"]
        with torch.no_grad():
            clean = self.encode(video, sound)
        loss = self.errors(*self.output(batch, clean))
        if "posterior_noise" in batch:
            noise = batch["posterior_noise"]
            frames = video[:, :: video.size(1) // noise.size(1)][:, : noise.size(1)]
            loss = (
                loss
                + self.sound.loss(sound)
                + frame_loss(
                    self.config, self.autoencoder, frames.flatten(0, 1), noise.flatten(0, 1)
                )
            )
        return loss

    def errors(self, answer: Tensor, wanted: Tensor) -> Tensor:
        """Mean squared error, to which frames and sound contribute alike."""
        pairs = zip(parted(self.config, answer), parted(self.config, wanted), strict=True)
        frames, sound = (F.mse_loss(ours, theirs) for ours, theirs in pairs)
        return (frames + sound) / 2

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """What training minimises; see `forward`."""
        return self(batch)

    @torch.inference_mode()
    def stream(
        self,
        noises: Iterator[Tensor],
        tokens: Tensor,
        picture: Tensor | None = None,
        steps: int = 4,
        scale: float = 1.0,
        sampler: str = "ddim",
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Frames and sound, (B, Z, P, Y, X) and (B, N), of each chunk as soon as it is done.

        The stream lasts as long as `noises`, one (B, M) for each chunk. `tokens` are prompts,
        (B, S), `picture` shows the speaker, (B, P, Y, X). Only `history_chunks` chunks are kept.
        """
        lanes = self.lanes(tokens, picture, scale)
        recent: list[Tensor] = []
        enough = 1 + -(-OVERLAP // self.config.chunk_codes)
        for noise in noises:
            chunk = self.next_chunk(lanes, noise, steps, scale, sampler)
            recent = [*recent, chunk.to(lanes[0]["states"].dtype)][-enough:]
            yield self.show(recent[-1]), self.speak(torch.stack(recent, dim=1))

    def lanes(self, tokens: Tensor, picture: Tensor | None, scale: float) -> list[dict]:
        """A stream as it is told what is wanted and, for guidance, one that is not told."""
        told = [self.lane(tokens, picture, told=True)]
        return told if scale == 1 else [*told, self.lane(tokens, picture, told=False)]

    def next_chunk(
        self, lanes: list[dict], noise: Tensor, steps: int, scale: float, sampler: str = "ddim"
    ) -> Tensor:
        """Denoise a chunk, (B, M) -> (B, M), and remember it in every lane."""
        denoisers = [self.denoise_in(lane) for lane in lanes]
        denoise = guided(denoisers[0], denoisers[-1], scale)
        chunk = sample(self.config, denoise, noise, steps, sampler)
        for lane in lanes:
            self.remember(lane, chunk)
        return chunk

    def lane(self, tokens: Tensor, picture: Tensor | None, told: bool) -> dict:
        """Conditions of a stream and its past; or of one that is not told what is wanted."""
        if not told:
            tokens = without_text(tokens, torch.ones_like(tokens[:, 0], dtype=torch.bool))
        states, codes = self.text_encoder(tokens), None
        if self.config.reads_image:
            codes = self.autoencoder.latents(picture) * told
        past = self.before(states, tokens, codes)
        return {"states": states, "tokens": tokens, "past": past}

    def denoise_in(self, lane: dict) -> Denoiser:
        """The denoiser of the next chunk, (B, M) noisy and (B,) times -> (B, M)."""

        def denoise(noisy: Tensor, at: Tensor) -> Tensor:
            return self.denoiser(noisy[:, None], at[:, None], **lane)[0][:, 0].to(noisy.dtype)

        return denoise

    def remember(self, lane: dict, chunk: Tensor) -> None:
        """Extend the past of a lane by a clean chunk, and forget what is too old."""
        clean = chunk.new_zeros(len(chunk), 1)
        past = self.denoiser(chunk[:, None], clean, **lane)[1]
        shown, length = positions(self.config)
        lane["past"] = kept(past, shown, length * self.config.history_chunks)


def chunk_numbers(config: Config) -> int:
    """Numbers of a coded chunk: of its frames, then of its sound."""
    side = config.image_size // 2 ** (len(config.ae_channels) - 1)
    frames = config.chunk_frames * config.latent_channels * side**2
    return frames + config.chunk_codes * config.sound_channels


def build_model(config: Config) -> Avatar:
    """The model with weights drawn from `config.seed`; without weights on the meta device."""
    model = Avatar(config)
    weight = model.denoiser.patch_embed.weight
    if not weight.is_meta:
        model.init_weights(torch.Generator(weight.device).manual_seed(config.seed))
    return model
