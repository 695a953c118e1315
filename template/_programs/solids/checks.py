"""What the dimensions of a generator of shapes must satisfy."""

from .refusals import require


def check_model(config) -> None:
    """Raise `ValueError` for dimensions that do not fit together, naming their flags."""
    require(config.d_model % config.n_heads == 0, "--d-model must be a multiple of --n-heads")
    require(config.d_model % 4 == 0, "--d-model must be a multiple of 4")
    require(config.sampling_steps <= config.train_times, "--sampling-steps is above --train-times")
    if config.representation == "grid":
        require(
            config.grid_size % config.patch_size == 0,
            "--grid-size must be a multiple of --patch-size",
        )
    if config.reads_image:
        require(
            config.image_size % config.picture_patch == 0,
            "--image-size must be a multiple of --picture-patch",
        )
    if config.reads_text:
        require(
            config.text_d_model % config.text_n_heads == 0,
            "--text-d-model must be a multiple of --text-n-heads",
        )
