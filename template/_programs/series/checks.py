"""What the dimensions of a model of series must satisfy."""

from .refusals import require


def check_model(config) -> None:
    """Raise `ValueError` for dimensions that do not fit together, naming their flags."""
    require(config.patch_length <= config.lookback, "--patch-length is above --lookback")
    if config.masked:
        require(
            config.patch_stride == config.patch_length,
            "--patch-stride must be --patch-length: patches that are hidden do not overlap",
        )
        require(0 < config.hidden_share < 1, "--hidden-share must lie between 0 and 1")
        require(0 < config.false_alarms < 1, "--false-alarms must lie between 0 and 1")
    if config.backbone == "state_space":
        if config.ssm == "mamba2":
            require(config.d_inner % config.n_heads == 0, "--d-inner must divide by --n-heads")
            require(config.n_heads % config.n_groups == 0, "--n-heads must divide by --n-groups")
