"""Sound out of noise: an autoencoder turns it into codes, and all of them are denoised together.

Shapes are written in letters:

    B  sounds in the batch           Z  channels of a code
    N  samples of a sound            S  tokens of a prompt
    T  frames of a sound             W  features of a token
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .audio_dit import AudioDit
from .config import Config
from .diffusion import denoising_loss, guided, over, sample
from .prompt_encoder import PromptEncoder, without_text
from .wave_autoencoder import WaveAutoencoder


class AudioDiffusion(nn.Module):
    """The networks of the release, and what joins them."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        if config.conditioned:
            self.text_encoder = PromptEncoder(config)
        self.autoencoder = WaveAutoencoder(config)
        self.denoiser = AudioDit(config)

    @property
    def blocks(self) -> list[nn.Module]:
        """Every layer of every transformer."""
        if self.config.conditioned:
            return [*self.text_encoder.blocks, *self.denoiser.blocks]
        else:
            return list(self.denoiser.blocks)

    def init_weights(self, generator: torch.Generator) -> None:
        """Draw every weight afresh."""
        for name, weight in self.named_parameters():
            self.init_weight(name, weight, generator)

    @torch.no_grad()
    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight called `name`, as its network does."""
        network, _, own = name.partition(".")
        getattr(self, network).init_weight(own, weight, generator)

    def encode(self, waveform: Tensor) -> Tensor:
        """Codes of unit scale, (B, 1, N) -> (B, T, Z)."""
        return self.autoencoder.encode(waveform)

    def decode(self, codes: Tensor) -> Tensor:
        """Sounds between -1 and 1, (B, T, Z) -> (B, 1, N)."""
        return self.autoencoder.decode(codes).float().clamp(-1, 1)

    def conditions(self, batch: dict[str, Tensor], frames: int) -> dict[str, Tensor]:
        """What the denoiser is told; nothing where `dropped`, (B,), is set.

        `tokens` are prompts, (B, S); `opening` is how sounds begin, (B, 1, N).
        """
        told: dict[str, Tensor] = {}
        if self.config.conditioned:
            tokens = without_text(batch["tokens"], batch["dropped"])
            told |= {"tokens": tokens, "states": self.text_encoder(tokens)}
        if self.config.continued:
            with torch.no_grad():
                codes = self.encode(batch["opening"])[:, :frames]
            told["given"] = known(codes, frames, ~batch["dropped"])
        return told

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """Mean squared error of the denoiser on the sounds in `batch["waveform"]`, (B, 1, N).

        `noise` is like their codes, `quantiles` (B,). While the batch holds `posterior_noise`, of
        as many frames as teach it, the autoencoder learns too: its own loss is added, and no
        gradient of the denoiser reaches it.
        """
        waveform = batch["waveform"]
        with torch.no_grad():
            clean = self.encode(waveform)
        told = self.conditions(batch, clean.size(1))
        loss = denoising_loss(
            self.config,
            lambda noisy, times: self.denoiser(noisy, times, **told),
            clean,
            batch["noise"],
            batch["quantiles"],
        )
        if "posterior_noise" in batch:
            noise = batch["posterior_noise"]
            taught = waveform[..., : noise.size(1) * self.autoencoder.hop]
            loss = loss + self.autoencoder.loss(taught, noise)
        return loss

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """What training minimises; see `loss`."""
        return self.loss(batch)

    @torch.inference_mode()
    def generate(
        self,
        batch: dict[str, Tensor],
        noise: Tensor,
        steps: int,
        scale: float = 1.0,
        sampler: str = "ddim",
    ) -> Tensor:
        """Sounds for the rows of a batch from noise, (B, T, Z) -> (B, 1, N).

        `scale` is that of guidance; the batch is as for `conditions`.
        """
        all_of_them = torch.ones(len(noise), dtype=torch.bool, device=noise.device)
        told = self.conditions(batch | {"dropped": ~all_of_them}, noise.size(1))
        untold = told
        if scale != 1:
            untold = self.conditions(batch | {"dropped": all_of_them}, noise.size(1))
        denoise = guided(
            lambda noisy, times: self.denoiser(noisy, times, **told).to(noisy.dtype),
            lambda noisy, times: self.denoiser(noisy, times, **untold).to(noisy.dtype),
            scale,
        )
        return self.decode(sample(self.config, denoise, noise, steps, sampler))


def known(codes: Tensor, frames: int, kept: Tensor) -> Tensor:
    """What the denoiser is told of a sound of so many frames: the codes of its beginning.

    (B, T, Z) -> (B, frames, Z + 1); nothing about sounds that are not `kept`, (B,).
    """
    told = torch.cat((codes, torch.ones_like(codes[..., :1])), dim=2)
    told = told * over(kept, told)
    return F.pad(told, (0, 0, 0, frames - told.size(1)))


def latent_shape(config: Config) -> tuple[int, int]:
    """Frames and channels of a sound's codes."""
    return config.frames, config.latent_channels


def build_model(config: Config) -> AudioDiffusion:
    """The model with weights drawn from `config.seed`; without weights on the meta device."""
    model = AudioDiffusion(config)
    weight = model.denoiser.frame_proj.weight
    if not weight.is_meta:
        model.init_weights(torch.Generator(weight.device).manual_seed(config.seed))
    return model
