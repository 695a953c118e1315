"""What the dimensions of an audio classifier must satisfy."""

from .refusals import require


def check_model(config) -> None:
    """Raise `ValueError` for dimensions that do not fit together, naming their flags."""
    require(config.patch_size <= config.n_mels, "--patch-size is above --n-mels")
    require(config.patch_size <= config.n_frames, "--patch-size is above --n-frames")
    require(config.num_classes >= 2, "--num-classes must be at least 2")
    require(config.sample_rate >= 100, "--sample-rate must be at least 100")
