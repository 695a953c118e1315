"""Repositories without their figures, in this process: drawing takes longer than all the rest."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from unittest.mock import patch

from metagen.post import figures


class Undrawn:
    """Stands in for the process that draws."""

    def __init__(self, first: str = "") -> None:
        self._folder = TemporaryDirectory()
        self.root = Path(self._folder.name)
        (self.root / "blueprint").mkdir()

    def begin(self, with_paper: bool) -> None:
        for name in ("docs", "paper") if with_paper else ("docs",):
            (self.root / name).mkdir()

    def wait(self) -> str:
        return "not drawn"

    def outputs(self) -> dict[str, Path]:
        return {}

    def close(self) -> None:
        self._folder.cleanup()


@contextmanager
def no_figures() -> Iterator[None]:
    """Synthesize without figures."""
    with patch.object(figures, "Drawing", Undrawn):
        yield
