"""An autoencoder of pictures whose code is a smaller picture: the KL-regularised one.

Shapes are written in letters:

    B  pictures in the batch         Z  channels of the code
    C  channels of a picture         y, x  rows and columns of the code
    Y, X  rows and columns           W  channels of a stage
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config

EPS = 1e-6  # of the group norms
QUIET = -6.0  # log-variance of codes before training


class ConvBlock(nn.Module):
    """Two normalised 3x3 convolutions beside a shortcut."""

    def __init__(self, config: Config, in_width: int, width: int):
        super().__init__()
        self.norm1 = nn.GroupNorm(config.ae_groups, in_width, EPS)
        self.conv1 = nn.Conv2d(in_width, width, 3, padding=1)
        self.norm2 = nn.GroupNorm(config.ae_groups, width, EPS)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1)
        self.shortcut = nn.Conv2d(in_width, width, 1) if in_width != width else nn.Identity()

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(F.silu(self.norm1(x)))  # (B, W, Y, X) -> (B, W', Y, X)
        return self.shortcut(x) + self.conv2(F.silu(self.norm2(y)))


class PlaceAttention(nn.Module):
    """Attention with one head between all places of a feature map."""

    def __init__(self, config: Config, width: int):
        super().__init__()
        self.norm = nn.GroupNorm(config.ae_groups, width, EPS)
        self.q_proj = nn.Linear(width, width)
        self.k_proj = nn.Linear(width, width)
        self.v_proj = nn.Linear(width, width)
        self.o_proj = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        places = self.norm(x).flatten(2).transpose(1, 2)  # (B, W, y, x) -> (B, y * x, W)
        q, k, v = self.q_proj(places), self.k_proj(places), self.v_proj(places)
        mixed = F.scaled_dot_product_attention(q[:, None], k[:, None], v[:, None])[:, 0]
        return x + self.o_proj(mixed).transpose(1, 2).unflatten(2, x.shape[2:])


class Middle(nn.Module):
    """What stands at the lowest resolution."""

    def __init__(self, config: Config, width: int):
        super().__init__()
        self.config = config
        self.first = ConvBlock(config, width, width)
        if config.ae_mid_attention:
            self.attn = PlaceAttention(config, width)
        self.second = ConvBlock(config, width, width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.first(x)
        if self.config.ae_mid_attention:
            x = self.attn(x)
        return self.second(x)


class Downsample(nn.Module):
    """Half as many rows and columns; what is missing is padded below and on the right only."""

    def __init__(self, width: int):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.pad(x, (0, 1, 0, 1)))  # (B, W, Y, X) -> (B, W, Y / 2, X / 2)


class Upsample(nn.Module):
    """Twice as many rows and columns, each repeated before a convolution."""

    def __init__(self, width: int):
        super().__init__()
        self.conv = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.conv(F.interpolate(x, scale_factor=2.0))  # (B, W, Y, X) -> (B, W, 2Y, 2X)


class Encoder(nn.Module):
    """Pictures to the moments of their codes, (B, C, Y, X) -> (B, 2Z, y, x)."""

    def __init__(self, config: Config):
        super().__init__()
        widths = config.ae_channels
        self.conv_in = nn.Conv2d(config.channels, widths[0], 3, padding=1)
        self.stages = nn.ModuleList()
        for i, width in enumerate(widths):
            if i > 0:
                self.stages.append(Downsample(widths[i - 1]))
            for j in range(config.ae_layers_per_block):
                in_width = widths[max(0, i - 1)] if j == 0 else width
                self.stages.append(ConvBlock(config, in_width, width))
        self.middle = Middle(config, widths[-1])
        self.norm = nn.GroupNorm(config.ae_groups, widths[-1], EPS)
        self.conv_out = nn.Conv2d(widths[-1], 2 * config.latent_channels, 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        x = self.conv_in(images)  # (B, C, Y, X) -> (B, W, Y, X)
        for stage in self.stages:
            x = stage(x)
        x = self.middle(x)
        return self.conv_out(F.silu(self.norm(x)))  # (B, W, y, x) -> (B, 2Z, y, x)


class Decoder(nn.Module):
    """Codes to pictures, (B, Z, y, x) -> (B, C, Y, X)."""

    def __init__(self, config: Config):
        super().__init__()
        widths = config.ae_channels[::-1]
        self.conv_in = nn.Conv2d(config.latent_channels, widths[0], 3, padding=1)
        self.middle = Middle(config, widths[0])
        self.stages = nn.ModuleList()
        for i, width in enumerate(widths):
            if i > 0:
                self.stages.append(Upsample(widths[i - 1]))
            for j in range(config.ae_layers_per_block + 1):
                in_width = widths[max(0, i - 1)] if j == 0 else width
                self.stages.append(ConvBlock(config, in_width, width))
        self.norm = nn.GroupNorm(config.ae_groups, widths[-1], EPS)
        self.conv_out = nn.Conv2d(widths[-1], config.channels, 3, padding=1)

    def forward(self, latents: Tensor) -> Tensor:
        x = self.middle(self.conv_in(latents))  # (B, Z, y, x) -> (B, W, y, x)
        for stage in self.stages:
            x = stage(x)
        return self.conv_out(F.silu(self.norm(x)))  # (B, W, Y, X) -> (B, C, Y, X)


class Autoencoder(nn.Module):
    """Pictures to codes and back (Rombach et al. 2022, section 3.1)."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.decoder = Decoder(config)
        if config.ae_quant_conv:
            self.quant_conv = nn.Conv2d(2 * config.latent_channels, 2 * config.latent_channels, 1)
        if config.ae_post_quant_conv:
            self.post_quant_conv = nn.Conv2d(config.latent_channels, config.latent_channels, 1)

    @property
    def blocks(self) -> list[nn.Module]:
        """Every block of convolutions, in order."""
        return [module for module in self.modules() if isinstance(module, ConvBlock)]

    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight called `name`; residual blocks begin as their shortcuts.

        Other weights keep the variance of what passes through them (LeCun et al. 1998). Codes begin
        with little noise, which would otherwise hide some of the colours for good.
        """
        if self.config.ae_quant_conv:
            moments = "quant_conv.bias"
        else:
            moments = "encoder.conv_out.bias"
        if name.endswith(("bias", "conv2.weight", "o_proj.weight")):
            nn.init.zeros_(weight)
        elif "norm" in name:
            nn.init.ones_(weight)
        else:
            nn.init.normal_(weight, std=1 / math.sqrt(weight[0].numel()), generator=generator)
        if name == moments:  # of the means, then of the log-variances
            nn.init.constant_(weight.detach()[self.config.latent_channels :], QUIET)

    def encode(self, images: Tensor) -> Tensor:
        """Mean and log-variance of the codes, (B, C, Y, X) -> (B, 2Z, y, x)."""
        moments = self.encoder(images)
        if self.config.ae_quant_conv:
            moments = self.quant_conv(moments)
        return moments

    def decode(self, latents: Tensor) -> Tensor:
        """Pictures of codes, (B, Z, y, x) -> (B, C, Y, X)."""
        if self.config.ae_post_quant_conv:
            latents = self.post_quant_conv(latents)
        return self.decoder(latents)

    def latents(self, images: Tensor, noise: Tensor | None = None) -> Tensor:
        """Codes of pictures: the means, or with `noise`, (B, Z, y, x), a draw around them."""
        return self.drawn(self.encode(images), noise)

    def drawn(self, moments: Tensor, noise: Tensor | None = None) -> Tensor:
        """Codes with these moments, (B, 2Z, y, x) -> (B, Z, y, x)."""
        codes, log_variance = bounded(moments)
        if noise is not None:
            codes = codes + torch.exp(log_variance / 2) * noise
        if self.config.ae_unit_latents:  # of unit scale, as what diffuses them expects
            codes = F.layer_norm(codes, codes.shape[1:])
        return codes

    def reconstruction_loss(self, images: Tensor, noise: Tensor) -> Tensor:
        """What reconstructions miss, and a little of what codes differ from noise by.

        The second term is the divergence of the codes from a standard normal, in nats for each
        number of a picture (Kingma and Welling 2014, appendix B).
        """
        moments = self.encode(images)
        missed = difference(self.decode(self.drawn(moments, noise)), images)
        mean, log_variance = bounded(moments)
        nats = (mean**2 + log_variance.exp() - 1 - log_variance).sum() / 2
        return missed + self.config.kl_weight * nats / images.numel()


def bounded(moments: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and log-variance, (B, 2Z, y, x) -> (B, Z, y, x) twice, in full precision."""
    mean, log_variance = moments.float().chunk(2, dim=1)
    return mean, log_variance.clamp(-30, 20)


def difference(made: Tensor, images: Tensor) -> Tensor:
    """Mean absolute and mean squared difference of pictures, added.

    The first keeps edges, the second tells large areas of a wrong colour from small ones.
    """
    error = made.float() - images  # (B, C, Y, X)
    return error.abs().mean() + error.square().mean()


def latent_shape(config: Config) -> tuple[int, int, int]:
    """Channels, rows and columns of the code of a picture."""
    side = config.image_size // 2 ** (len(config.ae_channels) - 1)
    return config.latent_channels, side, side
