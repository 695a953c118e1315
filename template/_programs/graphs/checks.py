"""What the dimensions of a graph network must satisfy."""

from .refusals import require


def check_model(config) -> None:
    """Raise `ValueError` for dimensions that do not fit together, naming their flags."""
    if config.block == "gat" and not config.residual:
        require(
            config.d_model == config.n_heads * config.head_dim,
            "--d-model must be --n-heads times --head-dim",
        )
    require(config.num_nodes >= 2, "--num-nodes must be at least 2")
