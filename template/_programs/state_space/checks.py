"""What the dimensions of a state-space model must satisfy."""

from .refusals import require


def check_model(config) -> None:
    """Raise `ValueError` for dimensions that do not fit together, naming their flags."""
    if config.ssm == "mamba2":
        require(config.d_inner % config.n_heads == 0, "--d-inner must be a multiple of --n-heads")
        require(config.n_heads % config.n_groups == 0, "--n-heads must be a multiple of --n-groups")
    require(config.d_conv > 1, "--d-conv must be at least 2")
    require(
        config.train_length <= config.context_length, "--train-length is above --context-length"
    )
