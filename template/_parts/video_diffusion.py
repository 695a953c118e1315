"""Clips out of noise: frames are coded one by one, and all of them are denoised together.

Shapes are written in letters:

    B  clips in the batch            C  channels of a frame's code
    Z  frames of a clip              y, x  its rows and columns
    P  channels of a frame           S  tokens of a prompt
    Y, X  its rows and columns
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .autoencoder_kl import Autoencoder
from .config import Config
from .diffusion import denoising_loss, guided, over, sample
from .frame_loss import frame_loss
from .prompt_encoder import PromptEncoder, without_text
from .video_dit import VideoDit


class VideoDiffusion(nn.Module):
    """An autoencoder of frames and a transformer that denoises the codes of a clip."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        if config.reads_text:
            self.text_encoder = PromptEncoder(config)
        self.autoencoder = Autoencoder(config)
        self.denoiser = VideoDit(config)

    @property
    def blocks(self) -> list[nn.Module]:
        """The blocks of all networks."""
        own = [*self.autoencoder.blocks, *self.denoiser.blocks]
        if self.config.reads_text:
            return [*self.text_encoder.blocks, *own]
        else:
            return own

    def init_weights(self, generator: torch.Generator) -> None:
        """Draw every weight afresh."""
        for name, parameter in self.named_parameters():
            self.init_weight(name, parameter, generator)

    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight called `name`, as its network does."""
        network, _, own = name.partition(".")
        getattr(self, network).init_weight(own, weight, generator)

    def encode(self, video: Tensor) -> Tensor:
        """Codes of unit scale, (B, Z, P, Y, X) -> (B, Z, C, y, x)."""
        codes = self.autoencoder.latents(video.flatten(0, 1))
        return codes.unflatten(0, video.shape[:2])

    def decode(self, codes: Tensor) -> Tensor:
        """Clips between -1 and 1, (B, Z, C, y, x) -> (B, Z, P, Y, X)."""
        made = [self.autoencoder.decode(frames) for frames in codes.unbind(1)]
        return torch.stack(made, dim=1).float().clamp(-1, 1)

    def read(self, tokens: Tensor) -> Tensor:
        """Hidden states of prompts, (B, S) -> (B, S, W)."""
        return self.text_encoder(tokens)

    def known(self, codes: Tensor, frames: int, kept: Tensor | None = None) -> Tensor:
        """What the denoiser is told of the first `frames` frames, (B, Z, C + 1, y, x).

        Nothing about clips that are not `kept`, (B,).
        """
        shown = torch.zeros_like(codes[:, :, :1])  # (B, Z, 1, y, x)
        shown[:, :frames] = 1
        if kept is not None:
            shown = shown * over(kept, codes)
        return torch.cat((codes * shown, shown), dim=2)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Mean squared error of the denoiser, and while it learns the autoencoder's loss.

        `video` is (B, Z, P, Y, X), `noise` like its codes, `quantiles` (B,); conditions of the
        `dropped` ones, (B,), are left out. `tokens` are prompts, (B, S). `posterior_noise`, which
        is there as long as the autoencoder learns, has as many frames as teach it.
        """
        video, dropped = batch["video"], batch["dropped"]
        with torch.no_grad():
            clean = self.encode(video)
        told = {}
        if self.config.conditioned:
            told["given"] = self.known(clean, self.config.given_frames, ~dropped)
        if self.config.reads_text:
            told["tokens"] = tokens = without_text(batch["tokens"], dropped)
            told["states"] = self.read(tokens)
        loss = denoising_loss(
            self.config,
            lambda noisy, times: self.denoiser(noisy, times, **told),
            clean,
            batch["noise"],
            batch["quantiles"],
        )
        if "posterior_noise" in batch:
            noise = batch["posterior_noise"]
            frames = video[:, :: video.size(1) // noise.size(1)][:, : noise.size(1)]
            loss = loss + frame_loss(
                self.config, self.autoencoder, frames.flatten(0, 1), noise.flatten(0, 1)
            )
        return loss

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """What training minimises; see `forward`."""
        return self(batch)

    @torch.inference_mode()
    def generate(
        self,
        noise: Tensor,
        steps: int,
        scale: float = 1.0,
        sampler: str = "ddim",
        tokens: Tensor | None = None,
        start: Tensor | None = None,
    ) -> Tensor:
        """Clips from noise, (B, Z, C, y, x) -> (B, Z, P, Y, X), under guidance of a scale.

        `tokens` are prompts, (B, S); `start` has the first frames, (B, given frames, P, Y, X).
        """
        told, untold = {}, {}
        if self.config.conditioned:
            known = self.encode(start)  # (B, given frames, C, y, x)
            codes = F.pad(known, (0, 0, 0, 0, 0, 0, 0, noise.size(1) - known.size(1)))
            told["given"] = self.known(codes, known.size(1))
            untold["given"] = torch.zeros_like(told["given"])
        if self.config.reads_text:
            told |= {"tokens": tokens, "states": self.read(tokens)}
            empty = without_text(tokens, torch.ones_like(tokens[:, 0], dtype=torch.bool))
            untold |= {"tokens": empty, "states": self.read(empty)}
        denoise = guided(
            lambda noisy, times: self.denoiser(noisy, times, **told).to(noisy.dtype),
            lambda noisy, times: self.denoiser(noisy, times, **untold).to(noisy.dtype),
            scale,
        )
        codes = sample(self.config, denoise, noise, steps, sampler)
        made = self.decode(codes.to(self.denoiser.patch_embed.weight.dtype))
        if self.config.conditioned:
            made[:, : start.size(1)] = start
        return made


def latent_shape(config: Config) -> tuple[int, ...]:
    """Frames, channels, rows and columns of a clip's codes."""
    side = config.image_size // 2 ** (len(config.ae_channels) - 1)
    return (config.frames, config.latent_channels, side, side)


def build_model(config: Config) -> VideoDiffusion:
    """The model with weights drawn from `config.seed`; without weights on the meta device."""
    model = VideoDiffusion(config)
    weight = model.denoiser.patch_embed.weight
    if not weight.is_meta:
        model.init_weights(torch.Generator(weight.device).manual_seed(config.seed))
    return model
