"""What the dimensions of a generator of sound must satisfy."""

from .refusals import require


def check_model(config) -> None:
    """Raise `ValueError` for dimensions that do not fit together, naming their flags."""
    require(config.d_model % 2 == 0, "--d-model must be even: positions come in pairs")
    require(0 <= config.codec_share <= 1, "--codec-share must lie between 0 and 1")
    if config.conditioned:
        require(
            config.text_d_model % config.text_n_heads == 0,
            "--text-d-model must be a multiple of --text-n-heads",
        )
    if config.conditioned:
        require(0 <= config.dropout_condition < 1, "--dropout-condition must lie in [0, 1)")
