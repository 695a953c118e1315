"""A decoder-only transformer language model.

Shapes are written in letters:

    B  sequences in the batch        H  query heads
    T  tokens in the input           G  key and value heads, shared by H / G query heads each
    S  tokens attended to            K  features of a head
    V  vocabulary                    D  features of the residual stream
    L  layers                        F  hidden features of the MLP
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .block import Block
from .cache import KVCache, Span
from .config import Config
from .hybrid_block import HybridBlock, HybridCache
from .moe import imbalance
from .norms import RMSNorm
from .residual_init import fill_weight
from .sampling import sample
from .ssm_init import TIMING, fill_ssm

PREFILL_CHUNK = 2048  # tokens of a prompt that are read at once, which bounds activation memory


class DecoderLM(nn.Module):
    """Token embedding, a stack of blocks, and a head that scores the next token."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        dim = config.d_model
        self.embed = nn.Embedding(config.vocab_size, dim)
        if config.pos == "learned":
            self.pos_embed = nn.Embedding(config.pos_rows, dim)
        if config.embed_norm:
            if config.norm == "rmsnorm":
                self.embed_norm = RMSNorm(dim, config.norm_eps)
            else:
                self.embed_norm = nn.LayerNorm(dim, config.norm_eps, bias=config.norm_bias)
        if config.hybrid:
            layers = range(config.n_layers)
            self.blocks = nn.ModuleList(HybridBlock(config, layer) for layer in layers)
        else:
            self.blocks = nn.ModuleList(Block(config, layer) for layer in range(config.n_layers))
        if config.final_norm:
            if config.norm == "rmsnorm":
                self.norm = RMSNorm(dim, config.norm_eps)
            else:
                self.norm = nn.LayerNorm(dim, config.norm_eps, bias=config.norm_bias)
        self.lm_head = nn.Linear(dim, config.vocab_size, bias=config.lm_head_bias)
        if config.tied:
            self.lm_head.weight = self.embed.weight

    def init_weights(self, generator: torch.Generator) -> None:
        """Draw every weight afresh."""
        for name, parameter in self.named_parameters():
            self.init_weight(name, parameter, generator)

    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight called `name`."""
        if self.config.hybrid and name.endswith(TIMING):
            fill_ssm(name, weight, generator)
        else:
            fill_weight(name, weight, self.config, generator)

    def new_cache(self, batch_size: int, length: int) -> KVCache:
        """Room for what `length` tokens leave behind."""
        if self.config.hybrid:
            return HybridCache(self.config, batch_size, length, like=self.embed.weight)
        else:
            return KVCache(self.config, batch_size, length, like=self.embed.weight)

    def hidden(self, tokens: Tensor, cache: KVCache | None = None) -> Tensor:
        """Final hidden states of token ids, (B, T) -> (B, T, D); continues and fills a `cache`."""
        span = Span(self.config, tokens, cache)
        x = self.embed(tokens)  # (B, T) -> (B, T, D)
        if self.config.embed_scale:
            x = x * math.sqrt(self.config.d_model)
        if self.config.pos == "learned":
            x = x + self.pos_embed(span.positions)
        if self.config.embed_norm:
            x = self.embed_norm(x)
        for block in self.blocks:
            x = block(x, span)
        if cache is not None:
            cache.seen += tokens.size(1)
        if self.config.final_norm:
            return self.norm(x)
        else:
            return x

    def forward(self, tokens: Tensor, cache: KVCache | None = None) -> Tensor:
        """Scores of the next token at every position, (B, T) -> (B, T, V)."""
        return self.lm_head(self.hidden(tokens, cache))

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """Mean negative log-likelihood in nats per token; `batch["tokens"]` is (B, T + 1)."""
        tokens = batch["tokens"]
        logits = self(tokens[:, :-1])  # (B, T, V)
        if self.config.moe:
            nats = F.cross_entropy(logits.flatten(0, 1).float(), tokens[:, 1:].flatten())
            if self.config.hybrid:
                at = slice(self.config.expert_layer_offset, None, self.config.expert_layer_period)
                mixed = self.blocks[at].train(self.training)
                return nats + self.config.balance_weight * imbalance(mixed)
            else:
                return nats + self.config.balance_weight * imbalance(self.blocks)
        else:
            return F.cross_entropy(logits.flatten(0, 1).float(), tokens[:, 1:].flatten())

    @torch.inference_mode()
    def generate(
        self,
        prompt: Tensor,
        max_new_tokens: int,
        temperature: float = 1.0,
        top_k: int | None = None,
        top_p: float | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Continue a prompt, (B, T) -> (B, T + max_new_tokens).

        `temperature` 0 takes the likeliest token; `top_k` and `top_p` restrict the choice to the
        k likeliest tokens and to the smallest set with probability p.
        """
        batch_size, total = prompt.size(0), prompt.size(1) + max_new_tokens
        if prompt.size(1) == 0 or max_new_tokens < 0:
            raise ValueError("generate needs a prompt and a max_new_tokens of at least 0")
        if not self.config.windowed or self.config.pos == "learned":
            if total > self.config.context_length:
                limit = self.config.context_length
                raise ValueError(f"prompt and max_new_tokens make {total} tokens; {limit} fit")
        cache = self.new_cache(batch_size, total)
        tokens, unread = prompt, prompt
        for _ in range(max_new_tokens):
            for piece in unread.split(PREFILL_CHUNK, dim=1):
                x = self.hidden(piece, cache)  # (B, T, D)
            logits = self.lm_head(x[:, -1])  # (B, D) -> (B, V)
            unread = sample(logits, temperature, top_k, top_p, generator)  # (B, 1)
            tokens = torch.cat((tokens, unread), dim=1)
        return tokens


def build_model(config: Config) -> DecoderLM:
    """The model with weights drawn from `config.seed`; without weights on the meta device."""
    model = DecoderLM(config)
    if not model.embed.weight.is_meta:
        model.init_weights(torch.Generator(model.embed.weight.device).manual_seed(config.seed))
    return model
