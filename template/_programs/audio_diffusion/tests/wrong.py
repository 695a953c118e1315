"""Settings that do not fit together: the one that an error should name, and its value."""

WRONG = [
    ("frames", 0),
    ("n_layers", 0),
    ("codec_share", 2.0),
    ("d_model", 7),
    ("sampling_steps", 9999),
]
