"""A state-space language model.

Shapes are written in letters:

    B  sequences in the batch        E  channels of the state-space mixer
    T  tokens in the input           N  state features of a channel
    V  vocabulary                    R  features behind the step sizes
    L  layers                        W  channels of the convolution
    D  features of the residual      H  heads, of P channels each
       stream                        G  groups of heads that share their B and C
    C  chunks of the sequence, of Q tokens each
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config
from .norms import RMSNorm
from .sampling import sample
from .ssm_block import SSMBlock
from .ssm_init import TIMING, fill_ssm
from .state_cache import StateCache

PREFILL_CHUNK = 256  # tokens of a prompt that are read at once, which bounds activation memory


class MambaLM(nn.Module):
    """Token embedding, a stack of state-space blocks, and a head that scores the next token."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.embed = nn.Embedding(config.vocab_size, config.d_model)
        self.blocks = nn.ModuleList(SSMBlock(config, layer) for layer in range(config.n_layers))
        if config.final_norm:
            self.norm = RMSNorm(config.d_model, config.norm_eps)
        self.lm_head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        if config.tied:
            self.lm_head.weight = self.embed.weight

    def init_weights(self, generator: torch.Generator) -> None:
        """Draw every weight afresh."""
        for name, parameter in self.named_parameters():
            self.init_weight(name, parameter, generator)

    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight called `name`; those that write to the residual stream start smaller.

        Scaling them by depth keeps the stream's variance (Radford et al. 2019, section 2.3).
        """
        std = self.config.init_std
        if name.endswith(TIMING):
            fill_ssm(name, weight, generator)
        elif name.endswith("bias"):
            nn.init.zeros_(weight)
        elif "norm" in name:
            nn.init.ones_(weight)
        elif name.endswith("o_proj.weight"):
            std = std / math.sqrt(self.config.n_layers)
            nn.init.normal_(weight, std=std, generator=generator)
        else:
            nn.init.normal_(weight, std=std, generator=generator)

    def new_cache(self, batch_size: int, length: int) -> StateCache:
        """The state before the first token; `length` does not matter to its size."""
        return StateCache(self.config, batch_size, like=self.embed.weight)

    def hidden(self, tokens: Tensor, cache: StateCache | None = None) -> Tensor:
        """Final hidden states of token ids, (B, T) -> (B, T, D); continues and fills a `cache`."""
        x = self.embed(tokens)  # (B, T) -> (B, T, D)
        for block in self.blocks:
            x = block(x, cache)
        if cache is not None:
            cache.seen += tokens.size(1)
        if self.config.final_norm:
            return self.norm(x)
        else:
            return x

    def forward(self, tokens: Tensor, cache: StateCache | None = None) -> Tensor:
        """Scores of the next token at every position, (B, T) -> (B, T, V)."""
        return self.lm_head(self.hidden(tokens, cache))

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """Mean negative log-likelihood in nats per token; `batch["tokens"]` is (B, T + 1)."""
        tokens = batch["tokens"]
        logits = self(tokens[:, :-1])  # (B, T, V)
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
        """Continue a prompt, (B, T) -> (B, T + max_new_tokens), in memory that does not grow.

        `temperature` 0 takes the likeliest token; `top_k` and `top_p` restrict the choice to the
        k likeliest tokens and to the smallest set with probability p.
        """
        if prompt.size(1) == 0 or max_new_tokens < 0:
            raise ValueError("generate needs a prompt and a max_new_tokens of at least 0")
        cache = self.new_cache(prompt.size(0), prompt.size(1) + max_new_tokens)
        tokens, unread = prompt, prompt
        for _ in range(max_new_tokens):
            for piece in unread.split(PREFILL_CHUNK, dim=1):
                x = self.hidden(piece, cache)  # (B, T, D)
            logits = self.lm_head(x[:, -1])  # (B, D) -> (B, V)
            unread = sample(logits, temperature, top_k, top_p, generator)  # (B, 1)
            tokens = torch.cat((tokens, unread), dim=1)
        return tokens


def build_model(config: Config) -> MambaLM:
    """The model with weights drawn from `config.seed`; without weights on the meta device."""
    model = MambaLM(config)
    if not model.embed.weight.is_meta:
        model.init_weights(torch.Generator(model.embed.weight.device).manual_seed(config.seed))
    return model
