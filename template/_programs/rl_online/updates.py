"""One optimizer step on a batch that every process holds."""

import math

import torch
from torch import Tensor, nn

from .config import Config
from .parallel import Workers, sync_gradients


def update(
    loss_of: nn.Module,
    optimizer: torch.optim.Optimizer,
    batch: dict[str, Tensor],
    config: Config,
    workers: Workers,
) -> tuple[float, float]:
    """Learn from a batch; its loss and the norm of its gradient.

    Every process takes its share of the rows, at most `micro_batch` at a time, so neither their
    number nor that of the processes changes what is learned.
    """
    rows = len(next(iter(batch.values())))
    if rows < workers.world:
        raise ValueError(f"a batch of {rows} rows is too small for {workers.world} processes")
    passes = torch.arange(workers.rank, rows, workers.world).split(config.micro_batch)
    total = torch.zeros((), device=workers.device)
    for i, chosen in enumerate(passes):
        share = len(chosen) * workers.world / rows
        sync_gradients(loss_of, workers, i == len(passes) - 1)
        with workers.autocast():
            part = loss_of(workers.move({name: t[chosen] for name, t in batch.items()})) * share
        part.backward()
        total += part.detach()
    loss = workers.mean(total).item()
    if not math.isfinite(loss):
        raise FloatingPointError(f"the loss is {loss}; nothing was updated")
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    norm = nn.utils.clip_grad_norm_(parameters, config.grad_clip or math.inf)
    optimizer.step()
    optimizer.zero_grad()
    return loss, float(norm)


def seeded(config: Config, step: int, device: torch.device) -> torch.Generator:
    """The random numbers of one step of training, which depend on nothing else."""
    return torch.Generator(device).manual_seed(config.seed * 1_000_003 + step)
