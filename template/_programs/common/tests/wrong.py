"""Settings that do not fit together: the one that an error should name, and its value."""

WRONG = []  # beyond those of every model
