"""Diffusion: how clean samples become noise, what a denoiser learns from it, and the way back.

A noisy sample is `signal * clean + noise_level * noise`. Times are what the denoiser is given: a
number between 0 (clean) and `train_times` (noise). Nothing here has parameters. Shapes: (B, ...)
is a batch of whatever is diffused, (B,) one number for each sample of it.
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor

from .config import Config

SAMPLERS = ("ddim", "euler", "heun")

Denoiser = Callable[[Tensor, Tensor], Tensor]  # (B, ...) noisy and (B,) times -> (B, ...) output


def times(config: Config, quantiles: Tensor) -> Tensor:
    """Times of training, (B,), from numbers that are uniform between 0 and 1."""
    if config.prediction == "flow":  # logit-normal, as in section 3.1 of Esser et al. 2024
        share = torch.special.ndtri(quantiles.float().clamp(1e-4, 1 - 1e-4)).sigmoid()
        return shifted(config, share) * config.train_times
    return (quantiles * config.train_times).floor().clamp(max=config.train_times - 1)


def shifted(config: Config, share: Tensor) -> Tensor:
    """Shares of the way to noise, moved towards it (Esser et al. 2024, equation 23)."""
    return config.time_shift * share / (1 + (config.time_shift - 1) * share)


def levels(config: Config, times: Tensor) -> tuple[Tensor, Tensor]:
    """How much signal and how much noise a sample holds at its time, each (B,)."""
    if config.prediction == "flow":  # a straight line (Lipman et al. 2023; Liu et al. 2023)
        share = times / config.train_times
        return 1 - share, share
    kept = signal_power(config, times.device)[times.long()]
    return kept.sqrt(), (1 - kept).sqrt()


def signal_power(config: Config, device: torch.device) -> Tensor:
    """The product of 1 - beta up to every time, (train_times,)."""
    steps = config.train_times
    if config.noise_schedule == "linear":  # Ho et al. 2020, section 4
        betas = torch.linspace(1e-4, 0.02, steps, device=device)
    elif config.noise_schedule == "scaled_linear":  # Rombach et al. 2022, as they trained
        betas = torch.linspace(0.00085**0.5, 0.012**0.5, steps, device=device) ** 2
    else:  # Nichol and Dhariwal 2021, equation 17
        share = torch.linspace(0, 1, steps + 1, device=device)
        power = torch.cos((share + 0.008) / 1.008 * torch.pi / 2) ** 2
        betas = (1 - power[1:] / power[:-1]).clamp(max=0.999)
    return (1 - betas).cumprod(0)


def over(values: Tensor, like: Tensor) -> Tensor:
    """One number for each sample, (B,), in the shape and type that multiplies `like`."""
    return values.to(like.dtype).view(-1, *[1] * (like.dim() - 1))


def corrupt(config: Config, clean: Tensor, noise: Tensor, times: Tensor) -> Tensor:
    """Noisy samples at their times."""
    signal, level = levels(config, times)
    return over(signal, clean) * clean + over(level, clean) * noise


def target(config: Config, clean: Tensor, noise: Tensor, times: Tensor) -> Tensor:
    """What the denoiser should answer to `corrupt(clean, noise, times)`."""
    if config.prediction == "noise":
        return noise
    if config.prediction == "flow":
        return noise - clean
    signal, level = levels(config, times)  # v of Salimans and Ho 2022, appendix D
    return over(signal, clean) * noise - over(level, clean) * clean


def denoising_loss(
    config: Config, denoise: Denoiser, clean: Tensor, noise: Tensor, quantiles: Tensor
) -> Tensor:
    """Mean squared error of the denoiser at random times."""
    at = times(config, quantiles)
    output = denoise(corrupt(config, clean, noise, at), at)
    return F.mse_loss(output.float(), target(config, clean, noise, at).float())


def split(config: Config, noisy: Tensor, output: Tensor, times: Tensor) -> tuple[Tensor, Tensor]:
    """The clean samples and the noise that an output claims, each (B, ...)."""
    signal, level = (over(values, noisy) for values in levels(config, times))
    if config.prediction == "noise":
        return (noisy - level * output) / signal, output
    if config.prediction == "flow":
        return noisy - level * output, noisy + signal * output
    return signal * noisy - level * output, level * noisy + signal * output


def sampling_times(config: Config, steps: int, device: torch.device) -> Tensor:
    """Times of `steps` denoising steps, from noise to nearly clean, (steps,)."""
    left = torch.arange(steps, 0, -1, device=device) / steps
    if config.prediction == "flow":
        return shifted(config, left) * config.train_times
    return (left * config.train_times).round() - 1  # the last time first (Lin et al. 2024)


def guided(conditional: Denoiser, unconditional: Denoiser, scale: float) -> Denoiser:
    """Classifier-free guidance (Ho and Salimans 2022); scale 1 is the conditional denoiser."""
    if scale == 1:
        return conditional

    def denoise(noisy: Tensor, times: Tensor) -> Tensor:
        free = unconditional(noisy, times)
        return free + scale * (conditional(noisy, times) - free)

    return denoise


@torch.inference_mode()
def sample(
    config: Config,
    denoise: Denoiser,
    noise: Tensor,
    steps: int,
    sampler: str = "ddim",
    eta: float = 0.0,
    limit: float | None = None,
    generator: torch.Generator | None = None,
) -> Tensor:
    """Denoise in `steps` steps, (B, ...) -> (B, ...).

    Divided by signal + noise_level, every noisy sample lies on the straight line from its clean
    sample to its noise, at the share noise_level / (signal + noise_level). All samplers follow
    that line: `euler` by its direction at the start of a step; `heun` by the mean of the directions
    at both ends (Karras et al. 2022, algorithm 1), in two calls a step; `ddim` (Song et al. 2021)
    with `eta` of the noise of an ancestral step, and like `euler` where that is 0. `limit` bounds
    the clean samples that are believed.
    """
    if sampler not in SAMPLERS:
        raise ValueError(f'--sampler "{sampler}" is not one of {", ".join(SAMPLERS)}')
    if not 1 <= steps <= config.train_times:
        raise ValueError(f"--steps is {steps}; 1 to {config.train_times} are possible")
    schedule = sampling_times(config, steps, noise.device)
    signal, level = levels(config, schedule)
    signal, level = F.pad(signal, (0, 1), value=1.0), F.pad(level, (0, 1))  # clean at the end

    def believe(x: Tensor, i: int) -> tuple[Tensor, Tensor]:
        at = schedule[i].expand(len(x))
        clean, drawn = split(config, x, denoise(x, at), at)
        if limit is not None:
            clean = clean.clamp(-limit, limit)
            drawn = (x - signal[i] * clean) / level[i]
        return clean, drawn

    x = noise
    for i in range(steps):
        clean, drawn = believe(x, i)
        if sampler == "ddim" and eta:
            remaining = (level[i] ** 2 - (signal[i] / signal[i + 1] * level[i + 1]) ** 2).clamp(0)
            fresh = eta * level[i + 1] / level[i] * remaining.sqrt()
            kept = (level[i + 1] ** 2 - fresh**2).clamp(0).sqrt()
            added = torch.randn(x.shape, generator=generator, device=x.device, dtype=x.dtype)
            x = signal[i + 1] * clean + kept * drawn + fresh * added
            continue
        ahead = signal[i + 1] * clean + level[i + 1] * drawn
        if sampler == "heun" and i + 1 < steps:
            total, share = signal[i] + level[i], level[i] / (signal[i] + level[i])
            total_ahead = signal[i + 1] + level[i + 1]
            stride = level[i + 1] / total_ahead - share
            clean_ahead, drawn_ahead = believe(ahead, i + 1)
            direction = (drawn - clean + drawn_ahead - clean_ahead) / 2
            ahead = total_ahead * (x / total + stride * direction)
        x = ahead
    return x
