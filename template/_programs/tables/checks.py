"""What the dimensions of a model of tables must satisfy."""

from .refusals import require


def check_model(config) -> None:
    """Raise `ValueError` for dimensions that do not fit together, naming their flags."""
    require(config.num_numeric >= 1, "--num-numeric must be at least 1")
    if config.categorical:
        require(config.categories >= 2, "--categories must be at least 2")
    if config.gives_label:
        require(config.num_classes >= 2, "--num-classes must be at least 2")
