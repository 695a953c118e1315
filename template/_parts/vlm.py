"""A vision-language model: a decoder that reads a picture before a text.

Shapes are written in letters:

    B  samples in the batch          H  query heads
    N  patches of a picture          G  key and value heads, shared by H / G query heads each
    T  tokens of the text            K  features of a head
    S  positions attended to         D  features of the residual stream
    C  channels                      F  hidden features of the MLP
    Y, X  height and width           V  vocabulary
    L  layers of the decoder
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .block import Block
from .cache import KVCache, Span
from .config import Config
from .norms import RMSNorm
from .sampling import sample
from .towers import ImageTower

PREFILL_CHUNK = 2048  # positions that are read at once, which bounds activation memory
IGNORED = -100  # the label of a position that the loss leaves out


class Projector(nn.Module):
    """Patches of the picture tower as positions of the decoder (Liu et al. 2024, section 3.2)."""

    def __init__(self, config: Config):
        super().__init__()
        self.up_proj = nn.Linear(config.vision_d_model, config.d_model)
        self.down_proj = nn.Linear(config.d_model, config.d_model)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.gelu(self.up_proj(x)))  # (B, N, picture width) -> (B, N, D)


class VisionLanguageModel(nn.Module):
    """Picture tower, projector, and a decoder that scores the next token of the text."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.vision = ImageTower(config)
        self.projector = Projector(config)
        self.embed = nn.Embedding(config.vocab_size, config.d_model)
        self.layers = nn.ModuleList(Block(config, layer) for layer in range(config.n_layers))
        self.norm = RMSNorm(config.d_model, config.norm_eps)
        self.lm_head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        if config.tied:
            self.lm_head.weight = self.embed.weight

    @property
    def blocks(self) -> list[nn.Module]:
        """The blocks of the picture tower and of the decoder."""
        return [*self.vision.blocks, *self.layers]

    def init_weights(self, generator: torch.Generator) -> None:
        """Draw every weight afresh."""
        for name, parameter in self.named_parameters():
            self.init_weight(name, parameter, generator)

    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight called `name`; those that write to a residual stream start smaller."""
        std = self.config.init_std
        if name.endswith("bias"):
            nn.init.zeros_(weight)
        elif "norm" in name:
            nn.init.ones_(weight)
        elif name.startswith("projector") or name.endswith("patch_embed.weight"):
            nn.init.normal_(weight, std=weight[0].numel() ** -0.5, generator=generator)
        elif name.endswith(("o_proj.weight", "down_proj.weight")):
            std = std / math.sqrt(2 * self.config.n_layers)
            nn.init.normal_(weight, std=std, generator=generator)
        else:
            nn.init.normal_(weight, std=std, generator=generator)

    def new_cache(self, batch_size: int, length: int) -> KVCache:
        """Room for the keys and values of `length` positions, the picture's included."""
        return KVCache(self.config, batch_size, length, like=self.embed.weight)

    def look(self, images: Tensor) -> Tensor:
        """Pictures as positions of the decoder, (B, C, Y, X) -> (B, N, D)."""
        x = self.vision(images)
        if self.config.class_token:
            x = x[:, 1:]  # (B, 1 + N, picture width): the patches only
        return self.projector(x)

    def hidden(self, x: Tensor, cache: KVCache | None = None) -> Tensor:
        """Final hidden states of embedded positions, (B, T, D); continues and fills a `cache`."""
        span = Span(self.config, x, cache)
        for layer in self.layers:
            x = layer(x, span)
        if cache is not None:
            cache.seen += x.size(1)
        return self.norm(x)

    def forward(self, images: Tensor, tokens: Tensor) -> Tensor:
        """Scores of the next token after every token of the text, (B, T, V)."""
        pictures = self.look(images)  # (B, N, D)
        x = self.hidden(torch.cat((pictures, self.embed(tokens)), dim=1))  # (B, N + T, D)
        return self.lm_head(x[:, pictures.size(1) :])

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """Mean negative log-likelihood of the answers in nats per token.

        `batch["labels"]` is (B, T), what follows each token, or `IGNORED` outside the answer.
        """
        logits = self(batch["images"], batch["tokens"])  # (B, T, V)
        labels = batch["labels"].flatten()
        return F.cross_entropy(logits.flatten(0, 1).float(), labels, ignore_index=IGNORED)

    @torch.inference_mode()
    def generate(
        self,
        images: Tensor,
        prompt: Tensor,
        max_new_tokens: int,
        temperature: float = 0.0,
        top_k: int | None = None,
        top_p: float | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Continue a prompt after a picture, (B, T) -> (B, T + max_new_tokens).

        `temperature` 0 takes the likeliest token; `top_k` and `top_p` restrict the choice to the
        k likeliest tokens and to the smallest set with probability p.
        """
        x = torch.cat((self.look(images), self.embed(prompt)), dim=1)  # (B, N + T, D)
        total, limit = x.size(1) + max_new_tokens, self.config.context_length
        if prompt.size(1) == 0 or max_new_tokens < 0:
            raise ValueError("generate needs a prompt and a max_new_tokens of at least 0")
        if total > limit:
            raise ValueError(f"picture, prompt and answer make {total} positions; {limit} fit")
        cache, tokens = self.new_cache(len(x), total), prompt
        for _ in range(max_new_tokens):
            for piece in x.split(PREFILL_CHUNK, dim=1):
                x = self.hidden(piece, cache)  # (B, T, D)
            logits = self.lm_head(x[:, -1])  # (B, V)
            newest = sample(logits, temperature, top_k, top_p, generator)  # (B, 1)
            tokens, x = torch.cat((tokens, newest), dim=1), self.embed(newest)
        return tokens


def build_model(config: Config) -> VisionLanguageModel:
    """The model with weights drawn from `config.seed`; without weights on the meta device."""
    model = VisionLanguageModel(config)
    if not model.embed.weight.is_meta:
        model.init_weights(torch.Generator(model.embed.weight.device).manual_seed(config.seed))
    return model
