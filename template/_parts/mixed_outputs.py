"""From answered queries to every output, and the loss of each.

Shapes are written in letters:

    B  samples in the batch          D  features of a token
    Q  queries, of which an output   V  classes
       has one or many               R  numbers of a value, row, state or action
    C  channels, Y rows, X columns   Z  frames of a clip
    M  mel bands                     L  frames of a spectrogram
    W  steps of a series             K  boxes
    P  points of a cloud             N  nodes of a graph, of A features each
    E  edges of a graph; features of an embedding
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config
from .contrast import contrast
from .mixed_spectra import spectrogram


def queries(config: Config) -> dict[str, int]:
    """How many tokens ask for each output."""
    counts = {}
    if config.gives_label:
        counts["label"] = 1
    if config.gives_action:
        counts["action"] = 1
    if config.gives_value:
        counts["value"] = 1
    if config.gives_tabular:
        counts["tabular"] = 1
    if config.gives_state:
        counts["state"] = 1
    if config.gives_embedding:
        counts["embedding"] = 1
    if config.gives_time_series:
        counts["time_series"] = -(-config.horizon // config.series_patch)
    if config.gives_bounding_boxes:
        counts["bounding_boxes"] = config.max_objects
    if config.gives_3d:
        counts["3d"] = -(-config.num_points // config.point_group)
    if config.gives_graph:
        counts["graph"] = config.num_nodes
    if config.gives_image:
        counts["image"] = (-(-config.image_size // config.patch_size)) ** 2
    if config.gives_segmentation_mask:
        counts["segmentation_mask"] = (-(-config.image_size // config.patch_size)) ** 2
    if config.gives_audio:
        counts["audio"] = -(-config.n_frames // config.audio_patch)
    if config.gives_video:
        patches = (-(-config.image_size // config.patch_size)) ** 2
        counts["video"] = -(-config.frames // config.tubelet) * patches
    return counts


class Outputs(nn.Module):
    """Learned queries, and a head for what each of them is answered (Jaegle et al. 2022)."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.counts = queries(config)
        dim = config.d_model
        self.queries = nn.Parameter(torch.empty(sum(self.counts.values()), dim))
        if config.gives_label:
            self.label = nn.Linear(dim, config.num_classes)
        if config.gives_action:
            if config.actions == "discrete":
                self.action = nn.Linear(dim, config.num_actions)
            else:
                self.action = nn.Linear(dim, config.action_dim)
        if config.gives_value:
            self.value = nn.Linear(dim, config.num_targets)
        if config.gives_tabular:
            self.tabular = nn.Linear(dim, config.num_features)
        if config.gives_state:
            self.state = nn.Linear(dim, config.state_dim)
        if config.gives_embedding:
            self.embedding = nn.Linear(dim, config.embedding_dim)
        if config.gives_time_series:
            self.time_series = nn.Linear(dim, config.series_patch * config.num_variables)
        if config.gives_bounding_boxes:
            self.boxes = nn.Linear(dim, 5)
        if config.gives_3d:
            self.points = nn.Linear(dim, 3 * config.point_group)
        if config.gives_graph:
            self.nodes = nn.Linear(dim, config.node_features + 1)
            self.edges = nn.Linear(dim, dim)
        if config.gives_image:
            self.image = nn.Linear(dim, config.channels * config.patch_size**2)
        if config.gives_segmentation_mask:
            self.mask = nn.Linear(dim, config.mask_dim * config.patch_size**2)
            self.mask_classes = nn.Conv2d(config.mask_dim, config.num_classes, 1)
        if config.gives_audio:
            self.audio = nn.Linear(dim, config.n_mels * config.audio_patch)
        if config.gives_video:
            size = config.tubelet * config.channels * config.patch_size**2
            self.video = nn.Linear(dim, size)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """Every output by its name, from answered queries, (B, Q, D)."""
        answers = dict(zip(self.counts, x.split(list(self.counts.values()), dim=1), strict=True))
        found = {}
        if self.config.gives_label:
            found["label"] = self.label(answers["label"]).squeeze(1)  # (B, 1, D) -> (B, V)
        if self.config.gives_action:
            found["action"] = self.action(answers["action"]).squeeze(1)  # (B, V or R)
        if self.config.gives_value:
            found["value"] = self.value(answers["value"]).squeeze(1)  # (B, R)
        if self.config.gives_tabular:
            found["tabular"] = self.tabular(answers["tabular"]).squeeze(1)  # (B, R)
        if self.config.gives_state:
            found["state"] = self.state(answers["state"]).squeeze(1)  # (B, R)
        if self.config.gives_embedding:
            vectors = self.embedding(answers["embedding"]).squeeze(1)  # (B, 1, D) -> (B, E)
            found["embedding"] = F.normalize(vectors, dim=-1)
        if self.config.gives_time_series:
            steps = self.time_series(answers["time_series"])  # (B, Q, D) -> (B, Q, p * V)
            steps = steps.unflatten(-1, (self.config.series_patch, -1)).flatten(1, 2)
            found["time_series"] = steps[:, : self.config.horizon]  # (B, W, V)
        if self.config.gives_bounding_boxes:
            found["bounding_boxes"] = self.boxes(answers["bounding_boxes"])  # (B, K, 5)
        if self.config.gives_3d:
            points = self.points(answers["3d"]).unflatten(-1, (-1, 3)).flatten(1, 2)
            found["3d"] = points[:, : self.config.num_points]  # (B, P, 3)
        if self.config.gives_graph:
            nodes = answers["graph"]
            found["nodes"] = self.nodes(nodes)  # (B, N, D) -> (B, N, A + 1)
            scores = self.edges(nodes) @ nodes.transpose(1, 2)  # (B, N, N)
            found["edges"] = scores / math.sqrt(nodes.size(-1))
        if self.config.gives_image:
            patches = self.image(answers["image"]).unflatten(-1, (self.config.channels, -1))
            found["image"] = assembled(patches, self.config)  # (B, C, Y, X)
        if self.config.gives_segmentation_mask:
            patches = self.mask(answers["segmentation_mask"])
            pixels = assembled(patches.unflatten(-1, (self.config.mask_dim, -1)), self.config)
            found["segmentation_mask"] = self.mask_classes(pixels)  # (B, V, Y, X)
        if self.config.gives_audio:
            frames = self.audio(answers["audio"]).unflatten(-1, (self.config.n_mels, -1))
            bands = frames.transpose(1, 2).flatten(2)  # (B, Q, M, p) -> (B, M, Q * p)
            found["audio"] = bands[..., : self.config.n_frames]  # (B, M, L)
        if self.config.gives_video:
            each = (self.config.tubelet, self.config.channels, -1)
            tubes = self.video(answers["video"]).unflatten(-1, each)  # (B, Q, t, C, p * p)
            patches = (-(-self.config.image_size // self.config.patch_size)) ** 2
            tubes = tubes.unflatten(1, (-1, patches)).transpose(2, 3)  # (B, Z / t, t, N, C, p * p)
            clips = assembled(tubes.flatten(1, 2).flatten(0, 1), self.config)
            clips = clips.unflatten(0, (x.size(0), -1))  # (B, Z, C, Y, X)
            found["video"] = clips[:, : self.config.frames]
        return found

    def losses(self, found: dict[str, Tensor], batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The loss of each output, by what it is; targets are `batch["target_..."]`."""
        losses = {}
        if self.config.gives_label:
            losses["cross-entropy of the label"] = F.cross_entropy(
                found["label"].float(), batch["target_label"]
            )
        if self.config.gives_action:
            if self.config.actions == "discrete":
                losses["cross-entropy of the action"] = F.cross_entropy(
                    found["action"].float(), batch["target_action"]
                )
            else:
                losses["squared error of the action"] = squared(found, batch, "action")
        if self.config.gives_value:
            losses["squared error of the value"] = squared(found, batch, "value")
        if self.config.gives_tabular:
            losses["squared error of the row"] = squared(found, batch, "tabular")
        if self.config.gives_state:
            losses["squared error of the state"] = squared(found, batch, "state")
        if self.config.gives_embedding:
            losses["contrast of the embedding"] = contrast(
                found["embedding"].float(), batch["target_embedding"], self.config.temperature
            )
        if self.config.gives_time_series:
            losses["squared error of the series"] = squared(found, batch, "time_series")
        if self.config.gives_bounding_boxes:
            losses["error of the boxes"] = box_loss(
                found["bounding_boxes"].float(), batch["target_boxes"], batch["target_box_present"]
            )
        if self.config.gives_3d:
            each = chamfer(found["3d"].float(), batch["target_points"])  # (B,)
            losses["Chamfer distance of the points"] = each.mean()
        if self.config.gives_graph:
            losses["error of nodes and edges"] = graph_loss(
                found["nodes"].float(),
                found["edges"].float(),
                batch["target_nodes"],
                batch["target_present"],
                batch["target_edges"],
            )
        if self.config.gives_image:
            losses["squared error of the picture"] = squared(found, batch, "image")
        if self.config.gives_segmentation_mask:
            losses["cross-entropy of the mask"] = F.cross_entropy(
                found["segmentation_mask"].float(), batch["target_mask"]
            )
        if self.config.gives_audio:
            right = spectrogram(batch["target_audio"], self.config)  # (B, I) -> (B, M, L)
            losses["squared error of the spectrogram"] = F.mse_loss(found["audio"].float(), right)
        if self.config.gives_video:
            losses["squared error of the clip"] = squared(found, batch, "video")
        return losses


def assembled(patches: Tensor, config: Config) -> Tensor:
    """Patches in rows as a picture, (B, Q, C, p * p) -> (B, C, Y, X)."""
    rows = -(-config.image_size // config.patch_size)
    tiles = patches.unflatten(-1, (config.patch_size, -1)).unflatten(1, (rows, rows))
    whole = tiles.permute(0, 3, 1, 4, 2, 5).flatten(4, 5).flatten(2, 3)  # (B, C, Y, X)
    return whole[..., : config.image_size, : config.image_size]


def squared(found: dict[str, Tensor], batch: dict[str, Tensor], name: str) -> Tensor:
    """The mean squared error of an output."""
    return F.mse_loss(found[name].float(), batch[f"target_{name}"])


def box_loss(found: Tensor, boxes: Tensor, present: Tensor) -> Tensor:
    """Squared error of boxes that are there, (B, K, 4), and cross-entropy of whether they are."""
    there = F.binary_cross_entropy_with_logits(found[..., 4], present.float())
    errors = (found[..., :4] - boxes).square().mean(dim=-1) * present  # (B, K)
    return there + (errors.sum(dim=1) / present.sum(dim=1).clamp(min=1)).mean()


def chamfer(found: Tensor, right: Tensor) -> Tensor:
    """Squared distance from each point to the nearest of the other cloud, both ways, (B,)."""
    distances = torch.cdist(found, right, compute_mode="donot_use_mm_for_euclid_dist").square()
    return distances.amin(dim=2).mean(dim=1) + distances.amin(dim=1).mean(dim=1)


def graph_loss(nodes: Tensor, edges: Tensor, right: Tensor, present: Tensor, pairs: Tensor):
    """Squared error of nodes that are there; cross-entropy of whether nodes and edges are."""
    there = F.binary_cross_entropy_with_logits(nodes[..., -1], present.float())
    errors = (nodes[..., :-1] - right).square().mean(dim=-1) * present  # (B, N)
    values = (errors.sum(dim=1) / present.sum(dim=1).clamp(min=1)).mean()
    both = present[:, :, None] & present[:, None]  # (B, N, N)
    nats = F.binary_cross_entropy_with_logits(edges, adjacency(pairs, edges), reduction="none")
    linked = ((nats * both).sum(dim=(1, 2)) / both.sum(dim=(1, 2)).clamp(min=1)).mean()
    return there + values + linked


def adjacency(pairs: Tensor, like: Tensor) -> Tensor:
    """Edges filled with -1, (B, E, 2), as a table of zeros and ones like `like`, (B, N, N)."""
    count = like.size(1)
    cells = pairs[..., 0] * count + pairs[..., 1]  # (B, E)
    cells = cells.masked_fill(pairs[..., 0] < 0, count * count)  # one more cell takes the rest
    table = like.new_zeros(like.size(0), count * count + 1).scatter(1, cells, 1.0)
    return table[:, :-1].unflatten(1, (count, count))
