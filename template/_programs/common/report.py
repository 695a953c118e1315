"""Collect what was measured into `docs/measured.md` and `paper/measured.tex`.

    python -m PACKAGE.report

Reads every table in `results/`. The two files belong to nobody's template: an update of this
repository leaves them alone, and the paper includes its own when it exists.
"""

import sys
from pathlib import Path

from .results import RESULTS, Table, number, read_tables

HEADING = """# Measured

By the scripts of this repository; `make report` writes this page. Nothing in it is simulated, and
what the blueprint predicts has a column of its own. Where no data was named, a run learned from and
is scored on what the repository makes itself.
"""
TEX_ESCAPES = {c: f"\\{c}" for c in "&%$#_{}"} | {
    "\\": "\\textbackslash{}",
    "~": "\\textasciitilde{}",
    "^": "\\textasciicircum{}",
    "–": "--",
}


def markdown(tables: list[Table]) -> str:
    """The tables as a Markdown page."""
    sections = [HEADING]
    for table in tables:
        rules = [":---", *["---:"] * (len(table.columns) - 1)]
        cells = [table.columns, *(tuple(map(number, row)) for row in table.rows)]
        head, *rows = [[cell.replace("|", "\\|") for cell in row] for row in cells]
        lines = [f"| {' | '.join(row)} |" for row in (head, rules, *rows)]
        sections.append(f"## {table.title}\n\n{table.context}.\n\n" + "\n".join(lines) + "\n")
    return "\n".join(sections)


def latex(tables: list[Table]) -> str:
    """The tables as floats for the paper."""
    return "\n".join(map(latex_table, tables))


def latex_table(table: Table) -> str:
    """One booktabs table; the caption says how it was obtained."""
    rows = [" & ".join(map(tex, map(number, row))) + r" \\" for row in table.rows]
    lines = [
        r"\begin{table}[H]",
        r"  \centering",
        rf"  \caption{{{tex(table.title)}, measured: {tex(table.context)}.}}",
        rf"  \begin{{fittable}}{{l{'r' * (len(table.columns) - 1)}}}",
        "    " + " & ".join(map(tex, table.columns)) + r" \\",
        r"    \midrule",
        *("    " + row for row in rows),
        r"  \end{fittable}",
        r"\end{table}",
        "",
    ]
    return "\n".join(lines)


def tex(text: str) -> str:
    """Text that LaTeX prints as it is."""
    return "".join(TEX_ESCAPES.get(character, character) for character in text)


def main() -> None:
    """Write the reports, or say that there is nothing to report."""
    tables = read_tables()
    if not tables:
        sys.exit(f"error: {RESULTS}/ has no tables yet; run eval or bench first")
    reports = {Path("docs/measured.md"): markdown(tables)}
    if Path("paper").is_dir():
        reports[Path("paper/measured.tex")] = latex(tables)
    for path, text in reports.items():
        path.parent.mkdir(exist_ok=True)
        path.write_text(text, encoding="utf-8")
        print(f"wrote {path}")


if __name__ == "__main__":
    main()
