"""The memory of an agent: the last transitions, in the order of a ring."""

import torch
from torch import Tensor


class Replay:
    """At most `size` transitions; the oldest are overwritten."""

    def __init__(self, size: int):
        self.size = size
        self.written = 0  # transitions so far
        self.fields: dict[str, Tensor] = {}

    def __len__(self) -> int:
        return min(self.written, self.size)

    def add(self, rows: dict[str, Tensor]) -> None:
        """Remember some transitions: tensors with one row for each."""
        count = len(next(iter(rows.values())))
        slots = (torch.arange(count) + self.written) % self.size
        for name, tensor in rows.items():
            if name not in self.fields:
                self.fields[name] = tensor.new_zeros(self.size, *tensor.shape[1:])
            self.fields[name][slots] = tensor
        self.written += count

    def draw(self, count: int, generator: torch.Generator) -> dict[str, Tensor]:
        """Some transitions, each as likely as any other, with replacement."""
        rows = torch.randint(len(self), (count,), generator=generator)
        return {name: tensor[rows] for name, tensor in self.fields.items()}

    def state(self) -> dict[str, Tensor]:
        """Everything that `restore` needs."""
        kept = {name: tensor[: len(self)].clone() for name, tensor in self.fields.items()}
        return kept | {"written": torch.tensor(self.written)}

    def restore(self, state: dict[str, Tensor]) -> None:
        """Go on from a saved state."""
        self.written, self.fields = int(state["written"]), {}
        for name, kept in state.items():
            if name != "written":
                whole = kept.new_zeros(self.size, *kept.shape[1:])
                whole[: len(kept)] = kept
                self.fields[name] = whole
