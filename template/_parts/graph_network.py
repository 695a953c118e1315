"""The layers that all networks over graphs share."""

import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .config import Config
from .graph_conv import GatConv, GcnConv, GinConv, SageConv


class NodeMLP(nn.Module):
    """Feed-forward network for each node."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        self.up_proj = nn.Linear(config.d_model, config.d_ff)
        self.down_proj = nn.Linear(config.d_ff, config.d_model)

    def forward(self, x: Tensor) -> Tensor:
        hidden = self.up_proj(x)  # (N, D) -> (N, F)
        if self.config.activation == "relu":
            hidden = F.relu(hidden)
        else:
            hidden = F.gelu(hidden)
        return self.down_proj(hidden)  # (N, F) -> (N, D)


class GraphBlock(nn.Module):
    """Message passing, and an MLP for each node, normalised first and added to the stream."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        dim = config.d_model
        self.conv_norm = nn.LayerNorm(dim, config.norm_eps)
        if config.block == "gat":
            self.conv = GatConv(dim, config.n_heads, config.head_dim)
            self.o_proj = nn.Linear(config.n_heads * config.head_dim, dim)
        elif config.block == "gcn":
            self.conv = GcnConv(dim, dim)
        elif config.block == "sage":
            self.conv = SageConv(dim, dim)
        else:
            self.conv = GinConv(dim, config.d_ff, dim)
        if config.block != "gin":  # whose messages end in a perceptron of their own
            self.mlp_norm = nn.LayerNorm(dim, config.norm_eps)
            self.mlp = NodeMLP(config)

    def forward(self, x: Tensor, *graph: Tensor) -> Tensor:
        heard = self.conv(self.conv_norm(x), *graph)  # (N, D)
        if self.config.block == "gat":
            heard = self.o_proj(heard)  # (N, H * K) -> (N, D)
        if self.config.block == "gin":
            return x + heard
        else:
            x = x + heard
            return x + self.mlp(self.mlp_norm(x))


class GraphNetwork(nn.Module):
    """Vectors of nodes, from their features and those of the nodes around them."""

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        if config.residual:
            self.in_proj = nn.Linear(config.node_features, config.d_model)
            self.blocks = nn.ModuleList(GraphBlock(config) for _ in range(config.n_layers))
            self.norm = nn.LayerNorm(config.d_model, config.norm_eps)
            if config.judges == "nodes":
                self.head = nn.Linear(config.d_model, config.num_classes)
            if config.judges == "links":
                self.head = nn.Linear(config.d_model, config.embedding_dim)
        else:
            ins = [config.node_features] + [config.d_model] * (config.n_layers - 1)
            if config.judges == "nodes":
                last = config.num_classes
            elif config.judges == "links":
                last = config.embedding_dim
            else:
                last = config.d_model
            if config.block == "gat":
                self.blocks = nn.ModuleList(
                    GatConv(width, config.n_heads, config.head_dim) for width in ins[:-1]
                )
                self.blocks.append(GatConv(ins[-1], config.out_heads, last, concat=False))
            elif config.block == "gcn":
                self.blocks = nn.ModuleList(map(GcnConv, ins, [*ins[1:], last]))
            elif config.block == "sage":
                self.blocks = nn.ModuleList(map(SageConv, ins, [*ins[1:], last]))
            else:
                outs = [*ins[1:], last]
                self.blocks = nn.ModuleList(map(GinConv, ins, outs, outs))

    def init_weights(self, generator: torch.Generator) -> None:
        """Draw every weight afresh."""
        for name, parameter in self.named_parameters():
            self.init_weight(name, parameter, generator)

    def init_weight(self, name: str, weight: Tensor, generator: torch.Generator) -> None:
        """Fill the weight called `name` (Glorot and Bengio 2010, eq. 16), as published ones are."""
        if name.endswith(("bias", "eps")):
            nn.init.zeros_(weight)
        elif "norm" in name:
            nn.init.ones_(weight)
        else:
            bound = math.sqrt(6 / sum(weight.shape))
            if self.config.residual and name.endswith(("o_proj.weight", "down_proj.weight")):
                # The stream keeps its variance (Radford et al. 2019, section 2.3)
                bound = bound / math.sqrt(2 * self.config.n_layers)
            nn.init.uniform_(weight, -bound, bound, generator=generator)

    def encode(self, batch: dict[str, Tensor]) -> Tensor:
        """A vector for every node of `batch["nodes"]`, (N, A) -> (N, D).

        `batch["edges"]`, (2, E), lead from sources to targets; none of them joins two graphs.
        """
        x = batch["nodes"]
        if self.config.block in ("gcn", "gin"):
            graph = batch["edges"], batch["degree"]  # (2, E) and (N,)
        else:
            graph = (batch["edges"],)  # (2, E)
        if self.config.residual:
            x = self.in_proj(x)  # (N, A) -> (N, D)
            for block in self.blocks:
                x = block(x, *graph)
            return self.norm(x)
        else:
            for block in self.blocks[:-1]:
                if self.config.block == "gat":
                    x = F.elu(block(x, *graph))
                else:
                    x = F.relu(block(x, *graph))
            return self.blocks[-1](x, *graph)
