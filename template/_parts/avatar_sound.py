"""An autoencoder of sound whose code at any moment depends on nothing that is heard later.

Shapes are written in letters:

    B  sounds in the batch           W  channels of a stage
    N  samples of a sound            L  codes of a sound
    E  channels of a code
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config

KERNEL = 7  # of the outermost convolutions
WINDOWS = (64, 256)  # samples of the Fourier windows that the loss looks through
QUIET = 1e-2  # magnitudes below this are not told apart


class Causal(nn.Conv1d):
    """A convolution that leaves one position for each `stride`, and sees none that follow."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, (self.kernel_size[0] - self.stride[0], 0)))


class CausalUp(nn.ConvTranspose1d):
    """A transposed convolution that makes `stride` positions of each, and sees none that follow."""

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x)[..., : x.size(-1) * self.stride[0]]


class SoundBlock(nn.Module):
    """Two convolutions beside the identity."""

    def __init__(self, width: int):
        super().__init__()
        self.conv1 = Causal(width, width, 3)
        self.conv2 = Causal(width, width, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.conv2(F.elu(self.conv1(F.elu(x))))  # (B, W, N) -> (B, W, N)


class SoundAutoencoder(nn.Module):
    """Waveforms to codes and back; a code spans the product of `sound_ratios` samples."""

    def __init__(self, config: Config):
        super().__init__()
        widths = [config.sound_width * 2**i for i in range(len(config.sound_ratios) + 1)]
        down: list[nn.Module] = [Causal(1, widths[0], KERNEL)]
        up: list[nn.Module] = [Causal(config.sound_channels, widths[-1], 3)]
        for ratio, narrow, wide in zip(config.sound_ratios, widths, widths[1:], strict=False):
            down += [SoundBlock(narrow), Causal(narrow, wide, 2 * ratio, ratio)]
        stages = list(zip(config.sound_ratios, widths, widths[1:], strict=False))
        for ratio, narrow, wide in reversed(stages):
            up += [CausalUp(wide, narrow, 2 * ratio, ratio), SoundBlock(narrow)]
        down.append(Causal(widths[-1], config.sound_channels, 1))
        up.append(Causal(widths[0], 1, KERNEL))
        self.encoder, self.decoder = nn.Sequential(*down), nn.Sequential(*up)

    @property
    def blocks(self) -> list[nn.Module]:
        """Every block of convolutions."""
        return [module for module in self.modules() if isinstance(module, SoundBlock)]

    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight called `name`; blocks begin as the identity."""
        if name.endswith(("bias", "conv2.weight")):
            nn.init.zeros_(weight)
        else:
            std = 1 / math.sqrt(weight[0].numel())
            nn.init.normal_(weight, std=std, generator=generator)

    def encode(self, sound: Tensor) -> Tensor:
        """Codes of unit scale, (B, N) -> (B, L, E)."""
        weight = self.encoder[0].weight
        codes = self.encoder(sound[:, None].to(weight.dtype)).transpose(1, 2)  # (B, L, E)
        return F.layer_norm(codes, codes.shape[-1:])

    def decode(self, codes: Tensor) -> Tensor:
        """Sounds of codes, (B, L, E) -> (B, N)."""
        return self.decoder(codes.transpose(1, 2))[:, 0]

    def loss(self, sound: Tensor) -> Tensor:
        """What restored sounds miss: of their samples, and of the logarithms of their spectra."""
        restored = self.decode(self.encode(sound))
        loss = F.l1_loss(restored, sound)
        for size in WINDOWS:
            loss = loss + F.l1_loss(log_spectrum(restored, size), log_spectrum(sound, size)) / 8
        return loss


def log_spectrum(sound: Tensor, size: int) -> Tensor:
    """Logarithms of magnitudes, (B, N) -> (B, bins, frames), a window every size / 4 samples."""
    window = torch.hann_window(size, device=sound.device)
    spectrum = torch.stft(
        sound.float(), size, size // 4, window=window, normalized=True, return_complex=True
    )
    power = spectrum.real.square() + spectrum.imag.square()
    return (power + QUIET**2).log() / 2
