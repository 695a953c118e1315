"""A bidirectional transformer that reads whole texts.

Shapes are written in letters:

    B  texts in the batch            H  attention heads
    T  tokens of a text              K  features of a head
    D  features of the stream        F  hidden features of the MLP
    R  reach of a local layer        V  vocabulary
    C  classes                       E  features of an embedding
    N  texts of one example
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config
from .text_encoder_block import Block, Sight


class TextEncoder(nn.Module):
    """Token embedding, a stack of blocks that look both ways, and a head."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        dim = config.d_model
        self.embed = nn.Embedding(config.vocab_size, dim)
        if config.pos == "learned":
            self.pos_embed = nn.Embedding(config.pos_rows, dim)
        if config.typed:
            self.type_embed = nn.Embedding(config.type_vocab_size, dim)
        if config.embed_norm:
            self.embed_norm = nn.LayerNorm(dim, config.norm_eps, bias=config.norm_bias)
        self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.n_layers))
        if config.final_norm:
            self.norm = nn.LayerNorm(dim, config.norm_eps, bias=config.norm_bias)
        if config.pooler != "none":
            self.pooler = nn.Linear(dim, dim, bias=config.pooler_bias)
        if config.pooler == "gelu_norm":
            self.pooler_norm = nn.LayerNorm(dim, config.norm_eps, bias=config.norm_bias)
        if config.head == "classification":
            self.head = nn.Linear(dim, config.num_classes)
        elif config.head == "ranking":
            self.head = nn.Linear(dim, 1)
        elif config.head == "masked":
            self.head = nn.Linear(dim, config.vocab_size)
            if config.tied:
                self.head.weight = self.embed.weight
        elif config.projected:
            self.head = nn.Linear(dim, config.embedding_dim, bias=False)

    def init_weights(self, generator: torch.Generator) -> None:
        """Draw every weight afresh."""
        for name, parameter in self.named_parameters():
            self.init_weight(name, parameter, generator)

    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight called `name`."""
        std = self.config.init_std
        if name.endswith("bias"):
            nn.init.zeros_(weight)
        elif "norm" in name:
            nn.init.ones_(weight)
        else:
            if self.config.norm_order == "pre":
                if name.endswith(("o_proj.weight", "down_proj.weight")):
                    # The variance of the stream stays (Radford et al. 2019, section 2.3).
                    std = std / math.sqrt(2 * self.config.n_layers)
            nn.init.normal_(weight, std=std, generator=generator)

    def hidden(self, tokens: Tensor, seen: Tensor | None, types: Tensor | None) -> Tensor:
        """Final hidden states, (B, T) -> (B, T, D); `seen` is False at padding."""
        sight = Sight(self.config, seen, tokens)
        x = self.embed(tokens)  # (B, T) -> (B, T, D)
        if self.config.pos == "learned":
            if self.config.pos_offset:
                first = self.config.pos_offset  # the rows before it are spare
                x = x + self.pos_embed.weight[first : first + tokens.size(1)]
            else:
                x = x + self.pos_embed.weight[: tokens.size(1)]
        if self.config.typed:
            types = torch.zeros_like(tokens) if types is None else types
            x = x + self.type_embed(types)
        if self.config.embed_norm:
            x = self.embed_norm(x)
        for block in self.blocks:
            x = block(x, sight)
        if self.config.final_norm:
            return self.norm(x)
        else:
            return x

    def forward(
        self, tokens: Tensor, seen: Tensor | None = None, types: Tensor | None = None
    ) -> Tensor:
        """What the head makes of texts, (B, T); `types` tell the two texts of a pair apart."""
        x = self.hidden(tokens, seen, types)
        if self.config.head != "masked":
            if self.config.pooling == "first":
                x = x[:, 0]  # (B, T, D) -> (B, D)
            else:
                weights = torch.ones_like(tokens) if seen is None else seen
                weights = weights.unsqueeze(-1).type_as(x)  # (B, T, 1)
                x = (x * weights).sum(1) / weights.sum(1)  # (B, T, D) -> (B, D)
        if self.config.pooler == "tanh":
            x = torch.tanh(self.pooler(x))
        elif self.config.pooler == "gelu_norm":
            x = self.pooler_norm(F.gelu(self.pooler(x)))
        if self.config.head == "classification":
            return self.head(x)  # (B, D) -> (B, C): scores of the classes
        elif self.config.head == "masked":
            return self.head(x)  # (B, T, D) -> (B, T, V): scores of every token
        elif self.config.head == "ranking":
            return self.head(x).squeeze(-1)  # (B, D) -> (B,)
        elif self.config.projected:
            return self.head(x)  # (B, D) -> (B, E)
        else:
            return x

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """What training minimises: the mean over the examples of a batch, in nats."""
        if self.config.head == "classification":
            logits = self(batch["tokens"], batch["seen"])  # (B, C)
            return F.cross_entropy(logits.float(), batch["labels"])
        elif self.config.head == "masked":
            logits = self(batch["tokens"], batch["seen"])  # (B, T, V)
            targets = batch["targets"]  # (B, T), -100 where nothing is asked
            nats = F.cross_entropy(logits.mT.float(), targets, reduction="none")  # (B, T)
            return (nats.sum(1) / (targets >= 0).sum(1)).mean()
        elif self.config.head == "ranking":
            # The softmax of the scores follows the gains of the grades (after Cao et al. 2007).
            scores = self(batch["tokens"], batch["seen"], batch["types"])  # (B * N,)
            gains = torch.exp2(batch["grades"]) - 1  # (B, N)
            shares = gains / gains.sum(-1, keepdim=True).clamp(min=1e-9)
            return F.cross_entropy(scores.view_as(gains).float(), shares)
        else:
            # Each text finds its partner among those of the batch (InfoNCE, van den Oord 2018).
            vectors = self(batch["tokens"], batch["seen"])  # (2 * B, T) -> (2 * B, E), pair by pair
            vectors = F.normalize(vectors.float(), dim=-1)
            scores = vectors[0::2] @ vectors[1::2].T / self.config.temperature  # (B, B)
            partners = torch.arange(len(scores), device=scores.device)
            found = F.cross_entropy(scores, partners) + F.cross_entropy(scores.T, partners)
            return found / 2


def build_model(config: Config) -> TextEncoder:
    """The model with weights drawn from `config.seed`; without weights on the meta device."""
    model = TextEncoder(config)
    if not model.embed.weight.is_meta:
        model.init_weights(torch.Generator(model.embed.weight.device).manual_seed(config.seed))
    return model
