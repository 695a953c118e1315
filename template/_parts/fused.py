"""A transformer that reads several inputs as one sequence.

Shapes are written in letters:

    B  samples in the batch          T  positions of the sequence
    S  tokens of a text              D  features of the residual stream
    C  channels of a picture         F  hidden features of the MLP
    Y  rows, X  columns              H  attention heads
    I  samples of a sound            K  features of a head
    M  mel bands                     V  classes
    L  frames of a spectrogram       E  features of an embedding
    N  patches
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config
from .log_mel import log_mel
from .patch_embed import PatchEmbed
from .vit_block import VitBlock


class FusedTransformer(nn.Module):
    """One adapter for each input, one stack of blocks over all tokens, one head for each output."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        dim = config.d_model
        spans = []  # tokens of each input
        if config.reads_text:
            spans.append(config.context_length)
        if config.reads_image:
            spans.append((config.image_size // config.patch_size) ** 2)
        if config.reads_audio:
            patch = config.audio_patch
            spans.append((config.n_mels // patch) * (config.n_frames // patch))
        self.class_token = nn.Parameter(torch.empty(1, 1, dim))
        self.pos_embed = nn.Parameter(torch.empty(1, 1 + sum(spans), dim))
        if config.several_inputs:
            self.modality_embed = nn.Parameter(torch.empty(len(spans), dim))
        if config.reads_text:
            self.embed = nn.Embedding(config.vocab_size, dim)
        if config.reads_image:
            self.patch_embed = PatchEmbed(config.channels, dim, config.patch_size)
        if config.reads_audio:
            self.audio_embed = nn.Conv2d(1, dim, config.audio_patch, config.audio_patch)
        self.blocks = nn.ModuleList(
            VitBlock(config, dim, config.n_heads, config.head_dim, config.d_ff)
            for _ in range(config.n_layers)
        )
        self.norm = nn.LayerNorm(dim, config.norm_eps)
        if config.gives_label:
            self.label_head = nn.Linear(dim, config.num_classes)
        if config.gives_value:
            self.value_head = nn.Linear(dim, 1)
        if config.gives_embedding:
            self.embedding_head = nn.Linear(dim, config.embedding_dim)

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
        elif name.endswith(("o_proj.weight", "down_proj.weight")):
            std = std / math.sqrt(2 * self.config.n_layers)
            nn.init.normal_(weight, std=std, generator=generator)
        else:
            nn.init.normal_(weight, std=std, generator=generator)

    def tokens(self, batch: dict[str, Tensor]) -> list[Tensor]:
        """The tokens of each input, (B, S or N, D), without their positions."""
        pieces = []
        if self.config.reads_text:
            pieces.append(self.embed(batch["tokens"]))  # (B, S) -> (B, S, D)
        if self.config.reads_image:
            pieces.append(self.patch_embed(batch["images"]))  # (B, C, Y, X) -> (B, N, D)
        if self.config.reads_audio:
            sound = log_mel(batch["waveform"], self.config)  # (B, I) -> (B, M, L)
            sound = sound.unsqueeze(1).to(self.audio_embed.weight.dtype)  # (B, 1, M, L)
            pieces.append(self.audio_embed(sound).flatten(2).transpose(1, 2))  # (B, N, D)
        return pieces

    def features(self, batch: dict[str, Tensor]) -> Tensor:
        """One vector for each sample, whatever its inputs, (B, D)."""
        pieces = self.tokens(batch)
        if self.config.several_inputs:
            pieces = [x + kind for x, kind in zip(pieces, self.modality_embed, strict=True)]
        first = self.class_token.expand(pieces[0].size(0), -1, -1)  # (B, 1, D)
        x = torch.cat([first, *pieces], dim=1) + self.pos_embed  # (B, T, D)
        for block in self.blocks:
            x = block(x)
        return self.norm(x[:, 0])  # (B, T, D) -> (B, D)

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Every output, by its name."""
        x = self.features(batch)
        outputs = {}
        if self.config.gives_label:
            outputs["label"] = self.label_head(x)  # (B, D) -> (B, V)
        if self.config.gives_value:
            outputs["value"] = self.value_head(x).squeeze(-1)  # (B, D) -> (B,)
        if self.config.gives_embedding:
            outputs["embedding"] = F.normalize(self.embedding_head(x), dim=-1)  # (B, D) -> (B, E)
        return outputs

    def losses(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The loss of each output, by what it is."""
        outputs = self(batch)
        losses = {}
        if self.config.gives_label:
            scores = outputs["label"].float()
            losses["cross-entropy of the label"] = F.cross_entropy(scores, batch["labels"])
        if self.config.gives_value:
            values = outputs["value"].float()
            losses["squared error of the value"] = F.mse_loss(values, batch["values"])
        if self.config.gives_embedding:
            vectors, groups = outputs["embedding"].float(), batch["groups"]
            own = torch.eye(len(groups), dtype=torch.bool, device=groups.device)  # (B, B)
            cosines = (vectors @ vectors.T).masked_fill(own, -1e4)
            partners = (groups[:, None] == groups) & ~own
            nats = -F.log_softmax(cosines / self.config.temperature, dim=1) * partners
            # Supervised contrast, Khosla et al. 2020, equation 2
            each = nats.sum(dim=1) / partners.sum(dim=1).clamp(min=1)  # (B, B) -> (B,)
            losses["contrast of the embedding"] = each.mean()
        return losses

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """The sum of `losses`."""
        return torch.stack(list(self.losses(batch).values())).sum()


def build_model(config: Config) -> FusedTransformer:
    """The model with weights drawn from `config.seed`; without weights on the meta device."""
    model = FusedTransformer(config)
    if not model.class_token.is_meta:
        model.init_weights(torch.Generator(model.class_token.device).manual_seed(config.seed))
    return model
