"""An encoder–decoder transformer.

Shapes are written in letters:

    B  sequences in the batch        H  attention heads
    S  positions of the source       K  features of a head
    T  tokens of the target          D  features of the residual stream
    V  vocabulary                    F  hidden features of the MLP
    L  decoder layers
"""

import math
from itertools import chain

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention.bias import causal_lower_right

from .config import Config
from .encoder_attention import Cache, CrossAttention, RelativeBias, SelfAttention, Span
from .log_mel import log_mel
from .mlp import MLP
from .norms import RMSNorm
from .sampling import sample


def layer_norm(config: Config) -> nn.Module:
    """A normalisation of the residual stream."""
    if config.norm == "rmsnorm":
        return RMSNorm(config.d_model, config.norm_eps)
    else:
        return nn.LayerNorm(config.d_model, config.norm_eps)


class EncoderBlock(nn.Module):
    """Attention in both directions and MLP, each added to the residual stream."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.attn_norm = layer_norm(config)
        self.attn = SelfAttention(config)
        self.mlp_norm = layer_norm(config)
        self.mlp = MLP(config)

    def forward(self, x: Tensor, span: Span) -> Tensor:
        if self.config.post_norm:
            x = self.attn_norm(x + self.attn(x, span))
            return self.mlp_norm(x + self.mlp(x))
        else:
            x = x + self.attn(self.attn_norm(x), span)
            return x + self.mlp(self.mlp_norm(x))


class DecoderBlock(nn.Module):
    """Causal attention, attention to the source, and MLP."""

    def __init__(self, config: Config, layer: int):
        super().__init__()
        self.config = config
        self.layer = layer
        self.attn_norm = layer_norm(config)
        self.attn = SelfAttention(config)
        self.cross_norm = layer_norm(config)
        self.cross = CrossAttention(config)
        self.mlp_norm = layer_norm(config)
        self.mlp = MLP(config)

    def forward(
        self,
        x: Tensor,
        span: Span,
        memory: Tensor,
        mask: Tensor | None = None,
        cache: Cache | None = None,
    ) -> Tensor:
        k, v = self.source(memory, cache)  # (B, H, S, K)
        if self.config.post_norm:
            x = self.attn_norm(x + self.attn(x, span, cache, self.layer))
            x = self.cross_norm(x + self.cross(x, k, v, mask))
            return self.mlp_norm(x + self.mlp(x))
        else:
            x = x + self.attn(self.attn_norm(x), span, cache, self.layer)
            x = x + self.cross(self.cross_norm(x), k, v, mask)
            return x + self.mlp(self.mlp_norm(x))

    def source(self, memory: Tensor, cache: Cache | None) -> tuple[Tensor, Tensor]:
        """Keys and values of the source, which a cache remembers after the first token."""
        if cache is None:
            return self.cross.keys_values(memory)
        if len(cache.cross) == self.layer:
            cache.cross.append(self.cross.keys_values(memory))
        return cache.cross[self.layer]


class EncoderDecoder(nn.Module):
    """An encoder that reads the source, and a decoder that writes the target token by token."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        dim = config.d_model
        if config.logits_bias:
            self.register_buffer("logits_bias", torch.zeros(1, config.vocab_size))
        self.embed = nn.Embedding(config.vocab_size, dim)
        if config.source == "audio":
            self.conv1 = nn.Conv1d(config.n_mels, dim, kernel_size=3, padding=1)
            self.conv2 = nn.Conv1d(dim, dim, kernel_size=3, stride=2, padding=1)
            self.encoder_pos_embed = nn.Embedding(config.audio_positions, dim)
        elif config.pos in ("learned", "sinusoidal"):
            self.encoder_pos_embed = nn.Embedding(config.pos_rows, dim)
        elif config.pos == "relative":
            self.encoder_bias = RelativeBias(config, bidirectional=True)
        if config.embed_norm:
            self.encoder_embed_norm = layer_norm(config)
        self.encoder_blocks = nn.ModuleList(EncoderBlock(config) for _ in range(config.n_layers))
        if config.final_norm:
            self.encoder_norm = layer_norm(config)
        if config.pos in ("learned", "sinusoidal"):
            self.decoder_pos_embed = nn.Embedding(config.pos_rows, dim)
        elif config.pos == "relative":
            self.decoder_bias = RelativeBias(config, bidirectional=False)
        if config.embed_norm:
            self.decoder_embed_norm = layer_norm(config)
        self.decoder_blocks = nn.ModuleList(
            DecoderBlock(config, layer) for layer in range(config.n_decoder_layers)
        )
        if config.final_norm:
            self.decoder_norm = layer_norm(config)
        self.lm_head = nn.Linear(dim, config.vocab_size, bias=False)
        if config.tied:
            self.lm_head.weight = self.embed.weight
        if config.source == "audio":
            self.encoder_pos_embed.weight.requires_grad_(False)
        if config.pos == "sinusoidal":
            self.encoder_pos_embed.weight.requires_grad_(False)
            self.decoder_pos_embed.weight.requires_grad_(False)

    @property
    def blocks(self) -> list[nn.Module]:
        """Every layer of both stacks."""
        return list(chain(self.encoder_blocks, self.decoder_blocks))

    def init_weights(self, generator: torch.Generator) -> None:
        """Draw every weight afresh."""
        for name, parameter in self.named_parameters():
            self.init_weight(name, parameter, generator)

    @torch.no_grad()
    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight called `name`; those that write to a residual stream start smaller."""
        std = self.config.init_std
        if self.config.source == "audio":
            if name == "encoder_pos_embed.weight":
                weight.copy_(sinusoids(*weight.shape))
                return
            if name.startswith("conv"):  # so that sound is as loud as its position
                std = math.sqrt(2 / weight[0].numel())
        if self.config.pos == "sinusoidal":
            if name.endswith("pos_embed.weight"):
                weight.copy_(sinusoids(*weight.shape))
                return
        if name.endswith("bias"):
            nn.init.zeros_(weight)
        elif "norm" in name:
            nn.init.ones_(weight)
        else:
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                layers = self.config.n_layers if "encoder" in name else self.config.n_decoder_layers
                std = std / math.sqrt(2 * layers)
            if not self.config.attn_scale:
                if name.endswith("q_proj.weight"):  # scores are not scaled, so queries are
                    std = std / math.sqrt(self.config.head_dim)
            if self.config.head_scale:
                if name == "embed.weight":  # the head divides by as much
                    std = std * math.sqrt(self.config.d_model)
            nn.init.normal_(weight, std=std, generator=generator)

    def encode(self, source: Tensor, mask: Tensor | None = None) -> Tensor:
        """Hidden states of the source, (B, S, D); `mask`, (B, S), is set where there is content."""
        if self.config.source == "audio":
            x = F.gelu(self.conv1(log_mel(source, self.config)))  # (B, samples) -> (B, D, 2 S)
            x = F.gelu(self.conv2(x)).transpose(1, 2)  # (B, D, 2 S) -> (B, S, D)
        else:
            x = self.embed(source)  # (B, S) -> (B, S, D)
            if self.config.embed_scale:
                x = x * math.sqrt(self.config.d_model)
        positions = torch.arange(x.size(1), device=x.device)  # (S,)
        if mask is not None:
            mask = mask[:, None, None]  # (B, 1, 1, S)
        if self.config.source == "audio":
            x = x + self.encoder_pos_embed(positions)
        elif self.config.pos in ("learned", "sinusoidal"):
            if self.config.pos_offset:
                x = x + self.encoder_pos_embed(positions + self.config.pos_offset)
            else:
                x = x + self.encoder_pos_embed(positions)
        elif self.config.pos == "relative":
            bias = self.encoder_bias(positions, positions)  # (1, H, S, S)
            mask = bias if mask is None else bias.masked_fill(~mask, -torch.inf)
        span = Span(self.config, positions, mask)
        if self.config.embed_norm:
            x = self.encoder_embed_norm(x)
        for block in self.encoder_blocks:
            x = block(x, span)
        if self.config.final_norm:
            return self.encoder_norm(x)
        else:
            return x

    def decode(
        self,
        target: Tensor,
        memory: Tensor,
        mask: Tensor | None = None,
        cache: Cache | None = None,
    ) -> Tensor:
        """Hidden states of target tokens, (B, T) -> (B, T, D); continues and fills a `cache`."""
        start, length = 0 if cache is None else cache.seen, target.size(1)
        positions = torch.arange(start, start + length, device=target.device)  # (T,)
        if self.config.pos == "relative":
            past = torch.arange(start + length, device=target.device)  # (S,)
            bias = self.decoder_bias(positions, past)  # (1, H, T, S)
            bias = bias.masked_fill(past > positions[:, None], -torch.inf)
            span = Span(self.config, positions, bias)
        else:
            span = Span(self.config, positions, causal=length > 1)  # the newest token sees all
            if start > 0 and length > 1:
                span.mask, span.causal = causal_lower_right(length, start + length), False
        if mask is not None:
            mask = mask[:, None, None]  # (B, 1, 1, S)
        x = self.embed(target)  # (B, T) -> (B, T, D)
        if self.config.embed_scale:
            x = x * math.sqrt(self.config.d_model)
        if self.config.pos in ("learned", "sinusoidal"):
            if self.config.pos_offset:
                x = x + self.decoder_pos_embed(positions + self.config.pos_offset)
            else:
                x = x + self.decoder_pos_embed(positions)
        if self.config.embed_norm:
            x = self.decoder_embed_norm(x)
        for block in self.decoder_blocks:
            x = block(x, span, memory, mask, cache)
        if cache is not None:
            cache.seen += length
        if self.config.final_norm:
            return self.decoder_norm(x)
        else:
            return x

    def new_cache(self, batch_size: int, length: int) -> Cache:
        """An empty cache for targets of at most `length` tokens."""
        layers = self.config.n_decoder_layers
        return Cache(self.config, layers, batch_size, length, like=self.embed.weight)

    def score(self, x: Tensor) -> Tensor:
        """Scores of the next token from hidden states, (..., D) -> (..., V)."""
        if self.config.head_scale:
            x = x / math.sqrt(self.config.d_model)
        if self.config.logits_bias:
            return self.lm_head(x) + self.logits_bias
        else:
            return self.lm_head(x)

    def forward(self, source: Tensor, target: Tensor, mask: Tensor | None = None) -> Tensor:
        """Scores of the next token at every position of the target, (B, T, V)."""
        return self.score(self.decode(target, self.encode(source, mask), mask))

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """Mean over sequences of the negative log-likelihood in nats per target token.

        `batch["target"]` is (B, T + 1), opened by a start token and padded with -1.
        """
        target = batch["target"]
        logits = self(batch["source"], target[:, :-1].clamp(min=0), batch.get("mask"))  # (B, T, V)
        labels = target[:, 1:]  # (B, T)
        nats = F.cross_entropy(
            logits.transpose(1, 2).float(), labels, ignore_index=-1, reduction="none"
        )
        return (nats.sum(dim=1) / (labels >= 0).sum(dim=1)).mean()

    @torch.inference_mode()
    def generate(
        self,
        source: Tensor,
        start: Tensor,
        end: int,
        max_new_tokens: int,
        mask: Tensor | None = None,
        temperature: float = 0.0,
        top_k: int | None = None,
        top_p: float | None = None,
        generator: torch.Generator | None = None,
    ) -> Tensor:
        """Write the target of a source after its first tokens `start`, (B, P) -> (B, P + T).

        A target stops at its first token `end`, which also fills what is left of its row.
        `temperature` 0 takes the likeliest token; `top_k` and `top_p` restrict the choice to the
        k likeliest tokens and to the smallest set with probability p.
        """
        total = start.size(1) + max_new_tokens
        if total > self.config.context_length:
            raise ValueError(f"the target has {total} tokens; {self.config.context_length} fit")
        memory = self.encode(source, mask)
        cache = self.new_cache(start.size(0), total)
        tokens, unread = start, start
        done = torch.zeros_like(start[:, :1], dtype=torch.bool)  # (B, 1)
        for _ in range(max_new_tokens):
            logits = self.score(self.decode(unread, memory, mask, cache)[:, -1])  # (B, V)
            unread = sample(logits, temperature, top_k, top_p, generator).masked_fill(done, end)
            tokens = torch.cat((tokens, unread), dim=1)
            done |= unread == end
            if done.all():
                break
        return tokens


def sinusoids(rows: int, width: int) -> Tensor:
    """Fixed positions, (rows, width): sines, then cosines, of falling frequency."""
    steps = torch.arange(width // 2) / (width // 2 - 1)  # (D / 2,)
    angles = torch.arange(rows)[:, None] * 10_000.0**-steps  # (rows, D / 2)
    return torch.cat((angles.sin(), angles.cos()), dim=1)


def build_model(config: Config) -> EncoderDecoder:
    """The model with weights drawn from `config.seed`; without weights on the meta device."""
    model = EncoderDecoder(config)
    if not model.embed.weight.is_meta:
        model.init_weights(torch.Generator(model.embed.weight.device).manual_seed(config.seed))
    return model
