"""What the dimensions of a model of pictures must satisfy."""

from .refusals import require


def check_model(config) -> None:
    """Raise `ValueError` for dimensions that do not fit together, naming their flags."""
    require(config.num_classes > 1, "--num-classes must be at least 2")
    if config.patched:
        require(config.patch_size <= config.image_size, "--patch-size is above --image-size")
