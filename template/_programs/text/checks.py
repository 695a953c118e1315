"""What the dimensions of a text model must satisfy."""

from .refusals import require


def check_model(config) -> None:
    """Raise `ValueError` for dimensions that do not fit together, naming their flags."""
    require(config.n_heads % config.n_kv_heads == 0, "--n-heads must be a multiple of --n-kv-heads")
    if config.pos == "rope":
        require(config.head_dim % 2 == 0, "--head-dim must be even: rotary features come in pairs")
    if config.pos == "learned":
        require(config.pos_rows >= config.context_length, "--pos-rows is below --context-length")
    require(
        config.train_length <= config.context_length, "--train-length is above --context-length"
    )
