"""Settings that do not fit together: the one that an error should name, and its value."""

WRONG = [("n_layers", 0), ("text_length", 10**9), ("text_length", 7)]
