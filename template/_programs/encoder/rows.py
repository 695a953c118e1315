"""Rows of tables on disk: .csv, .tsv and .jsonl files, folders of them, Hugging Face datasets."""

import csv
import importlib.util
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

TABLES = (".csv", ".tsv", ".jsonl")
TEXTS = (".txt", ".md")


def read_rows(data: str, suffixes: tuple[str, ...] = TABLES) -> Iterator[dict[str, Any]]:
    """Every row that `--data` names, as a mapping of columns."""
    if Path(data).exists():
        for path in table_files(data, suffixes):
            yield from read_table(path)
        return
    if importlib.util.find_spec("datasets") is None:
        raise ValueError(
            f'--data "{data}": no such file or folder; '
            "for a Hugging Face dataset of that name: pip install datasets"
        )
    from datasets import load_dataset

    yield from load_dataset(data, split="train")


def table_files(data: str, suffixes: tuple[str, ...] = TABLES) -> list[Path]:
    """The file `data`, or the tables below the folder `data`, in order of their names."""
    path = Path(data)
    if path.is_file():
        return [path]
    files = sorted(p for p in path.rglob("*") if p.is_file() and p.suffix in suffixes)
    if not files:
        raise ValueError(f'--data "{data}": no {", ".join(suffixes)} files in this folder')
    return files


def read_table(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of one file; a file that is no table is one row with the column "text"."""
    with open(path, encoding="utf-8", errors="replace", newline="") as file:
        if path.suffix == ".jsonl":
            yield from (json.loads(line) for line in file if line.strip())
        elif path.suffix in (".csv", ".tsv"):
            yield from csv.DictReader(file, delimiter="\t" if path.suffix == ".tsv" else ",")
        else:
            yield {"text": file.read()}


def cell(row: dict[str, Any], *names: str) -> str:
    """The first column of `names` that a row has; raise `ValueError` if it has none."""
    for name in names:
        if row.get(name) is not None:
            return str(row[name])
    raise ValueError(f"--data has the columns {', '.join(map(str, row))}; none is {names[0]}")
