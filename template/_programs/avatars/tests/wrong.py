"""Settings that do not fit together: the one that an error should name, and its value."""

WRONG = [("n_heads", 7), ("image_size", 9), ("frames", 1), ("code_samples", 7), ("chunk_codes", 3)]
