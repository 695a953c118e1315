"""What the dimensions of a model that makes pictures must satisfy."""

from .refusals import require


def check_model(config) -> None:
    """Raise `ValueError` for dimensions that do not fit together, naming their flags."""
    if config.space == "latent":
        halvings = len(config.ae_channels) - 1
        fits = config.image_size % 2**halvings == 0
        require(fits, f"--image-size must be a multiple of {2**halvings}")
        divided = all(width % config.ae_groups == 0 for width in config.ae_channels)
        require(divided, "--ae-groups must divide every one of --ae-channels")
    if config.condition == "text":
        divided = config.text_d_model % config.text_n_heads == 0
        require(divided, "--text-d-model must be a multiple of --text-n-heads")
    if config.denoiser == "unet":
        widths = config.unet_channels
        levels = {len(widths), len(config.transformer_layers), len(config.unet_heads)}
        require(len(levels) == 1, "--transformer-layers and --unet-heads need one for each level")
        divided = all(width % config.norm_groups == 0 for width in widths)
        require(divided, "--norm-groups must divide every one of --unet-channels")
    else:
        require(config.d_model % config.n_heads == 0, "--d-model must be a multiple of --n-heads")
    require(config.sampling_steps <= config.train_times, "--sampling-steps is above --train-times")
