"""What the dimensions and the training of an agent must satisfy."""

from .refusals import require


def check_model(config) -> None:
    """Raise `ValueError` for settings that do not fit together, naming their flags."""
    if config.observation == "image":
        side = config.image_size
        for kernel, stride in zip(config.conv_kernels, config.conv_strides, strict=True):
            require(kernel <= side, "--conv-kernels are larger than the --image-size allows")
            side = (side - kernel) // stride + 1
    if config.actions == "discrete":
        require(config.num_actions > 1, "--num-actions must be at least 2")
    require(0 < config.discount <= 1, "--discount must lie above 0, and not above 1")
    require(
        config.n_envs <= config.global_batch,
        "--n-envs is above --global-batch: an environment would never act",
    )
