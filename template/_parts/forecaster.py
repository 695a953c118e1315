"""A forecaster of series (Nie et al. 2023): what follows, and how sure that is.

Shapes are written in letters:

    B  samples                        N  patches of a variable
    T  steps of the past              P  steps of a patch
    H  steps of the future            D  features of the residual stream
    M  variables                      Q  quantiles
"""

import torch
from torch import Tensor, nn

from .config import Config
from .series_encoder import SeriesEncoder, patch_count

DECILES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)


class Forecaster(SeriesEncoder):
    """Every variable is forecast from its own past, all by the same weights."""

    def __init__(self, config: Config):
        super().__init__(config)
        answers = config.horizon * len(levels(config))
        if config.pool == "flatten":
            self.head = nn.Linear(patch_count(config) * config.d_model, answers)
        else:
            self.head = nn.Linear(config.d_model, answers)

    def answers(self, values: Tensor, known: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Standardised forecasts, (B, H, M, Q), mean and deviation of the past, (B, 1, M, 1)."""
        values, centre, scale = self.standardise(values, known)  # (B, T, M), (B, 1, M) twice
        x = self.read(self.embedded(values))  # (B, M, N, D)
        if self.config.pool == "flatten":
            x = x.flatten(2)  # (B, M, N * D)
        elif self.config.pool == "mean":
            x = x.mean(dim=2)  # (B, M, D)
        else:
            x = x[:, :, -1]  # (B, M, D)
        x = self.head(x).float().unflatten(2, (self.config.horizon, -1)).transpose(1, 2)
        if self.config.answer == "quantiles":
            x = x.sort(dim=-1).values  # those that cross are exchanged (Chernozhukov 2010)
        return x, centre.unsqueeze(-1), scale.unsqueeze(-1)

    def forward(self, values: Tensor, known: Tensor) -> Tensor:
        """Forecasts in the units of the values, (B, H, M, Q); see `levels`.

        `values` and `known`, whether each is, are (B, T, M).
        """
        x, centre, scale = self.answers(values, known)
        return x * scale + centre

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """Mean error of the forecasts, in deviations of the past; every sample counts as much.

        `batch` has "past" and "known", (B, T, M), "future" and "future_known", (B, H, M).
        """
        x, centre, scale = self.answers(batch["past"], batch["known"])
        future = (batch["future"].unsqueeze(-1) - centre) / scale  # (B, H, M, 1)
        if self.config.answer == "quantiles":
            errors = pinball(future, x)  # (B, H, M)
        else:
            errors = (future - x).square().squeeze(-1)  # (B, H, M)
        counted = batch["future_known"].float()
        count = counted.sum(dim=(1, 2)).clamp(min=1)  # (B,)
        return ((errors * counted).sum(dim=(1, 2)) / count).mean()


def levels(config: Config) -> tuple[float, ...]:
    """Which quantiles are forecast; a point counts as the median."""
    if config.answer == "quantiles":
        return DECILES
    else:
        return (0.5,)


def pinball(future: Tensor, forecasts: Tensor) -> Tensor:
    """Mean quantile loss (Koenker and Bassett 1978), doubled: (..., 1) and (..., Q) -> (...).

    Of the median alone it is the absolute error.
    """
    level = torch.tensor(DECILES, device=forecasts.device)
    error = future - forecasts  # (..., Q)
    return 2 * torch.maximum(level * error, (level - 1) * error).mean(dim=-1)


def build_model(config: Config) -> Forecaster:
    """The model with weights drawn from `config.seed`; without weights on the meta device."""
    model = Forecaster(config)
    if not model.embed.weight.is_meta:
        model.init_weights(torch.Generator(model.embed.weight.device).manual_seed(config.seed))
    return model
