"""Settings that do not fit together: the one that an error should name, and its value."""

WRONG = [("vision_n_heads", 7), ("n_kv_heads", 3), ("image_size", 4), ("train_length", 16)]
