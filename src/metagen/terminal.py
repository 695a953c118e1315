"""What the terminal shows: messages on stderr, colour where it is wanted, a spinner when slow."""

from __future__ import annotations

import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO

if TYPE_CHECKING:
    from rich.console import Console

_RESET = "\x1b[0m"
_STYLES = {
    "error": "\x1b[1;31m",
    "warning": "\x1b[1;33m",
    "hint": "\x1b[1;36m",
    "done": "\x1b[1;32m",
    "valid": "\x1b[1;32m",
}
_LABEL = re.compile(rf"^({'|'.join(_STYLES)}):", re.MULTILINE)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_PATIENCE = 1.0


def wants_colour(stream: TextIO) -> bool:
    """Whether `stream` is a terminal whose owner has not asked for plain text."""
    if os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb":
        return False
    return bool(os.environ.get("FORCE_COLOR")) or stream.isatty()


def visible(text: str) -> str:
    """Text whose control and direction characters show instead of acting on the terminal."""
    return _CONTROL.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    code = ord(match[0])
    return f"\\u{code:04x}" if code > 0xFF else f"\\x{code:02x}"


def say(text: str) -> None:
    """Write a message to stderr; `error:`, `hint:` and the like at a line's start get a colour."""
    text = visible(text)
    if wants_colour(sys.stderr):
        text = _LABEL.sub(lambda match: f"{_STYLES[match[1]]}{match[0]}{_RESET}", text)
    print(text, file=sys.stderr, flush=True)


def console(stream: TextIO) -> Console:
    """A rich console on `stream` that follows `wants_colour`."""
    from rich.console import Console

    colour = wants_colour(stream)
    return Console(file=stream, no_color=not colour, force_terminal=colour, highlight=False)


@contextmanager
def busy(label: str) -> Iterator[None]:
    """Show a spinner on stderr once the enclosed step has taken a second; never on a pipe."""
    if not sys.stderr.isatty():
        yield
        return
    lock, finished, running = threading.Lock(), False, []

    def start() -> None:
        from rich.text import Text

        status = console(sys.stderr).status(Text(visible(label)))
        with lock:
            if not finished:
                status.start()
                running.append(status)

    timer = threading.Timer(_PATIENCE, start)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        with lock:
            finished = True
            for status in running:
                status.stop()
