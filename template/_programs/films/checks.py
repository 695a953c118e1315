"""What the dimensions of a generator of clips must satisfy."""

from .refusals import require


def check_model(config) -> None:
    """Raise `ValueError` for dimensions that do not fit together, naming their flags."""
    require(config.d_model % config.n_heads == 0, "--d-model must be a multiple of --n-heads")
    require(config.d_model % 4 == 0, "--d-model must be a multiple of 4")
    halvings = 2 ** (len(config.ae_channels) - 1)
    require(
        config.image_size % (halvings * config.patch_size) == 0,
        f"--image-size must be a multiple of {halvings} x --patch-size",
    )
    require(
        all(width % config.ae_groups == 0 for width in config.ae_channels),
        "--ae-channels must be multiples of --ae-groups",
    )
    require(config.frames % config.tubelet == 0, "--frames must be a multiple of --tubelet")
    require(config.autoencoder_frames <= config.frames, "--autoencoder-frames is above --frames")
    require(config.sampling_steps <= config.train_times, "--sampling-steps is above --train-times")
    if config.conditioned:
        require(config.given_frames <= config.frames, "--given-frames is above --frames")
    if config.reads_text:
        require(
            config.text_d_model % config.text_n_heads == 0,
            "--text-d-model must be a multiple of --text-n-heads",
        )
