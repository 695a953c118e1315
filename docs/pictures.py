"""Take the pictures of README.md: a terminal, pages of a generated paper, a figure.

    python docs/pictures.py [--pages 1 4]

Into docs/assets/: `demo.svg`, what `metagen demo` shows; `paper.png`, two pages of the paper of a
bundled specification; `memory.svg`, as its repository draws it. Needs LaTeX, poppler and Pillow.
"""

from __future__ import annotations

import argparse
import io
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image
from rich._export_format import CONSOLE_SVG_FORMAT
from rich.console import Console
from rich.text import Text

ROOT = Path(__file__).resolve().parent.parent
ASSETS = ROOT / "docs" / "assets"
EXAMPLE = "text_llm_8b"
COLUMNS = 66
DOTS = 58  # per inch, of a page
COLOURS = 48


def metagen(*arguments: str, cwd: Path) -> str:
    """What a command shows on a terminal with colours."""
    environment = os.environ | {"FORCE_COLOR": "1", "COLUMNS": str(COLUMNS), "TERM": "xterm"}
    environment.pop("NO_COLOR", None)
    return subprocess.run(
        [sys.executable, "-m", "metagen", *arguments],
        cwd=cwd, env=environment, check=True, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ).stdout  # fmt: skip


def terminal(command: str, shown: str) -> str:
    """A picture of a terminal; it loads no font from anywhere."""
    console = Console(record=True, width=COLUMNS, file=io.StringIO(), force_terminal=True)
    console.print(Text.assemble(("$ ", "green"), (command, "bold")))
    console.print(Text.from_ansi(shown.rstrip("\n")))
    fontless = re.sub(r"@font-face \{\{.*?\}\}\n", "", CONSOLE_SVG_FORMAT, flags=re.DOTALL)
    svg = console.export_svg(title=command, code_format=fontless, unique_id="metagen")
    return "".join(line.rstrip() + "\n" for line in svg.splitlines())


def paper(repository: Path, pages: list[int]) -> Image.Image:
    """Pages of a repository's paper, side by side on white, a hairline around each."""
    quiet = {"check": True, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(["make", "-C", repository / "paper", "pdf"], **quiet)
    sheets = []
    for page in pages:
        target = repository / f"page-{page}"
        only = ["-f", str(page), "-l", str(page), "-singlefile"]
        source = repository / "paper" / "main.pdf"
        subprocess.run(["pdftoppm", "-r", str(DOTS), "-png", *only, source, target], **quiet)
        sheets.append(Image.open(target.with_suffix(".png")).convert("RGB"))
    width, height, gap = sheets[0].width, sheets[0].height, 16
    joined = Image.new("RGB", (len(sheets) * (width + gap) + gap, height + 2 * gap), "white")
    for at, sheet in enumerate(sheets):
        left = gap + at * (width + gap)
        joined.paste("#c8ccd2", (left - 1, gap - 1, left + width + 1, gap + height + 1))
        joined.paste(sheet, (left, gap))
    return joined.quantize(COLOURS)


def main() -> None:
    """Take all of them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pages", type=int, nargs="+", default=[1, 4])
    options = parser.parse_args()
    ASSETS.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        shown = metagen("demo", cwd=Path(folder))
        (ASSETS / "demo.svg").write_text(terminal("metagen demo", shown), encoding="utf-8")
        metagen("synth", EXAMPLE, "--run-id", "it", cwd=Path(folder))
        repository = Path(folder) / "outputs" / "it"
        shutil.copy(repository / "docs" / "figures" / "memory.svg", ASSETS)
        paper(repository, options.pages).save(ASSETS / "paper.png", optimize=True)
    for path in sorted(ASSETS.iterdir()):
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
