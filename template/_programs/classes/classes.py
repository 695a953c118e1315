"""The classes that a run tells apart: their names lie in its folder once it has begun."""

import json
from collections.abc import Sequence
from pathlib import Path

from .config import Config


def save_class_names(config: Config, names: Sequence[str]) -> None:
    """Write the names to the run's folder; raise `ValueError` for more than the model can give."""
    if len(names) > config.num_classes:
        raise ValueError(f"--data has {len(names)} classes; --num-classes is {config.num_classes}")
    folder = Path(config.run_dir)
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(list(names), indent=2, ensure_ascii=False) + "\n"
    (folder / "classes.json").write_text(text, encoding="utf-8")


def read_class_names(config: Config, built_in: Sequence[str]) -> list[str]:
    """The names that a run wrote; those of the built-in data before any training."""
    path = Path(config.run_dir) / "classes.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else list(built_in)
