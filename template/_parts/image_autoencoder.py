"""An autoencoder of pictures: a code that is a smaller picture, and the way back.

Shapes are written in letters:

    B  pictures in the batch         Z  channels of the code
    C  channels of a picture         y, x  rows and columns of the code
    Y, X  rows and columns           W  channels of a stage
"""

import torch
from torch import Tensor

from .autoencoder_kl import Autoencoder
from .config import Config


class ImageAutoencoder(Autoencoder):
    """The autoencoder as a model of its own."""

    def init_weights(self, generator: torch.Generator) -> None:
        """Draw every weight afresh."""
        for name, parameter in self.named_parameters():
            self.init_weight(name, parameter, generator)

    def forward(self, images: Tensor) -> Tensor:
        """What is left of pictures after their codes, (B, C, Y, X) -> (B, C, Y, X)."""
        return self.decode(self.latents(images))

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """The loss on `batch["images"]`, (B, C, Y, X), whose codes are drawn around their means.

        The draws are `batch["posterior_noise"]`, (B, Z, y, x), of unit variance.
        """
        return self.reconstruction_loss(batch["images"], batch["posterior_noise"])


def build_model(config: Config) -> ImageAutoencoder:
    """The model with weights drawn from `config.seed`; without weights on the meta device."""
    model = ImageAutoencoder(config)
    weight = model.encoder.conv_in.weight
    if not weight.is_meta:
        model.init_weights(torch.Generator(weight.device).manual_seed(config.seed))
    return model
