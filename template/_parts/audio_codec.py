"""A neural codec: sounds as a few whole numbers for each frame, and back (Défossez et al. 2022).

Shapes are written in letters:

    B  clips in the batch            T  frames
    C  channels of sound             W  features of a frame
    N  samples of a clip             Q  codebooks
    D  features of a layer           E  codes of a codebook
    M  frames of all clips
"""

import torch
from torch import Tensor

from .codec import Codec
from .config import Config


class AudioCodec(Codec):
    """The codec as a model of its own, trained on what it loses."""

    def init_weights(self, generator: torch.Generator) -> None:
        """Draw every weight afresh, and empty the codebooks."""
        for name, tensor in (*self.named_buffers(), *self.named_parameters()):
            self.init_weight(name, tensor, generator)

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """The codec's loss on `batch["waveform"]`, (B, C, N)."""
        return super().loss(batch["waveform"])


def build_model(config: Config) -> AudioCodec:
    """The model with weights drawn from `config.seed`; without weights on the meta device."""
    model = AudioCodec(config)
    weight = next(model.parameters())
    if not weight.is_meta:
        model.init_weights(torch.Generator(weight.device).manual_seed(config.seed))
    return model
