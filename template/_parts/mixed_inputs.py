"""From every input to tokens of one width.

Shapes are written in letters:

    B  samples in the batch          D  features of a token
    S  tokens of a text              N  tokens of an input
    C  channels, Y rows, X columns   Z  frames of a clip
    I  samples of a sound            M  mel bands, L frames of a spectrogram
    W  steps of a series             V  variables of a series
    J  numbers of a table or state   P  points of a cloud
    A  features of a node            E  edges of a graph

What has an order gets learned positions; points and nodes have none.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config
from .graph_conv import SageConv
from .mixed_sound import SoundPatches

MOST_NUMBER_TOKENS = 128  # longer rows of numbers share tokens


class TextTokens(nn.Module):
    """A vector for every token of a text."""

    def __init__(self, config: Config):
        super().__init__()
        self.pos_embed = nn.Parameter(torch.empty(config.context_length, config.d_model))
        self.embed = nn.Embedding(config.vocab_size, config.d_model)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.embed(tokens) + self.pos_embed  # (B, S) -> (B, S, D)


class ImagePatches(nn.Module):
    """Square patches of a picture; rests at its edges are cut."""

    def __init__(self, config: Config):
        super().__init__()
        dim, patch = config.d_model, config.patch_size
        self.pos_embed = nn.Parameter(torch.empty((config.image_size // patch) ** 2, dim))
        self.proj = nn.Conv2d(config.channels, dim, patch, stride=patch)

    def forward(self, images: Tensor) -> Tensor:
        x = self.proj(images.to(self.proj.weight.dtype))  # (B, C, Y, X) -> (B, D, Y / p, X / p)
        return x.flatten(2).transpose(1, 2) + self.pos_embed  # (B, N, D)


class VideoTubelets(nn.Module):
    """Patches of a clip that last some frames (Arnab et al. 2021, section 3.2)."""

    def __init__(self, config: Config):
        super().__init__()
        dim, patch = config.d_model, config.patch_size
        size = (config.tubelet, patch, patch)
        tubelets = config.frames // config.tubelet * (config.image_size // patch) ** 2
        self.pos_embed = nn.Parameter(torch.empty(tubelets, dim))
        self.proj = nn.Conv3d(config.channels, dim, size, stride=size)

    def forward(self, video: Tensor) -> Tensor:
        clips = video.transpose(1, 2).to(self.proj.weight.dtype)  # (B, C, Z, Y, X)
        x = self.proj(clips).flatten(2).transpose(1, 2)  # (B, N, D)
        return x + self.pos_embed


class SeriesPatches(nn.Module):
    """Stretches of a series, all variables of some steps together; the oldest rest is cut."""

    def __init__(self, config: Config):
        super().__init__()
        self.patch = config.series_patch
        self.steps = config.lookback // self.patch * self.patch
        self.pos_embed = nn.Parameter(torch.empty(config.lookback // self.patch, config.d_model))
        self.proj = nn.Linear(self.patch * config.num_variables, config.d_model)

    def forward(self, series: Tensor) -> Tensor:
        patches = series[:, -self.steps :].unflatten(1, (-1, self.patch)).flatten(2)
        return self.proj(patches) + self.pos_embed  # (B, N, p * V) -> (B, N, D)


class NumberTokens(nn.Module):
    """A direction for each number of a row (Gorishniy et al. 2021, section 3.3)."""

    def __init__(self, numbers: int, dim: int):
        super().__init__()
        self.each = -(-numbers // MOST_NUMBER_TOKENS)  # numbers that share a token
        self.tokens = -(-numbers // self.each)
        self.weight = nn.Parameter(torch.empty(self.tokens, self.each, dim))
        self.pos_embed = nn.Parameter(torch.empty(self.tokens, dim))

    def forward(self, numbers: Tensor) -> Tensor:
        rest = self.tokens * self.each - numbers.size(1)
        groups = F.pad(numbers, (0, rest)).unflatten(1, (-1, self.each))  # (B, J) -> (B, N, j)
        x = groups.to(self.weight.dtype).transpose(0, 1) @ self.weight  # (N, B, D)
        return x.transpose(0, 1) + self.pos_embed  # (B, N, D)


class PointTokens(nn.Module):
    """A token for every point of a cloud."""

    def __init__(self, config: Config):
        super().__init__()
        self.up_proj = nn.Linear(3, config.d_model)
        self.down_proj = nn.Linear(config.d_model, config.d_model)

    def forward(self, points: Tensor) -> Tensor:
        return self.down_proj(F.gelu(self.up_proj(points)))  # (B, P, 3) -> (B, P, D)


class NodeTokens(nn.Module):
    """A token for every node of a graph, after it heard twice from the nodes around it."""

    def __init__(self, config: Config):
        super().__init__()
        self.proj = nn.Linear(config.node_features, config.d_model)
        self.convs = nn.ModuleList(SageConv(config.d_model, config.d_model) for _ in range(2))

    def forward(self, nodes: Tensor, present: Tensor, edges: Tensor) -> Tensor:
        """Tokens of nodes, (B, N, A); edges, (B, E, 2), are filled with -1, nodes with absent ones.

        Edges that only fill lead from one more node, which nothing hears, to itself.
        """
        batch, count = present.shape
        x = self.proj(nodes).flatten(0, 1)  # (B, N, A) -> (B * N, D)
        x = torch.cat((x, torch.zeros_like(x[:1])))
        first = torch.arange(batch, device=x.device)[:, None, None] * count
        numbers = (edges + first).masked_fill(edges < 0, batch * count)
        numbers = numbers.flatten(0, 1).T  # (B, E, 2) -> (2, B * E)
        for conv in self.convs:
            x = x + F.gelu(conv(x, numbers))
        return x[:-1].unflatten(0, (batch, count)) * present.unsqueeze(-1).type_as(x)  # (B, N, D)


class Inputs(nn.Module):
    """One adapter for each input; their tokens in a row."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        if config.reads_text:
            self.text = TextTokens(config)
        if config.reads_image:
            self.image = ImagePatches(config)
        if config.reads_audio:
            self.audio = SoundPatches(config)
        if config.reads_video:
            self.video = VideoTubelets(config)
        if config.reads_time_series:
            self.time_series = SeriesPatches(config)
        if config.reads_tabular:
            self.tabular = NumberTokens(config.num_features, config.d_model)
        if config.reads_state:
            self.state = NumberTokens(config.state_dim, config.d_model)
        if config.reads_3d:
            self.points = PointTokens(config)
        if config.reads_graph:
            self.graph = NodeTokens(config)

    def forward(self, batch: dict[str, Tensor]) -> Tensor:
        """Tokens of everything that is read, (B, N, D)."""
        pieces = []
        if self.config.reads_text:
            pieces.append(self.text(batch["tokens"]))
        if self.config.reads_image:
            pieces.append(self.image(batch["image"]))
        if self.config.reads_audio:
            pieces.append(self.audio(batch["audio"]))
        if self.config.reads_video:
            pieces.append(self.video(batch["video"]))
        if self.config.reads_time_series:
            pieces.append(self.time_series(batch["time_series"]))
        if self.config.reads_tabular:
            pieces.append(self.tabular(batch["tabular"]))
        if self.config.reads_state:
            pieces.append(self.state(batch["state"]))
        if self.config.reads_3d:
            pieces.append(self.points(batch["points"]))
        if self.config.reads_graph:
            pieces.append(self.graph(batch["nodes"], batch["present"], batch["edges"]))
        return torch.cat(pieces, dim=1)
