"""A transformer that reads several inputs as one sequence.

Shapes are written in letters:

    B  samples in the batch          T  positions of the sequence
    S  tokens of a text              D  features of the residual stream
    C  channels of a picture         F  hidden features of the MLP
    Y  rows, X  columns              H  attention heads
    I  samples of a sound            K  features of a head
    M  mel bands                     V  classes
    L  frames of a spectrogram       W  features of an embedding
    N  patches
"""

import torch
from torch import Tensor, nn

from .config import Config
from .log_mel import log_mel
from .output_heads import OutputHeads
from .patch_embed import PatchEmbed
from .residual_init import fill_weight
from .vit_block import VitBlock


class FusedTransformer(OutputHeads):
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
        self.add_heads(config)

    def init_weights(self, generator: torch.Generator) -> None:
        """Draw every weight afresh."""
        for name, parameter in self.named_parameters():
            self.init_weight(name, parameter, generator)

    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight called `name`."""
        fill_weight(name, weight, self.config, generator)

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


def build_model(config: Config) -> FusedTransformer:
    """The model with weights drawn from `config.seed`; without weights on the meta device."""
    model = FusedTransformer(config)
    if not model.class_token.is_meta:
        model.init_weights(torch.Generator(model.class_token.device).manual_seed(config.seed))
    return model
