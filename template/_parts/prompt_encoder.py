"""A transformer that reads prompts: every token sees the whole text.

Shapes are written in letters:

    B  prompts in the batch          K  features of a head
    S  tokens of a prompt            D  features of the residual stream
    H  attention heads               F  hidden features of the MLP
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config


class PromptAttention(nn.Module):
    """Attention of every token to those that belong to the text."""

    def __init__(self, config: Config):
        super().__init__()
        self.n_heads = config.text_n_heads
        dim = config.text_d_model
        self.q_proj = nn.Linear(dim, dim)
        self.k_proj = nn.Linear(dim, dim)
        self.v_proj = nn.Linear(dim, dim)
        self.o_proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        q, k, v = (
            project(x).unflatten(-1, (self.n_heads, -1)).transpose(1, 2)  # (B, H, S, K)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        y = F.scaled_dot_product_attention(q, k, v, seen[:, None, None])
        return self.o_proj(y.transpose(1, 2).flatten(2))  # (B, H, S, K) -> (B, S, D)


class PromptMLP(nn.Module):
    """Position-wise feed-forward network."""

    def __init__(self, config: Config):
        super().__init__()
        self.up_proj = nn.Linear(config.text_d_model, config.text_d_ff)
        self.down_proj = nn.Linear(config.text_d_ff, config.text_d_model)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.gelu(self.up_proj(x)))  # (B, S, D) -> (B, S, F) -> (B, S, D)


class PromptBlock(nn.Module):
    """Attention and MLP, each normalised first and added to the residual stream."""

    def __init__(self, config: Config):
        super().__init__()
        self.attn_norm = nn.LayerNorm(config.text_d_model)
        self.attn = PromptAttention(config)
        self.mlp_norm = nn.LayerNorm(config.text_d_model)
        self.mlp = PromptMLP(config)

    def forward(self, x: Tensor, seen: Tensor) -> Tensor:
        x = x + self.attn(self.attn_norm(x), seen)
        return x + self.mlp(self.mlp_norm(x))


class PromptEncoder(nn.Module):
    """Token ids to hidden states, (B, S) -> (B, S, D).

    A text is closed by the end token, which also fills the rest of its row: the last token of
    every row is that one. Positions after the first end token are padding.
    """

    def __init__(self, config: Config):
        super().__init__()
        dim = config.text_d_model
        self.embed = nn.Embedding(config.vocab_size, dim)
        self.pos_embed = nn.Embedding(config.prompt_length, dim)
        self.blocks = nn.ModuleList(PromptBlock(config) for _ in range(config.text_n_layers))
        self.norm = nn.LayerNorm(dim)

    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight called `name`; matrices keep the variance of what they are given."""
        if name.endswith("bias"):
            nn.init.zeros_(weight)
        elif "norm" in name:
            nn.init.ones_(weight)
        elif "embed" in name:
            nn.init.normal_(weight, generator=generator)
        else:
            nn.init.normal_(weight, std=weight.size(1) ** -0.5, generator=generator)

    def forward(self, tokens: Tensor) -> Tensor:
        x = self.embed(tokens) + self.pos_embed.weight[: tokens.size(1)]  # (B, S) -> (B, S, D)
        seen = seen_tokens(tokens)
        for block in self.blocks:
            x = block(x, seen)
        return self.norm(x)


def seen_tokens(tokens: Tensor) -> Tensor:
    """Which tokens belong to a text, its first end token included: (B, S), true or false."""
    open_before = tokens[:, :-1] != tokens[:, -1:]  # (B, S - 1)
    return F.pad(open_before, (1, 0), value=True)


def pooled(states: Tensor, tokens: Tensor) -> Tensor:
    """The mean of hidden states over the tokens of each text, (B, S, D) -> (B, D)."""
    seen = seen_tokens(tokens)[..., None].to(states.dtype)  # (B, S, 1)
    return (states * seen).sum(dim=1) / seen.sum(dim=1)


def without_text(tokens: Tensor, dropped: Tensor) -> Tensor:
    """The same prompts, of which the `dropped` ones, (B,), are empty."""
    return torch.where(dropped[:, None], tokens[:, -1:], tokens)
