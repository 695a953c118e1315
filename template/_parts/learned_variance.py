"""Denoisers that also say how sure a step is, and the bound that teaches them to."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor

from .config import Config
from .diffusion import Denoiser, corrupt, over, signal_power, split, times


def hybrid_loss(
    config: Config, denoise: Denoiser, clean: Tensor, noise: Tensor, quantiles: Tensor
) -> Tensor:
    """Squared error of the noise and a little of the variational bound.

    `denoise` answers with twice as many channels: the noise, and the place of the step's
    log-variance between its bounds. The second half learns from the variational bound alone
    (Nichol and Dhariwal 2021, equations 15 and 16).
    """
    at = times(config, quantiles)
    noisy = corrupt(config, clean, noise, at)
    output, place = denoise(noisy, at).float().chunk(2, dim=1)
    bits = step_bits(config, clean, noisy, output.detach(), place, at)
    return F.mse_loss(output, noise.float()) + config.train_times / 1000 * bits.mean()


def step_bits(
    config: Config, clean: Tensor, noisy: Tensor, output: Tensor, place: Tensor, times: Tensor
) -> Tensor:
    """Bits by which every number's denoising step misses the true one, (B, C, Y, X).

    The first step's are those of the clean sample itself under the density it is given.
    """
    kept = signal_power(config, clean.device)
    before = F.pad(kept[:-1], (1, 0), value=1.0)  # signal power one time earlier
    beta = 1 - kept / before
    least = (beta * (1 - before) / (1 - kept)).log()  # of the true step, given the clean sample
    least[0] = least[1]  # where the true step is certain
    most, least = over(beta.log()[times.long()], clean), over(least[times.long()], clean)
    log_variance = least + (place + 1) / 2 * (most - least)
    share = over((before.sqrt() * beta / (1 - kept))[times.long()], clean)  # of the clean sample
    missed = (share * (clean - split(config, noisy, output, times)[0])) ** 2
    surprise = log_variance + missed * (-log_variance).exp()
    first = surprise + math.log(2 * math.pi)
    later = surprise - least - 1 + (least - log_variance).exp()
    return torch.where(over(times, clean) == 0, first, later) / (2 * math.log(2))
