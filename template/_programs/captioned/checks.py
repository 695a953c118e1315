"""What the dimensions of a dual encoder must satisfy."""

from .refusals import require


def check_model(config) -> None:
    """Raise `ValueError` for dimensions that do not fit together, naming their flags."""
    require(config.patch_size <= config.image_size, "--image-size is below --patch-size")
    require(
        config.vision_d_model % config.vision_n_heads == 0,
        "--vision-d-model must be a multiple of --vision-n-heads",
    )
    require(
        config.text_d_model % config.text_n_heads == 0,
        "--text-d-model must be a multiple of --text-n-heads",
    )
    if not config.image_proj:
        equal = config.embed_dim == config.vision_d_model
        require(equal, "--embed-dim must equal --vision-d-model")
