"""A residual convolutional network that names what is in an image.

Shapes are written in letters:

    B  images in the batch           W  channels of a stage
    C  channels                      I  inner channels of a block
    Y  rows, X  columns              V  classes
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config
from .residual_block import BasicBlock, Bottleneck, ConvNorm


class ResNet(nn.Module):
    """A stem, stages of residual blocks at halving resolution, and a head on the mean."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.stem = ConvNorm(config.channels, config.stem_dim, 7, stride=2)
        self.stages = nn.ModuleList()
        in_width = config.stem_dim
        for width, depth in zip(config.hidden_sizes, config.depths, strict=True):
            stage = nn.ModuleList()
            for i in range(depth):
                stride = 2 if self.stages and i == 0 else 1
                if config.block == "basic":
                    stage.append(BasicBlock(in_width, width, stride))
                else:
                    stage.append(Bottleneck(in_width, width, width // config.reduction, stride))
                in_width = width
            self.stages.append(stage)
        self.head = nn.Linear(in_width, config.num_classes)

    @property
    def blocks(self) -> list[nn.Module]:
        """Every residual block, in order."""
        return [block for stage in self.stages for block in stage]

    def init_weights(self, generator: torch.Generator) -> None:
        """Draw every weight afresh."""
        for name, tensor in (*self.named_parameters(), *self.named_buffers()):
            self.init_weight(name, tensor, generator)

    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight or the running statistic called `name`.

        Convolutions keep the variance of gradients (He et al. 2015, eq. 14); blocks begin as
        their shortcuts (Goyal et al. 2017, section 5.1).
        """
        if self.config.block == "basic":
            last = "conv2.norm.weight"  # of a block
        else:
            last = "conv3.norm.weight"  # of a block
        if name.endswith("running_var"):
            nn.init.ones_(weight)
        elif name.endswith(("bias", "running_mean", "tracked", last)):
            nn.init.zeros_(weight)
        elif "norm" in name:
            nn.init.ones_(weight)
        elif name == "head.weight":
            nn.init.normal_(weight, std=self.config.init_std, generator=generator)
        else:
            nn.init.kaiming_normal_(
                weight, mode="fan_out", nonlinearity="relu", generator=generator
            )

    def features(self, images: Tensor) -> Tensor:
        """One vector for each image, (B, C, Y, X) -> (B, W)."""
        x = F.relu(self.stem(images))  # (B, C, Y, X) -> (B, W, Y / 2, X / 2)
        x = F.max_pool2d(x, 3, stride=2, padding=1)  # (B, W, Y / 4, X / 4)
        for block in self.blocks:
            x = block(x)
        return x.mean(dim=(2, 3))  # (B, W, Y / 32, X / 32) -> (B, W)

    def forward(self, images: Tensor) -> Tensor:
        """Scores of the classes, (B, C, Y, X) -> (B, V)."""
        return self.head(self.features(images))

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """Mean negative log-likelihood of `batch["labels"]`, (B,), in nats per image."""
        return F.cross_entropy(self(batch["images"]).float(), batch["labels"])


def build_model(config: Config) -> ResNet:
    """The model with weights drawn from `config.seed`; without weights on the meta device."""
    model = ResNet(config)
    if not model.head.weight.is_meta:
        model.init_weights(torch.Generator(model.head.weight.device).manual_seed(config.seed))
    return model
