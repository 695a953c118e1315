"""What the dimensions of an autoencoder of pictures must satisfy."""

from .refusals import require


def check_model(config) -> None:
    """Raise `ValueError` for dimensions that do not fit together, naming their flags."""
    halvings = len(config.ae_channels) - 1
    require(
        config.image_size % 2**halvings == 0,
        f"--image-size must be a multiple of {2**halvings}, which --ae-channels asks for",
    )
    require(
        all(width % config.ae_groups == 0 for width in config.ae_channels),
        "--ae-groups must divide every width of --ae-channels",
    )
