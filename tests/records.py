"""Records of what something says about a corpus: text files that are compared word for word."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

Chapter = Callable[[], Iterator[tuple[str, str]]]
"""What was asked, and what was said."""


@dataclass(frozen=True)
class Record:
    """The text file `path`, which has a part for each chapter."""

    path: Path
    chapters: tuple[Chapter, ...]

    def now(self, chapter: Chapter) -> str:
        """A chapter as it would be written now."""
        told = "".join(f">>> {asked}\n{said}\n" for asked, said in chapter())
        return f"==== {chapter.__name__}\n{told}"

    def then(self, chapter: Chapter) -> str:
        """A chapter as it was written."""
        text = self.path.read_text(encoding="utf-8")
        begins = text.index(f"==== {chapter.__name__}\n")
        return text[begins : text.find("\n==== ", begins) + 1 or len(text)]

    def main(self, usage: str) -> None:
        """Write the file if the command line says so."""
        if sys.argv[1:] != ["--write"]:
            sys.exit(usage)
        self.path.write_text("".join(map(self.now, self.chapters)), encoding="utf-8")
