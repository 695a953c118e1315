"""A neural codec: sounds as a few whole numbers for each frame, and back (Défossez et al. 2022).

Shapes are written in letters:

    B  clips in the batch            T  frames
    C  channels of sound             W  features of a frame
    N  samples of a clip             Q  codebooks
    D  features of a layer           E  codes of a codebook
    M  frames of all clips
"""

import math

import torch
from torch import Tensor, nn

from .config import Config
from .residual_vq import ResidualQuantizer
from .seanet import Decoder, Encoder, init_wave_weight
from .spectral_loss import reconstruction_loss

COMMITMENT = 0.25  # weight of the distance between frames and their codes


class Codec(nn.Module):
    """An encoder to frames, a residual quantiser, and a decoder to sound."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.quantizer = ResidualQuantizer(config)
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

    @property
    def frame_rate(self) -> float:
        """Frames in a second."""
        return self.config.sample_rate / self.hop

    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight or buffer called `name`; codebooks begin with random codes."""
        if name.endswith(("sums", "usage")):
            nn.init.zeros_(weight)
        elif name.endswith("codes"):
            nn.init.normal_(weight, generator=generator)
        else:
            init_wave_weight(self, name, weight, generator)

    def encode(self, waveform: Tensor) -> Tensor:
        """Waveforms (B, C, N) to codes (B, Q, T); the last frame is filled up."""
        return self.quantizer.encode(self.encoder(waveform / self.level(waveform)))

    def decode(self, codes: Tensor, level: Tensor | float = 1.0) -> Tensor:
        """Codes (B, Q, T), of all codebooks or the first few, to waveforms (B, C, T * hop).

        `level` is what they were divided by.
        """
        return self.decoder(self.quantizer.decode(codes).to(self.dtype)) * level

    def level(self, waveform: Tensor) -> Tensor | float:
        """What a waveform is divided by; layers that normalise over time would not hear it."""
        if self.config.codec_norm == "time_group_norm":
            mono = waveform.mean(dim=1, keepdim=True)  # (B, 1, N)
            return mono.square().mean(dim=2, keepdim=True).sqrt() + 1e-8  # (B, 1, 1)
        return 1.0

    @property
    def dtype(self) -> torch.dtype:
        """The precision of the weights."""
        return next(self.parameters()).dtype

    def forward(self, waveform: Tensor) -> tuple[Tensor, Tensor]:
        """Waveforms (B, C, N) as they come back, and how far frames are from their codes.

        Gradients reach every weight; in training mode the codebooks follow the frames.
        """
        level = self.level(waveform)
        frames, distance = self.quantizer(self.encoder(waveform / level))
        restored = self.decoder(frames.to(self.dtype))[..., : waveform.size(-1)]
        return restored * level, distance

    def loss(self, waveform: Tensor) -> Tensor:
        """What (B, C, N) loses on the way, and what keeps frames near their codes."""
        restored, distance = self(waveform)
        lost = reconstruction_loss(restored, waveform, self.config.sample_rate)
        return lost + COMMITMENT * distance
