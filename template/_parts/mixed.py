"""A transformer that reads any inputs and gives any outputs.

Shapes are written in letters:

    B  samples in the batch          T  positions of the sequence: tokens, then queries
    N  tokens of the inputs          D  features of the residual stream
    Q  queries of the outputs        F  hidden features of the MLP
    S  tokens of a written text      H  attention heads, of K features each
    V  tokens of the vocabulary
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config
from .mixed_inputs import Inputs
from .mixed_outputs import Outputs
from .mixed_writer import Writer
from .vit_block import VitBlock


class MixedTransformer(nn.Module):
    """An adapter for each input, one stack of blocks over all tokens, and outputs that ask it."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.inputs = Inputs(config)
        self.trunk = nn.ModuleList(
            VitBlock(config, config.d_model, config.n_heads, config.head_dim, config.d_ff)
            for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(config.d_model, config.norm_eps)
        if config.asks:
            self.outputs = Outputs(config)
        if config.gives_text:
            self.writer = Writer(config)

    @property
    def blocks(self) -> list[nn.Module]:
        """Every layer."""
        if self.config.gives_text:
            return [*self.trunk, *self.writer.blocks]
        else:
            return list(self.trunk)

    def init_weights(self, generator: torch.Generator) -> None:
        """Draw every weight afresh."""
        for name, parameter in self.named_parameters():
            self.init_weight(name, parameter, generator)

    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight called `name`; those that write to the residual stream start smaller.

        Scaling them by depth keeps the stream's variance (Radford et al. 2019, section 2.3).
        """
        std = self.config.init_std
        if name.endswith("bias"):
            nn.init.zeros_(weight)
        elif "norm" in name:
            nn.init.ones_(weight)
        elif name.endswith(("o_proj.weight", "mlp.down_proj.weight")):
            std = std / math.sqrt(2 * self.config.n_layers)
            nn.init.normal_(weight, std=std, generator=generator)
        else:
            nn.init.normal_(weight, std=std, generator=generator)

    def states(self, batch: dict[str, Tensor]) -> Tensor:
        """Tokens of everything that is read, and answered queries, (B, T, D)."""
        x = self.inputs(batch)  # (B, N, D)
        if self.config.asks:
            asked = self.outputs.queries.expand(x.size(0), -1, -1)  # (B, Q, D)
            x = torch.cat((x, asked), dim=1)  # (B, T, D)
        for block in self.trunk:
            x = block(x)
        return self.norm(x)

    def answers(self, x: Tensor) -> dict[str, Tensor]:
        """Every output but a text, by its name, from `states`."""
        if self.config.asks:
            return self.outputs(x[:, -len(self.outputs.queries) :])
        else:
            return {}

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Every output by its name; of a text the scores of its tokens, given those before."""
        x = self.states(batch)
        found = self.answers(x)
        if self.config.gives_text:
            found["text"] = self.writer(x, batch["target_tokens"][:, :-1].clamp(min=0))  # (B, S, V)
        return found

    @torch.inference_mode()
    def predict(self, batch: dict[str, Tensor], end: int = 0) -> dict[str, Tensor]:
        """Every output by its name; a text as its tokens, (B, S), up to the first `end`."""
        x = self.states(batch)
        found = self.answers(x)
        if self.config.gives_text:
            found["text"] = self.writer.write(x, end)
        return found

    def losses(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The loss of each output, by what it is.

        `batch["target_tokens"]`, (B, S + 1), begins with a start token and is padded with -1.
        """
        found, losses = self(batch), {}
        if self.config.asks:
            losses = self.outputs.losses(found, batch)
        if self.config.gives_text:
            right = batch["target_tokens"][:, 1:]  # (B, S)
            scores = found["text"].float().transpose(1, 2)  # (B, S, V) -> (B, V, S)
            nats = F.cross_entropy(scores, right, ignore_index=-1, reduction="none")
            each = nats.sum(dim=1) / (right >= 0).sum(dim=1)  # (B, S) -> (B,)
            losses["cross-entropy of the text"] = each.mean()
        return losses

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """The sum of `losses`."""
        return torch.stack(list(self.losses(batch).values())).sum()


def build_model(config: Config) -> MixedTransformer:
    """The model with weights drawn from `config.seed`; without weights on the meta device."""
    model = MixedTransformer(config)
    if not model.norm.weight.is_meta:
        model.init_weights(torch.Generator(model.norm.weight.device).manual_seed(config.seed))
    return model
