"""What the dimensions of an encoder–decoder over texts must satisfy."""

from .refusals import require


def check_model(config) -> None:
    """Raise `ValueError` for dimensions that do not fit together, naming their flags."""
    if config.pos == "rope":
        require(config.head_dim % 2 == 0, "--head-dim must be even: rotary features come in pairs")
    if config.pos in ("learned", "sinusoidal"):
        require(
            config.pos_rows >= config.context_length + config.pos_offset,
            "--pos-rows is below --context-length and the rows before it",
        )
    if config.pos == "sinusoidal":
        require(config.d_model % 2 == 0, "--d-model must be even: sines are paired with cosines")
    if config.pos == "relative":
        require(
            config.rel_max_distance > config.rel_buckets // 2,
            "--rel-max-distance must be more than half of --rel-buckets",
        )
    require(
        config.train_length <= config.context_length, "--train-length is above --context-length"
    )
