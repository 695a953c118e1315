"""What the dimensions of a speech recogniser must satisfy."""

from .refusals import require


def check_model(config) -> None:
    """Raise `ValueError` for dimensions that do not fit together, naming their flags."""
    require(config.d_model % 2 == 0, "--d-model must be even: sines are paired with cosines")
    require(config.sample_rate % 100 == 0, "--sample-rate must be a multiple of 100 Hz")
    if config.pos == "rope":
        require(config.head_dim % 2 == 0, "--head-dim must be even: rotary features come in pairs")
    if config.pos in ("learned", "sinusoidal"):
        require(
            config.pos_rows >= config.context_length + config.pos_offset,
            "--pos-rows is below --context-length and the rows before it",
        )
    require(
        config.train_length <= config.context_length, "--train-length is above --context-length"
    )
