"""What the dimensions of a codec must satisfy."""

from .refusals import require


def check_model(config) -> None:
    """Raise `ValueError` for dimensions that do not fit together, naming their flags."""
    require(config.num_filters >= config.compress, "--num-filters is below --compress")
    require(config.codebook_size >= 2, "--codebook-size must be at least 2")
    require(0 <= config.codebook_decay < 1, "--codebook-decay must lie in [0, 1)")
    require(len(config.ratios) > 0 and min(config.ratios) > 0, "--ratios must be above 0")
    require(config.clip_samples >= 32, "--clip-samples must be at least 32")
