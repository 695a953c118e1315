"""What the dimensions of an audio classifier must satisfy."""


def check_model(config) -> None:
    """Raise `ValueError` for dimensions that do not fit together, naming their flags."""
    require(config.patch_size <= config.n_mels, "--patch-size is above --n-mels")
    require(config.patch_size <= config.n_frames, "--patch-size is above --n-frames")
    require(config.num_classes >= 2, "--num-classes must be at least 2")
    require(config.sample_rate >= 100, "--sample-rate must be at least 100")


def require(condition: bool, message: str) -> None:
    """Raise `ValueError` unless the condition holds."""
    if not condition:
        raise ValueError(message)
