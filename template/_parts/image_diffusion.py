"""Pictures out of noise: what is wanted is encoded, a denoiser works towards it, step by step.

Shapes are written in letters:

    B  pictures in the batch         Z  channels of what is denoised: pixels, or a code
    C  channels of a picture         y, x  its rows and columns
    Y, X  rows and columns           S  tokens of a prompt
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .autoencoder_kl import Autoencoder
from .config import Config
from .diffusion import Denoiser, denoising_loss, guided, sample
from .dit import Dit
from .learned_variance import hybrid_loss
from .mmdit import Mmdit
from .prompt_encoder import PromptEncoder, pooled, without_text
from .unet import UNet


def diffused_shape(config: Config) -> tuple[int, int, int]:
    """Channels, rows and columns of what is denoised."""
    if config.space == "latent":
        side = config.image_size // 2 ** (len(config.ae_channels) - 1)
        return config.latent_channels, side, side
    else:
        return config.channels, config.image_size, config.image_size


class ImageDiffusion(nn.Module):
    """The networks of a release, what they learn together, and how they make pictures.

    Batches hold images between -1 and 1, (B, C, Y, X); noise, (B, Z, y, x), and quantiles, (B,),
    for the denoiser; and what their pictures are made from.
    """

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        if config.condition == "text":
            self.text_encoder = PromptEncoder(config)
        if config.space == "latent":
            self.autoencoder = Autoencoder(config)
        channels, side, _ = diffused_shape(config)
        if config.image_condition == "none":
            channels_in = channels
        elif config.image_condition == "picture":
            channels_in = 2 * channels
        else:
            channels_in = 2 * channels + 1  # and a mask
        if config.denoiser == "unet":
            self.denoiser = UNet(config, channels_in, channels)
        elif config.denoiser == "mmdit":
            self.denoiser = Mmdit(config, channels_in, channels, side)
        elif config.learned_variance:
            self.denoiser = Dit(config, channels_in, 2 * channels, side)
        else:
            self.denoiser = Dit(config, channels_in, channels, side)

    @property
    def blocks(self) -> list[nn.Module]:
        """The blocks of every network, which checkpointing and sharding wrap."""
        return [block for network in self.children() for block in network.blocks]

    def init_weights(self, generator: torch.Generator) -> None:
        """Draw every weight afresh, and what is stored with them."""
        for name, tensor in self.state_dict(keep_vars=True).items():
            self.init_weight(name, tensor, generator)

    @torch.no_grad()
    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight called `name`, as its network wants it."""
        network, _, rest = name.partition(".")
        getattr(self, network).init_weight(rest, weight, generator)

    def encode(self, images: Tensor) -> Tensor:
        """What is denoised of pictures, (B, C, Y, X) -> (B, Z, y, x), without gradients."""
        if self.config.space == "latent":
            with torch.no_grad():
                return self.autoencoder.latents(images)
        else:
            return images

    def decode(self, clean: Tensor) -> Tensor:
        """Pictures of what was denoised, (B, Z, y, x) -> (B, C, Y, X)."""
        if self.config.space == "latent":
            return self.autoencoder.decode(F.layer_norm(clean, clean.shape[1:]))
        else:
            return clean

    def given(self, batch: dict[str, Tensor], dropped: Tensor) -> tuple[Tensor, ...]:
        """What the denoiser is told of a batch; nothing of the samples that are `dropped`, (B,)."""
        if self.config.condition == "text":
            tokens = without_text(batch["tokens"], dropped)  # (B, S)
            states = self.text_encoder(tokens)
            return states, pooled(states, tokens)
        elif self.config.condition == "class":
            return (torch.where(dropped, self.config.num_classes, batch["labels"]),)
        else:
            return ()

    def denoise_for(self, batch: dict[str, Tensor], dropped: Tensor) -> Denoiser:
        """The denoiser of a batch, told nothing of the samples that are `dropped`, (B,)."""
        given = self.given(batch, dropped)
        if self.config.image_condition == "none":
            return lambda noisy, at: self.denoiser(noisy, at, *given)
        else:
            picture = self.encode(batch["pictures"])  # (B, C, Y, X) -> (B, Z, y, x)
            if self.config.image_condition == "inpaint":  # with where it is to be filled
                masks = F.interpolate(batch["masks"], size=picture.shape[2:])
                picture = torch.cat((masks, picture), dim=1)
            return lambda noisy, at: self.denoiser(torch.cat((noisy, picture), dim=1), at, *given)

    def error(self, denoise: Denoiser, clean: Tensor, batch: dict[str, Tensor]) -> Tensor:
        """How far a denoiser is from the truth at the noise of a batch, a scalar."""
        noise, quantiles = batch["noise"], batch["quantiles"]
        if self.config.learned_variance:
            return hybrid_loss(self.config, denoise, clean, noise, quantiles)
        else:
            return denoising_loss(self.config, denoise, clean, noise, quantiles)

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """The denoiser's error and, while the batch has `posterior_noise`, the autoencoder's."""
        return self(batch)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """The training loss of a batch, a scalar."""
        clean = self.encode(batch["images"])
        if self.config.condition == "none":
            dropped = torch.zeros(len(clean), dtype=torch.bool, device=clean.device)
        else:
            dropped = batch["dropped"]
        loss = self.error(self.denoise_for(batch, dropped), clean, batch)
        if self.config.space == "latent":
            if "posterior_noise" in batch:
                loss = loss + self.autoencoder.reconstruction_loss(
                    batch["images"], batch["posterior_noise"]
                )
        return loss

    @torch.inference_mode()
    def generate(
        self, batch: dict[str, Tensor], steps: int, sampler: str = "ddim", scale: float = 1.0
    ) -> Tensor:
        """Pictures out of `batch["noise"]` and what is wanted, (B, Z, y, x) -> (B, C, Y, X).

        `scale` is the weight of what is wanted (classifier-free guidance); 1 is the model itself.
        """
        noise = batch["noise"]
        nothing = torch.zeros(len(noise), dtype=torch.bool, device=noise.device)
        if self.config.condition == "none":
            denoise = self.denoise_for(batch, nothing)
        else:
            free = self.denoise_for(batch, ~nothing)
            denoise = guided(self.denoise_for(batch, nothing), free, scale)
        if self.config.learned_variance:
            denoise = first_half(denoise)
        if self.config.space == "latent":
            clean = sample(self.config, denoise, noise, steps, sampler)
        else:
            clean = sample(self.config, denoise, noise, steps, sampler, limit=1.0)
        images = self.decode(clean)
        if self.config.image_condition == "inpaint":  # what is known stays as it is
            images = torch.lerp(batch["pictures"], images, batch["masks"])
        return images.clamp(-1, 1)


def first_half(denoise: Denoiser) -> Denoiser:
    """A denoiser that predicts, of one that also says how sure it is."""
    return lambda noisy, at: denoise(noisy, at).chunk(2, dim=1)[0]


def build_model(config: Config) -> ImageDiffusion:
    """The model with weights drawn from `config.seed`; without weights on the meta device."""
    model = ImageDiffusion(config)
    first = next(model.parameters())
    if not first.is_meta:
        model.init_weights(torch.Generator(first.device).manual_seed(config.seed))
    return model
