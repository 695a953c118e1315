"""A residual perceptron over the cells of a table's row (Gorishniy et al. 2021, section 3.2).

Shapes are written in letters:

    B  rows in the batch             D  features of the residual stream
    N  columns of numbers            F  hidden features of a block
    C  columns of words              W  features of a word
    K  words of a column             V  classes
    E  features of an embedding      M  values to predict
"""

import torch
from torch import Tensor, nn

from .config import Config
from .residual_mlp import ResidualMLP
from .table_model import TableModel


class TabularMLP(TableModel):
    """Numbers, marks where they are missing, and embedded words, through residual blocks."""

    def __init__(self, config: Config):
        super().__init__(config)
        if config.categorical:
            rows = config.num_categorical * config.categories
            self.word_embed = nn.Embedding(rows, config.word_dim)
            width = 2 * config.num_numeric + config.num_categorical * config.word_dim
        else:
            width = 2 * config.num_numeric
        self.in_proj = nn.Linear(width, config.d_model)
        self.blocks = nn.ModuleList(ResidualMLP(config) for _ in range(config.n_layers))
        self.add_heads(config.d_model)

    def features(self, batch: dict[str, Tensor]) -> Tensor:
        """One vector for each row, (B, D)."""
        numbers, absent, words = self.cells(batch)
        pieces = [numbers, absent.type_as(numbers)]  # (B, N) each
        if self.config.categorical:
            columns = torch.arange(words.size(1), device=words.device)
            rows = words + columns * self.config.categories  # (B, C)
            pieces.append(self.word_embed(rows).flatten(1))  # (B, C, W) -> (B, C * W)
        x = self.in_proj(torch.cat(pieces, dim=1))  # (B, 2 * N + C * W) -> (B, D)
        for block in self.blocks:
            x = block(x)
        return x


def build_model(config: Config) -> TabularMLP:
    """The model with weights drawn from `config.seed`; without weights on the meta device."""
    model = TabularMLP(config)
    if not model.in_proj.bias.is_meta:
        model.init_weights(torch.Generator(model.in_proj.bias.device).manual_seed(config.seed))
    return model
