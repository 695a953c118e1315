"""An autoencoder of waveforms whose code is continuous: one vector for each frame of a sound.

Shapes are written in letters:

    B  sounds in the batch           W  features of a frame
    N  samples of a sound            Z  channels of a code
    T  frames of a sound
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config
from .seanet import Decoder, Encoder, init_wave_weight
from .spectral_loss import reconstruction_loss


class WaveAutoencoder(nn.Module):
    """Convolutions down to frames, the moments of a code for each, and the way back."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.to_moments = nn.Conv1d(config.codebook_dim, 2 * config.latent_channels, 1)
        self.from_codes = nn.Conv1d(config.latent_channels, config.codebook_dim, 1)
        self.decoder = Decoder(config)

    @property
    def blocks(self) -> list[nn.Module]:
        """Every layer with weights, in order."""
        layers = (*self.encoder.layers, *self.decoder.layers)
        return [layer for layer in layers if not isinstance(layer, nn.ELU)]

    @property
    def hop(self) -> int:
        """Samples of a frame."""
        return math.prod(self.config.ratios)

    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight called `name`; layers keep the variance of what they read."""
        init_wave_weight(self, name, weight, generator)

    def moments(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """Means and log-variances of codes, (B, 1, N) -> (B, T, Z) twice, in full precision."""
        frames = self.encoder(waveform.to(self.to_moments.weight.dtype))  # (B, W, T)
        mean, log_variance = self.to_moments(frames).float().transpose(1, 2).chunk(2, dim=2)
        return mean, log_variance.clamp(-30, 20)

    def encode(self, waveform: Tensor) -> Tensor:
        """Codes of unit scale, (B, 1, N) -> (B, T, Z); the last frame is filled up."""
        return unit(self.moments(waveform)[0])

    def decode(self, codes: Tensor) -> Tensor:
        """Waveforms, (B, T, Z) -> (B, 1, N)."""
        frames = self.from_codes(codes.transpose(1, 2).to(self.from_codes.weight.dtype))
        return self.decoder(frames)  # (B, W, T) -> (B, 1, N)

    def loss(self, waveform: Tensor, noise: Tensor) -> Tensor:
        """What (B, 1, N) loses on the way, and a little of what codes differ from noise by.

        `noise`, (B, T, Z), is where codes are drawn around their means. The second term is their
        divergence from a standard normal, in nats for each number (Kingma and Welling 2014,
        appendix B).
        """
        mean, log_variance = self.moments(waveform)
        restored = self.decode(unit(mean + torch.exp(log_variance / 2) * noise))
        restored = restored[..., : waveform.size(-1)]
        nats = (mean**2 + log_variance.exp() - 1 - log_variance).mean() / 2
        lost = reconstruction_loss(restored, waveform, self.config.sample_rate)
        return lost + self.config.kl_weight * nats


def unit(codes: Tensor) -> Tensor:
    """The codes of each sound, (B, T, Z), with mean 0 and variance 1."""
    return F.layer_norm(codes, codes.shape[1:])
