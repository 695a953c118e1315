"""Settings that do not fit together: the one that an error should name, and its value."""

from dataclasses import fields

from PACKAGE import Config

NAMES = {field.name for field in fields(Config)}
NONSENSE = [("patch_size", 999), ("audio_patch", 999), ("num_classes", 1), ("n_layers", 0)]
WRONG = [(name, value) for name, value in NONSENSE if name in NAMES]
