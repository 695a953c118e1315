"""Shapes out of noise: what is wanted is read, a transformer works towards it, step by step.

Shapes are written in letters:

    B  shapes in the batch           S  tokens of a prompt, W features of each
    G  voxels of a side              C  channels of a picture
    T  points of a cloud             Y, X  its rows and columns
"""

import torch
from torch import Tensor, nn

from .config import Config
from .diffusion import Denoiser, denoising_loss, guided, levels, over, sample, target
from .prompt_encoder import PromptEncoder, without_text
from .shape_dit import ShapeDit

POINT_SCALE = 2.0  # the points of a shape between -1 and 1 have about half of unit scale
LEAST_NOISE = 0.2  # below which errors of clean grids are not magnified further


class ShapeDiffusion(nn.Module):
    """A transformer that denoises shapes, and the encoder of prompts where it reads them.

    Shapes are signed distances on a grid, between -1 inside and 1 outside, (B, G, G, G); or the
    coordinates of points, between -1 and 1, (B, T, 3).
    """

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        if config.reads_text:
            self.text_encoder = PromptEncoder(config)
        self.denoiser = ShapeDit(config)

    @property
    def blocks(self) -> list[nn.Module]:
        """The blocks of all networks."""
        return [block for network in self.children() for block in network.blocks]

    def init_weights(self, generator: torch.Generator) -> None:
        """Draw every weight afresh."""
        for name, parameter in self.named_parameters():
            self.init_weight(name, parameter, generator)

    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight called `name`, as its network does."""
        network, _, own = name.partition(".")
        getattr(self, network).init_weight(own, weight, generator)

    def encode(self, shapes: Tensor) -> Tensor:
        """What is denoised of shapes, in the same shape."""
        if self.config.representation == "grid":
            return shapes
        else:
            return shapes * POINT_SCALE

    def decode(self, clean: Tensor) -> Tensor:
        """Shapes of what was denoised."""
        if self.config.representation == "grid":
            return clean
        else:
            return clean / POINT_SCALE

    def told(self, batch: dict[str, Tensor], dropped: Tensor) -> dict[str, Tensor]:
        """What the denoiser is told of a batch; nothing of the shapes that are `dropped`, (B,)."""
        told = {}
        if self.config.reads_text:
            told["tokens"] = without_text(batch["tokens"], dropped)  # (B, S)
            told["states"] = self.text_encoder(told["tokens"])  # (B, S, W)
        if self.config.reads_image:
            told["pictures"] = batch["pictures"] * over(~dropped, batch["pictures"])
        if self.config.labelled:
            told["labels"] = torch.where(dropped, self.config.num_classes, batch["labels"])
        return told

    def denoise_for(self, told: dict[str, Tensor]) -> Denoiser:
        """The denoiser that is told this.

        Of a grid it says what is clean, from which its answer follows (Li and He 2025): the noise
        of all voxels would not pass through the width of a patch's token.
        """

        def denoise(noisy: Tensor, times: Tensor) -> Tensor:
            output = self.denoiser(noisy, times, **told).to(noisy.dtype)
            if self.config.representation == "grid":
                return implied(self.config, noisy, output, times)
            else:
                return output

        return denoise

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Mean squared error of the denoiser, a scalar.

        `shapes` are (B, G, G, G) or (B, T, 3), `noise` alike, `quantiles` (B,); what is told of the
        `dropped` ones, (B,), is left out: `tokens`, (B, S), `pictures`, (B, C, Y, X) between -1 and
        1, and `labels`, (B,).
        """
        clean = self.encode(batch["shapes"])
        if self.config.conditioned:
            told = self.told(batch, batch["dropped"])
        else:
            told = {}
        denoise = self.denoise_for(told)
        return denoising_loss(self.config, denoise, clean, batch["noise"], batch["quantiles"])

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """What training minimises; see `forward`."""
        return self(batch)

    @torch.inference_mode()
    def generate(
        self, batch: dict[str, Tensor], steps: int, scale: float = 1.0, sampler: str = "ddim"
    ) -> Tensor:
        """Shapes out of `batch["noise"]` and what is wanted, (B, G, G, G) or (B, T, 3).

        `scale` is the weight of what is wanted (classifier-free guidance); 1 is the model itself.
        """
        noise = batch["noise"]
        if self.config.conditioned:
            dropped = torch.zeros(len(noise), dtype=torch.bool, device=noise.device)
            told, untold = self.told(batch, dropped), self.told(batch, ~dropped)
        else:
            told, untold = {}, {}
        denoise = guided(self.denoise_for(told), self.denoise_for(untold), scale)
        if self.config.representation == "grid":
            return self.decode(sample(self.config, denoise, noise, steps, sampler, limit=1.0))
        else:
            return self.decode(sample(self.config, denoise, noise, steps, sampler))


def implied(config: Config, noisy: Tensor, clean: Tensor, times: Tensor) -> Tensor:
    """What the denoiser should answer if these are the clean samples."""
    signal, level = (over(values, noisy) for values in levels(config, times))
    noise = (noisy - signal * clean) / level.clamp(min=LEAST_NOISE)
    return target(config, clean, noise, times)


def shape_size(config: Config) -> tuple[int, ...]:
    """The shape of what is denoised."""
    if config.representation == "grid":
        return (config.grid_size,) * 3
    else:
        return (config.num_points, 3)


def build_model(config: Config) -> ShapeDiffusion:
    """The model with weights drawn from `config.seed`; without weights on the meta device."""
    model = ShapeDiffusion(config)
    weight = model.denoiser.in_proj.weight
    if not weight.is_meta:
        model.init_weights(torch.Generator(weight.device).manual_seed(config.seed))
    return model
