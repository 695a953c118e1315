"""Settings that do not fit together: the one that an error should name, and its value."""

WRONG = [("n_heads", 7), ("d_model", 66), ("sampling_steps", 10**6), ("sampling_steps", 0)]
