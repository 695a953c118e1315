"""Figures are drawn by the repository's own `blueprint/draw.py`, in a process of its own.

They are drawn when what they show has changed, or one is missing, and never over an edited one.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

DRAW = "blueprint/draw.py"


@dataclass(frozen=True)
class Drawn:
    """The new record for the manifest, edited figures that were left alone, what went wrong."""

    record: Mapping[str, Any] = field(default_factory=dict)
    kept: tuple[str, ...] = ()
    note: str = ""


AHEAD = "import matplotlib.figure, matplotlib.backends.backend_pdf, matplotlib.backends.backend_svg"
"""What takes longest to import, for a process that is started before there is much to do."""

_PROGRAM = """
import os, runpy, sys
del sys.argv[0]
sys.path[0] = os.path.dirname(sys.argv[0])
if sys.stdin.readline():
    runpy.run_path(sys.argv[0], run_name="__main__")
"""


class Drawing:
    """A process that draws the figures of a blueprint in a folder of its own.

    It starts up at once, waits for `begin`, and ends by itself should nobody ask it to.
    """

    def __init__(self, first: str = "") -> None:
        """Start the process; `first` is code that it runs while it waits."""
        self._folder = TemporaryDirectory(prefix="metagen-figures-")
        self.root = Path(self._folder.name)
        (self.root / "blueprint").mkdir()
        self._process = subprocess.Popen(
            [sys.executable, "-c", first + _PROGRAM, str(self.root / DRAW)],
            cwd=self.root,
            env=os.environ | {"PYTHONDONTWRITEBYTECODE": "1"},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )

    def begin(self, with_paper: bool) -> None:
        """Draw what is in the folder `root/blueprint` now."""
        for name in ("docs", "paper") if with_paper else ("docs",):
            (self.root / name).mkdir()
        with suppress(OSError):  # a process that is gone says why in `wait`
            self._process.stdin.write(b"draw\n")
            self._process.stdin.flush()

    def wait(self) -> str:
        """Wait for the figures; what went wrong on one line, or nothing."""
        _, complaint = self._process.communicate()
        if not self._process.returncode:
            return ""
        text = complaint.decode("utf-8", "replace")
        if "No module named 'matplotlib" in text:
            return "no figures: matplotlib is not installed here; `make figures` draws them later"
        last = (text.strip() or f"exit status {self._process.returncode}").splitlines()[-1]
        return f"no figures: {DRAW} stopped with {last}"

    def outputs(self) -> dict[str, Path]:
        """The drawn files by their path in the repository."""
        found = (path for path in self.root.glob("*/figures/*") if path.is_file())
        return {path.relative_to(self.root).as_posix(): path for path in sorted(found)}

    def close(self) -> None:
        """End the process if it still runs, and remove the folder."""
        if self._process.poll() is None:
            self._process.kill()
            self._process.communicate()
        self._folder.cleanup()


NOTHING: Mapping[str, Any] = {"inputs": "", "files": {}}


def finish(project: Path, drawing: Drawing) -> Drawn:
    """Take over a `drawing` begun ahead of the rendering, if it shows what was rendered."""
    if not (project / DRAW).is_file():
        return Drawn(NOTHING)
    with_paper = (project / "paper" / "main.tex").is_file()
    inputs = inputs_of(project / "blueprint", with_paper)
    if inputs != inputs_of(drawing.root / "blueprint", (drawing.root / "paper").is_dir()):
        return refresh(project, NOTHING)
    note = drawing.wait()
    return Drawn(NOTHING, (), note) if note else place(project, drawing, inputs, {})


def refresh(project: Path, known: Mapping[str, Any]) -> Drawn:
    """Draw what is out of date in `project`; `known` is the record of the last drawing."""
    blueprint, paper = project / "blueprint", project / "paper" / "main.tex"
    before: Mapping[str, str] = known.get("files", {})
    if not (project / DRAW).is_file():
        return Drawn(NOTHING, prune(project, before, {}))
    inputs = inputs_of(blueprint, paper.is_file())
    if inputs == known.get("inputs") and all((project / path).is_file() for path in before):
        return Drawn(known)
    drawing = Drawing()
    try:
        shutil.copytree(blueprint, drawing.root / "blueprint", dirs_exist_ok=True)
        drawing.begin(paper.is_file())
        note = drawing.wait()
        if note:
            return Drawn(NOTHING, (), note)
        return place(project, drawing, inputs, before)
    finally:
        drawing.close()


def place(project: Path, drawing: Drawing, inputs: str, before: Mapping[str, str]) -> Drawn:
    """Move finished figures into `project`, edited ones excepted, and remove those of no use."""
    files, kept = {}, []
    outputs = drawing.outputs()
    for path, source in outputs.items():
        target, content = project / path, source.read_bytes()
        files[path] = _digest(content)
        edited = path in before and target.is_file()
        if edited and _digest(target.read_bytes()) not in (before[path], files[path]):
            kept.append(path)
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    kept += prune(project, before, outputs)
    return Drawn({"inputs": inputs, "files": files}, tuple(kept))


def prune(project: Path, before: Mapping[str, str], outputs: Mapping[str, Any]) -> tuple[str, ...]:
    """Remove figures that are no longer drawn, unless they were edited."""
    kept = []
    for path in before.keys() - outputs.keys():
        target = project / path
        if not target.is_file():
            continue
        if _digest(target.read_bytes()) != before[path]:
            kept.append(path)
            continue
        target.unlink()
        for folder in (target.parent, target.parent.parent):
            if folder != project and not any(folder.iterdir()):
                folder.rmdir()
    return tuple(sorted(kept))


def inputs_of(blueprint: Path, with_paper: bool) -> str:
    """A hash of all that the figures depend on."""
    digest = hashlib.sha256(json.dumps({"paper": with_paper}).encode())
    for path in sorted(blueprint.iterdir()):
        if path.is_file():
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def _digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
