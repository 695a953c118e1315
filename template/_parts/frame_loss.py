"""What teaches an autoencoder of pictures to keep what is small."""

import torch.nn.functional as F
from torch import Tensor

from .autoencoder_kl import Autoencoder, bounded
from .config import Config

SQUARES = 10.0  # weight of squared errors, which alone notice small things on a plain ground


def frame_loss(config: Config, autoencoder: Autoencoder, frames: Tensor, noise: Tensor) -> Tensor:
    """Squared and absolute errors of restored frames, and what their codes differ from noise by.

    Frames are a batch of pictures, `noise` is that of their codes. The last term is the divergence
    from a standard normal in nats for each number of a frame (Kingma and Welling 2014, app. B).
    """
    moments = autoencoder.encode(frames)
    restored = autoencoder.decode(autoencoder.drawn(moments, noise)).float()
    mean, log_variance = bounded(moments)
    nats = (mean**2 + log_variance.exp() - 1 - log_variance).sum() / 2
    missed = SQUARES * F.mse_loss(restored, frames) + F.l1_loss(restored, frames)
    return missed + config.kl_weight * nats / frames.numel()
