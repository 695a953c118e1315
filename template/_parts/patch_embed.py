"""From images to sequences of patches."""

from torch import Tensor, nn


class PatchEmbed(nn.Module):
    """Square patches that do not overlap, each projected to a vector; rests at edges are cut."""

    def __init__(self, in_channels: int, d_model: int, patch_size: int):
        super().__init__()
        self.proj = nn.Conv2d(in_channels, d_model, patch_size, stride=patch_size)

    def forward(self, images: Tensor) -> Tensor:
        return self.proj(images).flatten(2).transpose(1, 2)  # (B, C, Y, X) -> (B, N, D)
