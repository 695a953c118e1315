"""What the dimensions of a vision-language model must satisfy."""

from .refusals import require


def check_model(config) -> None:
    """Raise `ValueError` for dimensions that do not fit together, naming their flags."""
    require(config.patch_size <= config.image_size, "--image-size is below --patch-size")
    require(config.n_heads % config.n_kv_heads == 0, "--n-heads must be a multiple of --n-kv-heads")
    require(config.head_dim % 2 == 0, "--head-dim must be even: rotary features come in pairs")
    require(
        config.vision_d_model % config.vision_n_heads == 0,
        "--vision-d-model must be a multiple of --vision-n-heads",
    )
    require(
        config.train_length <= config.context_length, "--train-length is above --context-length"
    )
    patches = (config.image_size // config.patch_size) ** 2
    require(
        config.train_length >= patches + 8,
        f"--train-length leaves no room for a text after the {patches} patches of a picture",
    )
