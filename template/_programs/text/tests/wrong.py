"""Settings that do not fit together: the one that an error should name, and its value."""

WRONG = [("n_kv_heads", 5), ("n_layers", 0), ("train_length", 10**9)]
