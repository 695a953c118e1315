"""Settings that do not fit together: the one that an error should name, and its value."""

WRONG = [("vision_n_heads", 7), ("text_n_layers", 0), ("image_size", 4)]
