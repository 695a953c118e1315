"""What the dimensions of a fusion transformer must satisfy."""

from .refusals import require


def check_model(config) -> None:
    """Raise `ValueError` for dimensions that do not fit together, naming their flags."""
    require(config.d_model >= 1, "--d-model must be at least 1")
    if config.reads_image:
        require(config.patch_size <= config.image_size, "--patch-size is above --image-size")
    if config.reads_audio:
        require(config.audio_patch <= config.n_mels, "--audio-patch is above --n-mels")
        require(config.audio_patch <= config.n_frames, "--audio-patch is above --n-frames")
        require(config.sample_rate >= 100, "--sample-rate must be at least 100")
    if config.gives_label:
        require(config.num_classes >= 2, "--num-classes must be at least 2")
    if config.gives_embedding:
        require(config.temperature > 0, "--temperature must be above 0")
