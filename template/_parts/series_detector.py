"""A detector of anomalies: what cannot be told from its surroundings does not fit.

Shapes are written in letters:

    B  samples                        N  patches of a variable
    T  steps of a window              P  steps of a patch
    M  variables                      D  features of the residual stream
"""

import torch
from torch import Tensor, nn

from .config import Config
from .series_encoder import SeriesEncoder, patch_count

ROUNDS = 4  # every patch is hidden in one of so many passes


class SeriesDetector(SeriesEncoder):
    """Restores hidden patches of each variable from those around them (Nie et al. 2023, 4.2)."""

    def __init__(self, config: Config):
        super().__init__(config)
        self.head = nn.Linear(config.d_model, config.patch_length)

    def restore(self, values: Tensor, hidden: Tensor) -> Tensor:
        """Every patch as its surroundings suggest it, (B, T, M) -> (B, M, N, P).

        Values are standardised; patches that are `hidden`, (B, N), are not looked at.
        """
        x = self.embedded(values)  # (B, M, N, D)
        x = torch.where(hidden[:, None, :, None], self.mask_token, x)
        return self.head(self.read(x)).float()

    def forward(self, values: Tensor, known: Tensor) -> Tensor:
        """Absolute error of every value, restored while it was hidden, (B, T, M) -> (B, T, M).

        Errors are in deviations of the window. Unknown values have none, nor have those at the
        beginning that no patch holds.
        """
        scaled, _, _ = self.standardise(values, known)
        patch = torch.arange(patch_count(self.config), device=values.device)  # (N,)
        restored = 0.0
        for turn in range(ROUNDS):
            hidden = (patch % ROUNDS == turn).expand(len(values), -1)  # (B, N)
            made = self.restore(scaled, hidden)
            restored = restored + made * hidden[:, None, :, None]  # (B, M, N, P)
        restored = restored.flatten(2).transpose(1, 2)  # (B, N * P, M)
        unread = values.size(1) - restored.size(1)
        errors = (scaled[:, unread:] - restored).abs() * known[:, unread:]
        return nn.functional.pad(errors, (0, 0, unread, 0))

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """Mean squared error of the hidden patches, in deviations of the window.

        `batch` has "values" and "known", (B, T, M), and "hidden", (B, N).
        """
        scaled, _, _ = self.standardise(batch["values"], batch["known"])
        hidden = batch["hidden"]
        errors = (self.restore(scaled, hidden) - self.patches(scaled)).square()  # (B, M, N, P)
        counted = self.patches(batch["known"]) & hidden[:, None, :, None]
        total = (errors * counted).sum(dim=(1, 2, 3))  # (B,)
        return (total / counted.sum(dim=(1, 2, 3)).clamp(min=1)).mean()


def build_model(config: Config) -> SeriesDetector:
    """The model with weights drawn from `config.seed`; without weights on the meta device."""
    model = SeriesDetector(config)
    if not model.embed.weight.is_meta:
        model.init_weights(torch.Generator(model.embed.weight.device).manual_seed(config.seed))
    return model
