"""What the dimensions of a generator of streams must satisfy."""

from math import prod

from .refusals import require


def check_model(config) -> None:
    """Raise `ValueError` for dimensions that do not fit together, naming their flags."""
    require(
        config.d_model % (2 * config.n_heads) == 0, "--d-model must be a multiple of 2 x --n-heads"
    )
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
    require(
        config.chunk_frames % config.tubelet == 0, "--chunk-frames must be a multiple of --tubelet"
    )
    require(
        config.frames == config.chunks * config.chunk_frames,
        "--frames must be --chunks x --chunk-frames",
    )
    require(
        config.code_samples == prod(config.sound_ratios),
        "--code-samples must be the product of --sound-ratios",
    )
    require(
        config.chunk_codes * config.code_samples * config.fps
        == config.chunk_frames * config.sample_rate,
        "--chunk-codes and --chunk-frames must last equally long",
    )
    require(config.autoencoder_frames <= config.frames, "--autoencoder-frames is above --frames")
    require(config.sampling_steps <= config.train_times, "--sampling-steps is above --train-times")
    require(
        config.text_d_model % config.text_n_heads == 0,
        "--text-d-model must be a multiple of --text-n-heads",
    )
