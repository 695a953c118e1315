"""What `--data` may name: files, tables among them, and Hugging Face datasets."""

import csv
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any


def files_at(data: str, suffixes: tuple[str, ...] = ("",)) -> list[Path]:
    """The file `data`, or those below the folder `data` whose names end so, in their order.

    None for what is neither; raise `ValueError` for a folder without such files.
    """
    path = Path(data)
    if not data or not path.is_dir():
        return [path] if path.is_file() else []
    files = [p for p in path.rglob("*") if p.is_file() and p.name.lower().endswith(suffixes)]
    if not files:
        kinds = "".join(f"{suffix} " for suffix in suffixes if suffix)
        raise ValueError(f'--data "{data}": no {kinds}files in this folder')
    return sorted(files)


def table_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of a CSV, TSV or JSONL file, as mappings of columns."""
    with open(path, encoding="utf-8", newline="") as file:
        if path.suffix.lower() == ".jsonl":
            yield from map(json.loads, filter(str.strip, file))
        else:
            tabbed = path.suffix.lower() == ".tsv"
            yield from csv.DictReader(file, delimiter="\t" if tabbed else ",")


def dataset_rows(name: str):
    """The training split of a Hugging Face dataset; raise `ValueError` if it cannot be loaded."""
    if importlib.util.find_spec("datasets") is None:
        raise ValueError(
            f'--data "{name}": no such file or folder; '
            "for a Hugging Face dataset of that name: pip install datasets"
        )
    from datasets import load_dataset

    return load_dataset(name, split="train")
