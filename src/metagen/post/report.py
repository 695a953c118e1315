"""How `metagen update` hears from the post step, which Copier runs in another process.

The listener leaves an empty report in the Git folder; the post step fills it in instead of talking.
There is one listener at a time.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .git import Git

try:
    import fcntl
except ImportError:  # Windows, where two updates at once are not kept apart
    fcntl = None

NAME = "metagen-update.json"
LOCK = "metagen-update.lock"


@contextmanager
def alone(git: Git) -> Iterator[bool]:
    """Keep other listeners away; whether that worked. However a process ends, its lock ends too."""
    path = git.own_file(LOCK)
    if path is None or fcntl is None:
        yield True
        return
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True


@contextmanager
def requested(git: Git) -> Iterator[dict[str, Any]]:
    """Ask for a report; the mapping is filled in when the block ends."""
    found: dict[str, Any] = {"restored": [], "kept_figures": [], "note": "", "upgraded": []}
    path = git.own_file(NAME)
    if path is None:
        yield found
        return
    path.write_text("{}", encoding="utf-8")
    try:
        yield found
        found |= json.loads(path.read_text(encoding="utf-8"))
    finally:
        path.unlink(missing_ok=True)


def left_behind(git: Git) -> bool:
    """Whether a listener is gone without having heard: its update was cut short."""
    path = git.own_file(NAME)
    return path is not None and path.is_file()


def deliver(git: Git, outcome: dict[str, Any]) -> bool:
    """Fill in the report if somebody asked for one."""
    path: Path | None = git.own_file(NAME)
    if path is None or not path.is_file():
        return False
    path.write_text(json.dumps(outcome), encoding="utf-8")
    return True
