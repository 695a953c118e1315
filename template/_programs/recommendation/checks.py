"""What the dimensions of a recommender must satisfy."""

from .refusals import require


def check_model(config) -> None:
    """Raise `ValueError` for dimensions that do not fit together, naming their flags."""
    require(config.num_items >= 2, "--num-items must be at least 2")
    require(config.temperature > 0, "--temperature must be above 0")
