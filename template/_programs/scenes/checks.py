"""What the dimensions of a model of scenes must satisfy."""

from .refusals import require


def check_model(config) -> None:
    """Raise `ValueError` for dimensions that do not fit together, naming their flags."""
    require(config.num_classes > 1, "--num-classes must be at least 2")
    if config.staged:
        require(
            all(w % h == 0 for w, h in zip(config.hidden_sizes, config.stage_heads, strict=True)),
            "--stage-heads must divide --hidden-sizes",
        )
    else:
        require(config.d_model % config.n_heads == 0, "--n-heads must divide --d-model")
