"""What the dimensions of a video classifier must satisfy."""

from .refusals import require


def check_model(config) -> None:
    """Raise `ValueError` for dimensions that do not fit together, naming their flags."""
    require(config.num_classes >= 2, "--num-classes must be at least 2")
    require(
        config.image_size % config.patch_size == 0,
        "--image-size must be a multiple of --patch-size",
    )
    require(config.frames % config.tubelet == 0, "--frames must be a multiple of --tubelet")
