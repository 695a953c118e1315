"""Rows of tables on disk: .csv, .tsv and .jsonl files, folders of them, Hugging Face datasets."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from .reading import dataset_rows, files_at, table_rows

TABLES = (".csv", ".tsv", ".jsonl")
TEXTS = (".txt", ".md")


def read_rows(data: str, suffixes: tuple[str, ...] = TABLES) -> Iterator[dict[str, Any]]:
    """Every row that `--data` names, as a mapping of columns."""
    if not Path(data).exists():
        yield from dataset_rows(data)
        return
    for path in files_at(data, suffixes):
        yield from read_table(path)


def read_table(path: Path) -> Iterator[dict[str, Any]]:
    """The rows of one file; a file that is no table is one row with the column "text"."""
    if path.suffix in TABLES:
        yield from table_rows(path)
    else:
        yield {"text": path.read_text(encoding="utf-8", errors="replace")}


def cell(row: dict[str, Any], *names: str) -> str:
    """The first column of `names` that a row has; raise `ValueError` if it has none."""
    for name in names:
        if row.get(name) is not None:
            return str(row[name])
    raise ValueError(f"--data has the columns {', '.join(map(str, row))}; none is {names[0]}")
