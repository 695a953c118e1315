"""What PyTorch itself keeps and allocates, measured beside what a `Trace` says of the same pass.

Passes run under `FakeTensorMode`, where tensors of the full presets have shapes and no memory, or
for real where the code asks for values. Parameters, buffers and inputs exist anyway and count in
neither; what autocast makes of them counts.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import dataclass
from typing import Any

import torch
from torch import nn
from torch._C import _dispatch_has_kernel_for_dispatch_key as has_kernel
from torch._subclasses.fake_tensor import FakeTensorMode
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map_only
from torch.utils.weak import WeakIdKeyDictionary

#: How PyTorch calls operations that are made of others.
COMPOSITE = torch._C.DispatchKey.CompositeImplicitAutograd


@dataclass(frozen=True)
class Metered:
    """Bytes: kept for backward, and allocated at most, beyond weights and inputs."""

    saved: int
    peak: int


class Allocations(TorchDispatchMode):
    """The bytes of the storages that operations make, as long as those live."""

    def __init__(self, given: list[torch.Tensor]) -> None:
        super().__init__()
        self.live = self.peak = 0
        self.known = WeakIdKeyDictionary({t.untyped_storage(): None for t in given})

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None
    ) -> Any:
        kwargs = kwargs or {}
        if torch.is_inference_mode_enabled() and has_kernel(func.name(), COMPOSITE):
            with self:  # such operations arrive whole; their own kernel runs, as it would unseen
                result = func._op_dk(COMPOSITE, *args, **kwargs)
        else:
            result = func(*args, **kwargs)
        tree_map_only(torch.Tensor, self.count, result)
        return result

    def count(self, tensor: torch.Tensor) -> None:
        storage = tensor.untyped_storage()
        if storage not in self.known:
            self.known[storage] = None
            self.live += storage.nbytes()
            self.peak = max(self.peak, self.live)
            weakref.finalize(storage, self.free, storage.nbytes())

    def free(self, nbytes: int) -> None:
        self.live -= nbytes


def onto_fakes(model: nn.Module) -> nn.Module:
    """A model on the meta device whose tensors become fakes on the CPU; ties stay."""
    made: dict[int, torch.Tensor] = {}
    for module in model.modules():
        for tensors in (module._parameters, module._buffers):
            for name, tensor in tensors.items():
                if tensor is None:
                    continue
                if id(tensor) not in made:
                    fake = torch.empty(tensor.shape, dtype=tensor.dtype)
                    if isinstance(tensor, nn.Parameter):
                        fake = nn.Parameter(fake, requires_grad=tensor.requires_grad)
                    made[id(tensor)] = fake
                tensors[name] = made[id(tensor)]
    return model


def meter(
    build: Callable[[], nn.Module],
    run: Callable[[nn.Module, Any], Any],
    inputs: Any,
    *,
    bf16: bool,
    fake: bool = True,
    learns: bool = True,
) -> Metered:
    """Run a pass and account for its storages.

    Args:
        build: makes the model; it is called on the meta device where `fake`.
        run: the pass, of the model on the inputs.
        inputs: any nesting of tensors.
        bf16: with `learns` under autocast; without, in a model whose weights are bf16.
        fake: on tensors without memory.
        learns: with gradients, or in inference mode and evaluation.
    """
    with torch.device("meta") if fake else nullcontext():
        model = build()
    with FakeTensorMode() if fake else nullcontext() as mode:
        if fake:
            inputs = tree_map_only(torch.Tensor, mode.from_tensor, inputs)
            model = onto_fakes(model)
        model.train(learns)
        if bf16 and not learns:
            for parameter in model.parameters():
                parameter.data = parameter.data.bfloat16()
            for buffer in model.buffers():
                buffer.data = buffer.data.bfloat16() if buffer.is_floating_point() else buffer
        leaves = (*model.parameters(), *model.buffers(), *tree_leaves(inputs))
        given = [leaf for leaf in leaves if isinstance(leaf, torch.Tensor)]
        known = {storage_of(t) for t in given}
        kept: dict[int, torch.Tensor] = {}

        def pack(tensor: torch.Tensor) -> torch.Tensor:
            kept.setdefault(storage_of(tensor), tensor)
            return tensor

        casting = torch.autocast("cpu", torch.bfloat16) if bf16 and learns else nullcontext()
        grads = nullcontext() if learns else torch.no_grad()
        hooks = torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor)
        allocations = Allocations(given)
        with allocations, hooks, casting, grads:
            result = run(model, inputs)
        del result
        saved = sum(t.untyped_storage().nbytes() for s, t in kept.items() if s not in known)
    return Metered(saved, allocations.peak)


def storage_of(tensor: torch.Tensor) -> int:
    """What tells storages apart, as long as a tensor holds them."""
    return tensor.untyped_storage()._cdata
