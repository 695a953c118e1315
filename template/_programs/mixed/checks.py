"""What the dimensions of a mixed transformer must satisfy."""

from .refusals import require


def check_model(config) -> None:
    """Raise `ValueError` for dimensions that do not fit together, naming their flags."""
    require(config.d_model >= 1, "--d-model must be at least 1")
    if config.reads_image or config.gives_image or config.reads_video or config.gives_video:
        require(config.patch_size <= config.image_size, "--patch-size is above --image-size")
    if config.reads_audio or config.gives_audio:
        require(config.audio_patch <= config.n_mels, "--audio-patch is above --n-mels")
        require(config.audio_patch <= config.n_frames, "--audio-patch is above --n-frames")
        require(config.sample_rate >= 100, "--sample-rate must be at least 100")
    if config.reads_video or config.gives_video:
        require(config.tubelet <= config.frames, "--tubelet is above --frames")
    if config.reads_time_series:
        require(config.series_patch <= config.lookback, "--series-patch is above --lookback")
    if config.gives_label or config.gives_segmentation_mask:
        require(config.num_classes >= 2, "--num-classes must be at least 2")
    if config.gives_embedding:
        require(config.temperature > 0, "--temperature must be above 0")
