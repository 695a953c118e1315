"""A dual encoder: a text tower and an image tower that agree on matching pairs.

Shapes are written in letters:

    B  pairs in the batch            H  heads
    T  tokens of a text              K  features of a head
    N  patches of a picture          D  features of a tower
    C  channels                      F  hidden features of the MLP
    Y, X  height and width           E  features of the shared space
    S  tokens attended to
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config
from .towers import ImageTower, TextTower, TowerAttention, TowerMLP

MAX_SCALE = 100.0  # of the logits, whose temperature is learned (Radford et al. 2021, section 2.5)


class AttentionPool(nn.Module):
    """One vector from many: a learned probe attends to all of them (Lee et al. 2019)."""

    def __init__(self, config: Config, dim: int):
        super().__init__()
        self.probe = nn.Parameter(torch.zeros(1, 1, dim))
        self.attn = TowerAttention(dim, config.vision_n_heads)
        self.norm = nn.LayerNorm(dim, config.tower_norm_eps)
        self.mlp = TowerMLP(config, dim, config.vision_d_ff)

    def forward(self, x: Tensor) -> Tensor:
        y = self.attn(self.probe.expand(len(x), -1, -1), x)  # (B, N, D) -> (B, 1, D)
        return (y + self.mlp(self.norm(y)))[:, 0]  # (B, 1, D) -> (B, D)


class DualEncoder(nn.Module):
    """Unit vectors of texts and pictures in one space, and how similar they are."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        dim, shared = config.vision_d_model, config.embed_dim
        self.logit_scale = nn.Parameter(torch.zeros(1))
        if config.loss == "sigmoid":
            self.logit_bias = nn.Parameter(torch.zeros(1))
        self.text = TextTower(config)
        self.image = ImageTower(config)
        self.image_norm = nn.LayerNorm(dim, config.tower_norm_eps)
        if config.image_pool == "attention":
            self.image_pool = AttentionPool(config, dim)
        self.text_proj = nn.Linear(config.text_d_model, shared, bias=config.text_proj_bias)
        if config.image_proj:
            self.image_proj = nn.Linear(dim, shared, bias=False)

    @property
    def blocks(self) -> list[nn.Module]:
        """The blocks of both towers."""
        return [*self.text.blocks, *self.image.blocks]

    def init_weights(self, generator: torch.Generator) -> None:
        """Draw every weight afresh."""
        for name, parameter in self.named_parameters():
            self.init_weight(name, parameter, generator)

    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight called `name`; those that write to a residual stream start smaller."""
        std = self.config.init_std
        depth = max(self.config.text_n_layers, self.config.vision_n_layers)
        if name == "logit_scale":
            if self.config.loss == "sigmoid":
                nn.init.constant_(weight, math.log(10.0))  # Zhai et al. 2023, algorithm 1
            else:
                nn.init.constant_(weight, math.log(1 / 0.07))
        elif name == "logit_bias":
            nn.init.constant_(weight, -10.0)  # most pairs do not match (Zhai et al. 2023)
        elif name.endswith("bias"):
            nn.init.zeros_(weight)
        elif "norm" in name:
            nn.init.ones_(weight)
        elif name.endswith(("o_proj.weight", "down_proj.weight")):
            nn.init.normal_(weight, std=std / math.sqrt(2 * depth), generator=generator)
        elif name.endswith("patch_embed.weight"):  # pixels are larger than hidden states
            nn.init.normal_(weight, std=weight[0].numel() ** -0.5, generator=generator)
        elif name.endswith("proj.weight"):
            nn.init.normal_(weight, std=weight.size(1) ** -0.5, generator=generator)
        else:
            nn.init.normal_(weight, std=std, generator=generator)

    def embed_text(self, tokens: Tensor, ends: Tensor) -> Tensor:
        """Unit vectors of texts that end at `ends`, (B, T) and (B,) -> (B, E)."""
        return F.normalize(self.text_proj(self.text(tokens, ends)), dim=-1)

    def embed_image(self, images: Tensor) -> Tensor:
        """Unit vectors of pictures, (B, C, Y, X) -> (B, E)."""
        x = self.image(images)  # (B, N, D)
        if self.config.image_pool == "attention":
            x = self.image_pool(self.image_norm(x))  # (B, N, D) -> (B, D)
        else:
            x = self.image_norm(x[:, 0])  # (B, N, D) -> (B, D): the class token
        if self.config.image_proj:
            x = self.image_proj(x)  # (B, D) -> (B, E)
        return F.normalize(x, dim=-1)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Scaled similarities of every picture and every text, (B, B): pairs on the diagonal."""
        texts = self.embed_text(batch["tokens"], batch["ends"])  # (B, E)
        images = self.embed_image(batch["images"])  # (B, E)
        logits = images @ texts.T  # (B, B)
        logits = logits * self.logit_scale.exp().clamp(max=MAX_SCALE)
        if self.config.loss == "sigmoid":
            return logits + self.logit_bias
        else:
            return logits

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """Mean contrastive loss in nats; the other pairs of the batch are the negatives."""
        logits = self(batch).float()  # (B, B)
        if self.config.loss == "sigmoid":
            signs = 2 * torch.eye(len(logits), device=logits.device) - 1  # (B, B)
            return -F.logsigmoid(signs * logits).sum(dim=-1).mean()
        else:
            pairs = torch.arange(len(logits), device=logits.device)  # (B,)
            return (F.cross_entropy(logits, pairs) + F.cross_entropy(logits.T, pairs)) / 2


def build_model(config: Config) -> DualEncoder:
    """The model with weights drawn from `config.seed`; without weights on the meta device."""
    model = DualEncoder(config)
    if not model.logit_scale.is_meta:
        model.init_weights(torch.Generator(model.logit_scale.device).manual_seed(config.seed))
    return model
