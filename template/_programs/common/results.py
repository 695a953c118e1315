"""What this repository measures about itself: tables in `results/`, with their provenance."""

import csv
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

RESULTS = Path("results")


@dataclass(frozen=True)
class Table:
    """A table of measured figures.

    Attributes:
        title: what was measured.
        context: under which conditions, in words.
        columns: headings, units included.
        rows: one cell for each heading: text, a number, or None where there is no figure.
        figures: the same numbers by name, in base units, for other programs.
    """

    title: str
    context: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Any, ...], ...]
    figures: Mapping[str, float | int | str | None] = field(default_factory=dict)
    provenance: str = "measured"

    def save(self, name: str) -> Path:
        """Write the table to `results/<name>.json`."""
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{name}.json"
        path.write_text(json.dumps(asdict(self), indent=2, ensure_ascii=False) + "\n", "utf-8")
        return path

    def plain(self) -> str:
        """The table for a terminal, columns aligned."""
        lines = [self.columns, *(tuple(map(number, row)) for row in self.rows)]
        widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
        text = [
            "  ".join(
                cell.ljust(width) if i == 0 else cell.rjust(width)
                for i, (cell, width) in enumerate(zip(line, widths, strict=True))
            )
            for line in lines
        ]
        return "\n".join([f"{self.title} ({self.context})", *text])


def save_rows(name: str, rows: Sequence[Mapping[str, Any]]) -> Path:
    """Write rows with a cell for each column, or none, to `results/<name>.csv`."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.csv"
    columns = list(dict.fromkeys(column for row in rows for column in row))
    with open(path, "w", encoding="utf-8", newline="") as file:
        table = csv.DictWriter(file, columns)
        table.writeheader()
        table.writerows(rows)
    return path


def read_tables() -> list[Table]:
    """Every table in `results/`, by file name."""
    tables = []
    for path in sorted(RESULTS.glob("*.json")):
        values = json.loads(path.read_text(encoding="utf-8"))
        values["columns"] = tuple(values["columns"])
        values["rows"] = tuple(map(tuple, values["rows"]))
        tables.append(Table(**values))
    return tables


def number(cell: Any) -> str:
    """A cell as text: integers grouped, other numbers to four significant digits."""
    if cell is None:
        return "–"
    if isinstance(cell, int):
        return f"{cell:,}"
    if isinstance(cell, float):
        return f"{cell:,.0f}" if abs(cell) >= 1e4 else f"{cell:.4g}"
    return str(cell)
