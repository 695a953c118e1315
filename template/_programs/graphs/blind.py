"""The network without edges: what can be told from the features of nodes alone."""

from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from .config import Config
from .data import Corpus
from .model import build_model
from .optim import build_optimizer, learning_rate
from .parallel import Workers


class Blind(nn.Module):
    """A model that sees the nodes of a batch and none of its edges."""

    def __init__(self, model: nn.Module):
        super().__init__()
        self.model = model

    def forward(self, batch: dict[str, Tensor]) -> Tensor | dict[str, Tensor]:
        """What the model answers without edges."""
        return self.model(hidden(batch))

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """The model's loss without edges."""
        return self.model.loss(hidden(batch))


def hidden(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """A batch without its edges."""
    degree = torch.zeros_like(batch["degree"])
    return batch | {"edges": batch["edges"][:, :0], "degree": degree}


def without_edges(config: Config, corpus: Corpus, workers: Workers, steps: int) -> Blind:
    """The model of `config`, trained for `steps` steps on the run's batches without their edges.

    Its weights are kept in the run's folder.
    """
    model = build_model(config).to(workers.device)
    blind = Blind(model)
    path = Path(config.run_dir) / f"without-edges-{steps}.safetensors"
    if path.exists():
        model.load_state_dict(load_file(path))
        return blind
    optimizer = build_optimizer(model, config)
    passes = config.global_batch // config.micro_batch
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = learning_rate(step, config)
        for i in range(passes):
            rows = range(i * config.micro_batch, (i + 1) * config.micro_batch)
            with workers.autocast():
                loss = blind.loss(workers.move(corpus.train_batch(step, rows))) / passes
            loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), config.grad_clip or torch.inf)
        optimizer.step()
        optimizer.zero_grad()
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(model.state_dict(), path)
    return blind
