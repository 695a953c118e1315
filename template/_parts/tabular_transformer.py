"""A transformer over the cells of a table's row (Gorishniy et al. 2021, section 3.3).

Shapes are written in letters:

    B  rows in the batch             D  features of the residual stream
    N  columns of numbers            F  hidden features of the MLP
    C  columns of words              H  attention heads
    K  words of a column             V  classes
    T  tokens, 1 + N + C             M  values to predict
    E  features of an embedding
"""

import torch
from torch import Tensor, nn

from .config import Config
from .table_model import TableModel
from .vit_block import VitBlock


class FeatureTokens(nn.Module):
    """A token for each cell, and one before them that becomes the row's vector.

    A missing number has a learned token of its column; a missing word is row 0 of its column.
    """

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        width = config.d_model
        self.class_token = nn.Parameter(torch.empty(1, 1, width))
        self.number_weight = nn.Parameter(torch.empty(config.num_numeric, width))
        self.number_bias = nn.Parameter(torch.empty(config.num_numeric, width))
        self.number_missing = nn.Parameter(torch.empty(config.num_numeric, width))
        if config.categorical:
            self.word_bias = nn.Parameter(torch.empty(config.num_categorical, width))
            self.word_embed = nn.Embedding(config.num_categorical * config.categories, width)

    def forward(self, numbers: Tensor, absent: Tensor, words: Tensor) -> Tensor:
        present = numbers.unsqueeze(-1) * self.number_weight + self.number_bias  # (B, N, D)
        tokens = torch.where(absent.unsqueeze(-1), self.number_missing, present)
        first = self.class_token.expand(len(numbers), -1, -1)  # (B, 1, D)
        if self.config.categorical:
            columns = torch.arange(words.size(1), device=words.device)
            rows = words + columns * self.config.categories  # (B, C)
            named = self.word_embed(rows) + self.word_bias  # (B, C, D)
            return torch.cat((first, tokens, named), dim=1)  # (B, T, D)
        else:
            return torch.cat((first, tokens), dim=1)  # (B, T, D)


class TabularTransformer(TableModel):
    """A token for each cell, a stack of blocks over all of them, a head for each output."""

    def __init__(self, config: Config):
        super().__init__(config)
        dim = config.d_model
        self.tokens = FeatureTokens(config)
        self.blocks = nn.ModuleList(
            VitBlock(config, dim, config.n_heads, config.head_dim, config.d_ff)
            for _ in range(config.n_layers)
        )
        self.add_heads(dim)

    def features(self, batch: dict[str, Tensor]) -> Tensor:
        """One vector for each row, (B, D)."""
        x = self.tokens(*self.cells(batch))  # (B, T, D)
        for block in self.blocks:
            x = block(x)
        return x[:, 0]  # (B, T, D) -> (B, D)


def build_model(config: Config) -> TabularTransformer:
    """The model with weights drawn from `config.seed`; without weights on the meta device."""
    model = TabularTransformer(config)
    device = model.tokens.class_token.device
    if device.type != "meta":
        model.init_weights(torch.Generator(device).manual_seed(config.seed))
    return model
