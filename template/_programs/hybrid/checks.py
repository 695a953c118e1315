"""What the dimensions of a hybrid model must satisfy."""

from .refusals import require


def check_model(config) -> None:
    """Raise `ValueError` for dimensions that do not fit together, naming their flags."""
    require(config.n_heads % config.n_kv_heads == 0, "--n-heads must be a multiple of --n-kv-heads")
    require(config.d_conv > 1, "--d-conv must be at least 2")
    if config.moe:
        require(
            config.experts_per_token <= config.n_experts,
            "--experts-per-token is above --n-experts",
        )
    require(
        config.train_length <= config.context_length, "--train-length is above --context-length"
    )
