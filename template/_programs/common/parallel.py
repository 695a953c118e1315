"""Devices and processes: the model stays written for one device, scaling wraps it.

Order: activation checkpointing, compilation, then replication (DDP) or sharding (FSDP2).
"""

import os
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import partial

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard
from torch.distributed.tensor import distribute_tensor
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint

from .config import Config
from .model import build_model


@dataclass(frozen=True)
class Workers:
    """The processes of a run, and this one's place among them."""

    rank: int
    world: int
    device: torch.device
    bf16: bool
    sharded: bool

    @property
    def first(self) -> bool:
        """Whether this process writes the logs and checkpoints."""
        return self.rank == 0

    def autocast(self) -> AbstractContextManager:
        """The context that forward passes run in."""
        if self.bf16:
            return torch.autocast(self.device.type, dtype=torch.bfloat16)
        return nullcontext()

    def mean(self, value: Tensor) -> Tensor:
        """The mean of a scalar over all processes."""
        if self.world > 1:
            dist.all_reduce(value)
            value = value / self.world
        return value

    def move(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """A batch on this process's device."""
        return {name: tensor.to(self.device) for name, tensor in batch.items()}

    def wait(self) -> None:
        """Return once every process is here."""
        if self.world > 1:
            dist.barrier()


def join_workers(config: Config) -> Workers:
    """This process among those that torchrun started; alone without torchrun."""
    world = int(os.environ.get("WORLD_SIZE", "1"))
    device = pick_device(config.device)
    if device.type == "cuda" and world > 1:
        device = torch.device("cuda", int(os.environ["LOCAL_RANK"]))
        torch.cuda.set_device(device)
    if world > 1:
        dist.init_process_group("nccl" if device.type == "cuda" else "gloo")
    return Workers(
        rank=dist.get_rank() if world > 1 else 0,
        world=world,
        device=device,
        bf16=config.precision == "bf16" or (config.precision == "auto" and device.type == "cuda"),
        sharded=world > 1 and config.parallel == "fsdp",
    )


def leave_workers(workers: Workers) -> None:
    """End the process group that `join_workers` began."""
    if workers.world > 1:
        dist.destroy_process_group()


def pick_device(name: str) -> torch.device:
    """The device called `name`; `auto` prefers CUDA, then MPS, then the CPU."""
    if name != "auto":
        return torch.device(name)
    if torch.cuda.is_available():
        return torch.device("cuda")
    return torch.device("mps" if torch.backends.mps.is_available() else "cpu")


class LossOf(nn.Module):
    """A model's loss as a forward pass, which is what wrappers wrap."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        return self.model.loss(batch)


def build_parallel(config: Config, workers: Workers) -> tuple[nn.Module, nn.Module]:
    """The model, and the module that computes its loss over all processes."""
    if workers.sharded:
        with torch.device("meta"):
            model = build_model(config)
    else:
        model = build_model(config).to(workers.device)
    if config.activation_checkpointing:
        for block in model.blocks:
            block.forward = partial(checkpoint, block.forward, use_reentrant=False)
    if workers.sharded:
        shard(model, config, workers)
    loss_of = LossOf(model)
    if config.compile:
        loss_of.compile()
    if workers.world > 1 and not workers.sharded:
        ids = [workers.device.index] if workers.device.type == "cuda" else None
        if config.staged:  # some networks stop learning before the others
            loss_of = DistributedDataParallel(loss_of, device_ids=ids, find_unused_parameters=True)
        else:
            loss_of = DistributedDataParallel(loss_of, device_ids=ids)
    return model, loss_of


def shard(model: nn.Module, config: Config, workers: Workers) -> None:
    """Split a model without weights over the processes, then draw its weights one by one.

    They are those of a model on one device: each is drawn whole and every process keeps its part.
    """
    compute = torch.bfloat16 if workers.bf16 else None
    policy = MixedPrecisionPolicy(param_dtype=compute, reduce_dtype=torch.float32)
    mesh = dist.init_device_mesh(workers.device.type, (workers.world,))
    for block in model.blocks:
        fully_shard(block, mesh=mesh, mp_policy=policy)
    fully_shard(model, mesh=mesh, mp_policy=policy)
    ties = aliases(model)
    model.to_empty(device=workers.device)
    for alias, owner in ties.items():
        module, _, name = alias.rpartition(".")
        setattr(model.get_submodule(module), name, model.get_parameter(owner))
    generator = torch.Generator(workers.device).manual_seed(config.seed)
    with torch.no_grad():
        for name, buffer in model.named_buffers():
            model.init_weight(name, buffer, generator)
        for name, parameter in model.named_parameters():
            whole = torch.empty(parameter.shape, device=workers.device)
            model.init_weight(name, whole, generator)
            parameter.copy_(distribute_tensor(whole, mesh, parameter.placements))


def aliases(model: nn.Module) -> dict[str, str]:
    """Names of tied parameters, each with the name under which its storage is saved."""
    owners: dict[int, str] = {}
    found = {}
    for name, parameter in model.named_parameters(remove_duplicate=False):
        owner = owners.setdefault(id(parameter), name)
        if owner != name:
            found[name] = owner
    return found


def sync_gradients(loss_of: nn.Module, workers: Workers, now: bool) -> None:
    """Exchange gradients in the next backward pass, or let them accumulate locally."""
    if workers.sharded:
        loss_of.model.set_requires_gradient_sync(now)
    elif workers.world > 1:
        loss_of.require_backward_grad_sync = now
