"""A classifier of series: what kind of series that is.

Shapes are written in letters:

    B  samples                        N  patches of a variable
    T  steps of a series              P  steps of a patch
    M  variables                      D  features of the residual stream
    V  classes
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config
from .series_encoder import SeriesEncoder


class SeriesClassifier(SeriesEncoder):
    """Patches of all variables, read one variable at a time, and one label for the mean of them."""

    def __init__(self, config: Config):
        super().__init__(config)
        self.head = nn.Linear(config.d_model, config.num_classes)

    def forward(self, values: Tensor, known: Tensor) -> Tensor:
        """Scores of the classes; `values` and `known`, whether each is, (B, T, M) -> (B, V)."""
        values, _, _ = self.standardise(values, known)  # (B, T, M)
        x = self.read(self.embedded(values))  # (B, M, N, D)
        return self.head(x.mean(dim=(1, 2)))  # (B, D) -> (B, V)

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """Mean cross-entropy in nats; `batch` has "values", "known" and "labels", (B,)."""
        scores = self(batch["values"], batch["known"])
        return F.cross_entropy(scores.float(), batch["labels"])


def build_model(config: Config) -> SeriesClassifier:
    """The model with weights drawn from `config.seed`; without weights on the meta device."""
    model = SeriesClassifier(config)
    if not model.embed.weight.is_meta:
        model.init_weights(torch.Generator(model.embed.weight.device).manual_seed(config.seed))
    return model
