"""What the dimensions of a text encoder must satisfy."""

from .refusals import require


def check_model(config) -> None:
    """Raise `ValueError` for dimensions that do not fit together, naming their flags."""
    if config.pos == "rope":
        require(config.head_dim % 2 == 0, "--head-dim must be even: rotary features come in pairs")
    if config.pos == "learned":
        require(config.pos_rows >= config.context_length, "--pos-rows is below --context-length")
    if config.windowed:
        require(config.sliding_window % 2 == 0, "--sliding-window must be even")
    require(config.text_length >= 8, "--text-length must be at least 8")
    require(config.text_length <= config.context_length, "--text-length is above --context-length")
