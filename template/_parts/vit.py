"""A vision transformer that names what is in an image.

Shapes are written in letters:

    B  images in the batch           H  attention heads
    C  channels                      K  features of a head
    Y  rows, X  columns              D  features of the residual stream
    N  patches of an image           F  hidden features of the MLP
    T  positions of the sequence     V  classes
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config
from .patch_embed import PatchEmbed
from .residual_init import fill_weight
from .vit_block import VitBlock


class VisionTransformer(nn.Module):
    """Patches of an image, a stack of blocks over them, and a head that scores the classes."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        dim = config.d_model
        positions = (config.image_size // config.patch_size) ** 2
        if config.pool == "class_token":
            positions += 1
            self.class_token = nn.Parameter(torch.empty(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.empty(1, positions, dim))
        self.patch_embed = PatchEmbed(config.channels, dim, config.patch_size)
        self.blocks = nn.ModuleList(
            VitBlock(config, dim, config.n_heads, config.head_dim, config.d_ff)
            for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(dim, config.norm_eps)
        self.head = nn.Linear(dim, config.num_classes)

    def init_weights(self, generator: torch.Generator) -> None:
        """Draw every weight afresh."""
        for name, parameter in self.named_parameters():
            self.init_weight(name, parameter, generator)

    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight called `name`."""
        fill_weight(name, weight, self.config, generator)

    def features(self, images: Tensor) -> Tensor:
        """One vector for each image, (B, C, Y, X) -> (B, D)."""
        x = self.patch_embed(images)  # (B, C, Y, X) -> (B, N, D)
        if self.config.pool == "class_token":
            x = torch.cat((self.class_token.expand(x.size(0), -1, -1), x), dim=1)  # (B, T, D)
        x = x + self.pos_embed
        for block in self.blocks:
            x = block(x)
        x = self.norm(x)
        if self.config.pool == "class_token":
            return x[:, 0]
        else:
            return x.mean(dim=1)

    def forward(self, images: Tensor) -> Tensor:
        """Scores of the classes, (B, C, Y, X) -> (B, V)."""
        return self.head(self.features(images))

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """Mean negative log-likelihood of `batch["labels"]`, (B,), in nats per image."""
        return F.cross_entropy(self(batch["images"]).float(), batch["labels"])


def build_model(config: Config) -> VisionTransformer:
    """The model with weights drawn from `config.seed`; without weights on the meta device."""
    model = VisionTransformer(config)
    if not model.head.weight.is_meta:
        model.init_weights(torch.Generator(model.head.weight.device).manual_seed(config.seed))
    return model
