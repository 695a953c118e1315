"""A detection transformer (Carion et al. 2020): objects as a set, from queries to a picture.

Shapes are written in letters:

    B  pictures in the batch         C  channels of a picture
    Y  rows of a feature map         N  its positions, Y * X
    X  its columns                   Q  queries, each of which finds one object or none
    D  features of a position        M  objects of a picture, padded to the most in the batch
    H  attention heads               K  features of a head
    V  classes, without "no object"  F  hidden features of the MLP
"""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .backbone import Backbone
from .boxes import generalised_iou
from .config import Config
from .mask_head import MaskHead, mask_losses
from .matching import assign
from .mlp import MLP

CLASS_COST, L1_COST, GIOU_COST = 1.0, 5.0, 2.0  # weights of the matching and of the losses


class Detr(nn.Module):
    """Backbone, encoder over its positions, decoder over queries, and heads for each query."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        dim = config.d_model
        self.backbone = Backbone(config)
        self.input_proj = nn.Conv2d(config.hidden_sizes[-1], dim, 1)
        self.query_embed = nn.Embedding(config.num_queries, dim)
        self.encoder = nn.ModuleList(EncoderLayer(config) for _ in range(config.encoder_layers))
        self.decoder = nn.ModuleList(DecoderLayer(config) for _ in range(config.decoder_layers))
        self.norm = nn.LayerNorm(dim, config.norm_eps)
        self.class_head = nn.Linear(dim, config.num_classes + 1)  # the last says "no object"
        self.box_head = nn.ModuleList(nn.Linear(dim, out) for out in (dim, dim, 4))
        if config.masks:
            self.mask_head = MaskHead(config)

    @property
    def blocks(self) -> list[nn.Module]:
        """The layers of encoder and decoder."""
        return [*self.encoder, *self.decoder]

    def init_weights(self, generator: torch.Generator) -> None:
        """Draw every weight afresh."""
        for name, parameter in self.named_parameters():
            self.init_weight(name, parameter, generator)

    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight or buffer called `name`.

        Convolutions keep the variance of what they read (He et al. 2015), the last ones of
        residual layers a share of it, since frozen norms do not restore it; the rest is Glorot's.
        """
        if name.endswith(("bias", "running_mean")):
            nn.init.zeros_(weight)
        elif weight.dim() == 1:
            nn.init.ones_(weight)
        elif weight.dim() == 4:
            std = math.sqrt(2 / weight[0].numel())
            if name.endswith("conv3.weight"):
                std = std / math.sqrt(sum(self.config.depths))
            nn.init.normal_(weight, std=std, generator=generator)
        elif name == "query_embed.weight":
            nn.init.normal_(weight, generator=generator)
        else:
            nn.init.xavier_uniform_(weight, generator=generator)

    def decode(self, images: Tensor) -> tuple[list[Tensor], list[Tensor]]:
        """What the queries hold after each decoder layer, (B, Q, D), and all feature maps."""
        features = self.backbone(images)
        x = self.input_proj(features[-1])  # (B, ., Y, X) -> (B, D, Y, X)
        size = x.shape[-2:]
        places = sine_positions(size, x.size(1), x.device).to(x.dtype)  # (N, D)
        memory = x.flatten(2).transpose(1, 2)  # (B, N, D)
        for layer in self.encoder:
            memory = layer(memory, places)
        queries = self.query_embed.weight  # (Q, D)
        x = torch.zeros_like(queries).expand(len(images), -1, -1)  # (B, Q, D)
        found = []
        for layer in self.decoder:
            x = layer(x, queries, memory, places)
            found.append(self.norm(x))
        encoded = memory.transpose(1, 2).unflatten(2, size)  # (B, D, Y, X)
        return found, [*features[:-1], encoded]

    def boxes(self, found: Tensor) -> Tensor:
        """Boxes of what the queries hold, (B, Q, D) -> (B, Q, 4)."""
        for linear in self.box_head[:-1]:
            found = F.relu(linear(found))
        return self.box_head[-1](found).float().sigmoid()

    def forward(self, images: Tensor) -> dict[str, Tensor]:
        """Class scores (B, Q, V + 1) and boxes (B, Q, 4) of pictures (B, C, side, side)."""
        found, features = self.decode(images)
        answer = {"logits": self.class_head(found[-1]), "boxes": self.boxes(found[-1])}
        if self.config.masks:
            answer["masks"] = self.mask_head(found[-1], features)  # (B, Q, Y, X), at a quarter
        return answer

    def loss(self, batch: dict[str, Tensor]) -> Tensor:
        """Set loss after every decoder layer, in nats and shares of the side.

        `batch` has "images" (B, C, side, side), "labels" (B, M), -1 beyond the last object, and
        "boxes" (B, M, 4); models with masks read "masks" (B, M, side, side).
        """
        found, features = self.decode(batch["images"])
        total = batch["images"].new_zeros(())
        for hidden in found:
            logits, boxes = self.class_head(hidden).float(), self.boxes(hidden)
            pairs = rows, queries, objects = match(logits, boxes, batch)
            total = total + set_loss(logits, boxes, batch, pairs, self.config.no_object_weight)
        if self.config.masks:
            masks = self.mask_head(hidden, features)[rows, queries]  # (n, Y, X)
            total = total + mask_losses(masks, batch["masks"][rows, objects])
        return total / len(found)


class EncoderLayer(nn.Module):
    """Attention among positions and an MLP, each normalised after it was added."""

    def __init__(self, config: Config):
        super().__init__()
        self.attn = Attention(config)
        self.attn_norm = nn.LayerNorm(config.d_model, config.norm_eps)
        self.mlp = MLP(config)
        self.mlp_norm = nn.LayerNorm(config.d_model, config.norm_eps)

    def forward(self, x: Tensor, places: Tensor) -> Tensor:
        placed = x + places  # (B, N, D)
        x = self.attn_norm(x + self.attn(placed, placed, x))
        return self.mlp_norm(x + self.mlp(x))


class DecoderLayer(nn.Module):
    """Attention among queries, from queries to positions, and an MLP."""

    def __init__(self, config: Config):
        super().__init__()
        self.self_attn = Attention(config)
        self.self_norm = nn.LayerNorm(config.d_model, config.norm_eps)
        self.cross_attn = Attention(config)
        self.cross_norm = nn.LayerNorm(config.d_model, config.norm_eps)
        self.mlp = MLP(config)
        self.mlp_norm = nn.LayerNorm(config.d_model, config.norm_eps)

    def forward(self, x: Tensor, queries: Tensor, memory: Tensor, places: Tensor) -> Tensor:
        asked = x + queries  # (B, Q, D)
        x = self.self_norm(x + self.self_attn(asked, asked, x))
        x = self.cross_norm(x + self.cross_attn(x + queries, memory + places, memory))
        return self.mlp_norm(x + self.mlp(x))


class Attention(nn.Module):
    """Multi-head attention whose queries and keys carry positions that its values do not."""

    def __init__(self, config: Config):
        super().__init__()
        self.n_heads, dim = config.n_heads, config.d_model
        self.q_proj = nn.Linear(dim, dim)
        self.k_proj = nn.Linear(dim, dim)
        self.v_proj = nn.Linear(dim, dim)
        self.o_proj = nn.Linear(dim, dim)

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        q, k, v = self.q_proj(q), self.k_proj(k), self.v_proj(v)  # (B, Q, D), (B, N, D) twice
        q, k, v = (t.unflatten(-1, (self.n_heads, -1)).transpose(1, 2) for t in (q, k, v))
        y = F.scaled_dot_product_attention(q, k, v)  # (B, H, Q, K) and (B, H, N, K) twice
        return self.o_proj(y.transpose(1, 2).flatten(2))  # (B, H, Q, K) -> (B, Q, D)


def sine_positions(size: torch.Size, dim: int, device: torch.device) -> Tensor:
    """Sines and cosines of row and column, half of the features each, (Y * X, dim)."""
    features = torch.arange(dim // 2, device=device)
    wavelengths = 10_000 ** (2 * (features // 2) / (dim // 2))  # (D / 2,)
    coded = []
    for count in size:
        steps = torch.arange(1, count + 1, device=device) / (count + 1e-6) * 2 * math.pi
        angles = steps[:, None] / wavelengths  # (count, D / 2)
        coded.append(torch.where(features % 2 == 0, angles.sin(), angles.cos()))
    rows, columns = coded[0][:, None].expand(*size, -1), coded[1].expand(*size, -1)
    return torch.cat((rows, columns), dim=-1).flatten(0, 1)  # (Y, X, D) -> (N, D)


@torch.no_grad()
def match(logits: Tensor, boxes: Tensor, batch: dict[str, Tensor]) -> tuple[Tensor, Tensor, Tensor]:
    """The cheapest pairing of queries and objects: picture, query and object of each pair."""
    labels = batch["labels"]
    classes = logits.softmax(dim=-1).gather(
        2, labels.clamp(min=0)[:, None].expand(-1, logits.size(1), -1)
    )  # (B, Q, M)
    distance = torch.cdist(boxes, batch["boxes"], p=1)
    overlap = generalised_iou(boxes[:, :, None], batch["boxes"][:, None])
    costs = (L1_COST * distance - CLASS_COST * classes - GIOU_COST * overlap).cpu().double().numpy()
    pairs = []
    for row, count in enumerate((labels >= 0).sum(dim=1).tolist()):
        queries, objects = assign(costs[row, :, :count])
        pairs += [(row, q, o) for q, o in zip(queries.tolist(), objects.tolist(), strict=True)]
    return tuple(
        torch.tensor(pairs, dtype=torch.long, device=labels.device).view(-1, 3).unbind(dim=1)
    )


def set_loss(
    logits: Tensor,
    boxes: Tensor,
    batch: dict[str, Tensor],
    pairs: tuple[Tensor, Tensor, Tensor],
    no_object_weight: float,
) -> Tensor:
    """Cross-entropy of all queries, L1 and generalised IoU of those that are paired."""
    rows, queries, objects = pairs
    nothing = logits.size(-1) - 1
    targets = torch.full(logits.shape[:2], nothing, device=logits.device)  # (B, Q)
    targets[rows, queries] = batch["labels"][rows, objects]
    weights = logits.new_ones(nothing + 1)
    weights[nothing] = no_object_weight
    loss = F.cross_entropy(logits.transpose(1, 2), targets, weights)
    ours, theirs = boxes[rows, queries], batch["boxes"][rows, objects]  # (n, 4)
    count = max(1, len(rows))
    loss = loss + L1_COST * (ours - theirs).abs().sum() / count
    return loss + GIOU_COST * (1 - generalised_iou(ours, theirs)).sum() / count


def build_model(config: Config) -> Detr:
    """The model with weights drawn from `config.seed`; without weights on the meta device."""
    model = Detr(config)
    weight = model.query_embed.weight
    if not weight.is_meta:
        model.init_weights(torch.Generator(weight.device).manual_seed(config.seed))
    return model
