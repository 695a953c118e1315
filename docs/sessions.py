"""Play the terminal sessions of a page: its console blocks, in order, in one folder.

    python docs/sessions.py PAGE ... [--slow]     # play them, rewrite what they printed

A block of commands says in a comment above it what becomes of it:

    <!-- played -->             run; what stands below each command is what it prints
    <!-- played, exits 2 -->    the same of a last command that is refused
    <!-- played silently -->    run; what it prints is not shown
    <!-- recorded -->           slow: run with `--slow`; figures may differ from those shown
    <!-- recorded silently -->  slow, and what it prints is not shown
    <!-- by hand: reason -->    not run, for a reason

A block of YAML or Python with a title is the file of that name. `gh:metagen/template` is this
checkout, under the tag of its version; nothing is fetched from anywhere.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGES = (
    ROOT / "README.md",
    *sorted((ROOT / "docs" / "tutorials").glob("*.md")),
    *(ROOT / "docs" / name for name in ("paper.md", "reproducibility.md")),
)
WIDTH = "88"

#: What a page takes for granted before its first block; run where something slow is.
BEFORE = {
    "README.md": (
        "metagen synth text_llm_8b --out . --run-id my-model && cd my-model "
        "&& git init --quiet && git add -A && git commit --quiet -m 'First synthesis' && cd .."
    ),
    "paper.md": f"cp {ROOT}/examples/specs/text/text_llm_8b.yaml spec.yaml",
}

BLOCK = re.compile(
    r"^(?:<!-- (?P<mark>played|recorded|by hand)(?P<how>[^\n]*?) -->\n+)?"
    r"(?P<open>```(?P<language>\w+)(?: title=\"(?P<title>[\w.-]+)\")?\n)(?P<text>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
GENERATED = re.compile(r"<!-- begin: .*?<!-- end: \w+ -->", re.DOTALL)
RUN_FOLDER = re.compile(r"run-\d{8}-\d{6}-")

#: Commands that need not be installed, whatever environment this runs in.
SHELL = """
metagen() { "$PYTHON" -m metagen "$@"; }
copier() { "$PYTHON" -m copier "$@"; }
"""


@dataclass(frozen=True)
class Block:
    """A fenced block: where it stands, what it says, and what is done with it."""

    start: int
    end: int
    language: str
    title: str
    text: str
    mark: str
    how: str

    @property
    def commands(self) -> list[str]:
        """The commands, without their prompts, continued lines joined."""
        found: list[str] = []
        for line in self.text.splitlines():
            if line.startswith("$ "):
                found.append(line[2:])
            elif found and found[-1].endswith("\\"):
                found[-1] += "\n" + line
        return found


def blocks(text: str) -> list[Block]:
    """The fenced blocks of a page; console blocks that other code writes are left out."""
    written = [match.span() for match in GENERATED.finditer(text)]
    return [
        Block(
            match.start("text"), match.end("text"), match["language"], match["title"] or "",
            match["text"], match["mark"] or "", (match["how"] or "").lstrip(",: "),
        )
        for match in BLOCK.finditer(text)
        if not any(begin < match.start() < end for begin, end in written)
    ]  # fmt: skip


class Session:
    """A terminal in a folder of its own, with this checkout as MetaGen and as its template."""

    def __init__(self, folder: Path) -> None:
        self.home = self.place = folder / "home"
        self.home.mkdir()
        self.state = folder / "place"
        self.environment = os.environ | {
            "PYTHON": sys.executable,
            "PYTHONPATH": str(ROOT / "src"),
            "PYTHONDONTWRITEBYTECODE": "1",
            "NO_COLOR": "1",
            "TERM": "dumb",
            "COLUMNS": WIDTH,
            "EDITOR": "perl -pi -e s/350M/300M/",
            **{f"GIT_{who}_NAME": "Somebody" for who in ("AUTHOR", "COMMITTER")},
            **{f"GIT_{who}_EMAIL": "somebody@example.org" for who in ("AUTHOR", "COMMITTER")},
            **_redirected(folder / "template"),
        }
        for name in ("FORCE_COLOR", "LINES", "MAKEFLAGS", "MAKELEVEL"):
            self.environment.pop(name, None)

    def run(self, command: str, status: int = 0) -> str:
        """What a command prints on both streams.

        Raises:
            RuntimeError: where it exits with another status.
        """
        script = f"{SHELL}{command}\nstatus=$?; pwd > {self.state}; exit $status"
        done = subprocess.run(
            ["bash", "-c", script], cwd=self.place, env=self.environment, text=True,
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip
        if done.returncode != status:
            raise RuntimeError(f"$ {command}\nexits {done.returncode}\n{done.stdout}")
        self.place = Path(self.state.read_text(encoding="utf-8").strip())
        return "".join(line.rstrip() + "\n" for line in done.stdout.splitlines())


def _redirected(origin: Path) -> dict[str, str]:
    """An environment in which Git takes the published template from this checkout."""
    from metagen import __version__

    ignored = shutil.ignore_patterns("__pycache__", "_bundle")
    for name in ("template", "src"):
        shutil.copytree(ROOT / name, origin / name, ignore=ignored)
    shutil.copy(ROOT / "copier.yml", origin)
    git = ["git", "-c", "user.name=Somebody", "-c", "user.email=somebody@example.org"]
    for arguments in (
        ["init", "--quiet"],
        ["add", "--all"],
        ["commit", "--quiet", "--message", "Template"],
        ["tag", f"v{__version__}"],
    ):
        subprocess.run([*git, *arguments], cwd=origin, check=True)
    return {
        "GIT_CONFIG_COUNT": "1",
        "GIT_CONFIG_KEY_0": f"url.{origin}/.git.insteadOf",
        "GIT_CONFIG_VALUE_0": "https://github.com/metagen/template.git",
    }


def played(text: str, page: str, slow: bool = False) -> str:
    """A page with what its commands print now; of slow blocks only if asked for.

    Raises:
        RuntimeError: for a command that fails.
    """
    with tempfile.TemporaryDirectory() as folder:
        session = Session(Path(folder).resolve())
        if slow and page in BEFORE:
            session.run(BEFORE[page])
        moved = 0
        for block in blocks(text):
            new = _played(block, session, slow)
            if timeless(new) != timeless(block.text):
                text = text[: block.start + moved] + new + text[block.end + moved :]
                moved += len(new) - len(block.text)
    return text


def _played(block: Block, session: Session, slow: bool) -> str:
    """The block as it should stand."""
    if block.title:
        (session.place / block.title).write_text(block.text, encoding="utf-8")
    if block.mark not in ("played", "recorded") or (block.mark == "recorded" and not slow):
        return block.text
    status = re.search(r"exits (\d+)", block.how)
    shown = []
    for command in block.commands:
        last = command == block.commands[-1]
        printed = session.run(command, int(status[1]) if status and last else 0)
        shown.append(f"$ {command}\n{printed}")
    return block.text if "silently" in block.how else "".join(shown)


def timeless(text: str) -> str:
    """What was printed, without the moment of its recording."""
    return RUN_FOLDER.sub("run-", text)


def figureless(text: str) -> str:
    """What was printed, without its numbers and without the blanks that align them."""
    return re.sub(r"\s+", " ", re.sub(r"[\d.,]+(?:e[+-]\d+)?", "#", text))


def main() -> None:
    """Play pages and rewrite them."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="*", type=Path, default=PAGES)
    parser.add_argument("--slow", action="store_true", help="recorded blocks, too")
    options = parser.parse_args()
    for page in options.pages:
        text = page.read_text(encoding="utf-8")
        page.write_text(played(text, page.name, options.slow), encoding="utf-8")
        print(page)


if __name__ == "__main__":
    main()
