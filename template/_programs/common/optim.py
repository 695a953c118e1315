"""The optimizer and its schedule."""

import math

import torch
from torch import nn

from .config import Config


def learning_rate(step: int, config: Config) -> float:
    """Linear warm-up to the peak, then half a cosine down to the minimum (Loshchilov 2017)."""
    if step < config.warmup_steps:
        return config.learning_rate * (step + 1) / config.warmup_steps
    progress = (step - config.warmup_steps) / max(1, config.steps - config.warmup_steps)
    span = config.learning_rate - config.min_learning_rate
    return config.min_learning_rate + span * (1 + math.cos(math.pi * progress)) / 2


def build_optimizer(model: nn.Module, config: Config) -> torch.optim.AdamW:
    """AdamW (Loshchilov and Hutter 2019) that decays matrices but no norms, gains or biases."""
    parameters = list(model.parameters())
    if config.scans:  # decay rates are no weights, though they come as a matrix
        rates = {id(p) for name, p in model.named_parameters() if name.endswith("A_log")}
        matrices = [p for p in parameters if p.dim() >= 2 and id(p) not in rates]
        vectors = [p for p in parameters if p.dim() < 2 or id(p) in rates]
    else:
        matrices = [p for p in parameters if sum(n > 1 for n in p.shape) >= 2]
        vectors = [p for p in parameters if sum(n > 1 for n in p.shape) < 2]
    assert sum(p.numel() for p in matrices + vectors) == sum(p.numel() for p in parameters)
    groups = [
        {"params": matrices, "weight_decay": config.weight_decay},
        {"params": vectors, "weight_decay": 0.0},
    ]
    fused = parameters[0].device.type == "cuda"
    betas = (config.beta1, config.beta2)
    return torch.optim.AdamW(groups, lr=config.learning_rate, betas=betas, fused=fused)
