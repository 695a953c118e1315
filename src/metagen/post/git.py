"""The few questions that the post step asks Git."""

from __future__ import annotations

import shlex
import subprocess
from collections.abc import Iterable
from pathlib import Path

REWIND = (
    ("restore", "--source=HEAD", "--staged", "--worktree", "--", "."),
    ("clean", "--force", "-d", "--quiet", "--", "."),
)


class Git:
    """Git in the folder `project`, which may be a repository, a part of one, or neither.

    Paths are relative to `project`, with forward slashes. `has_head` is whether the project is
    committed; a folder that some repository around it ignores is not.
    """

    def __init__(self, project: Path, answers_file: str) -> None:
        self.project = project
        self.has_head = self._ask("cat-file", "-e", f"HEAD:./{answers_file}") is not None

    def deleted(self) -> list[str]:
        """Tracked files that are gone from the working tree."""
        return self._paths("ls-files", "-z", "--deleted") if self.has_head else []

    def modified(self) -> list[str]:
        """Tracked files that differ in the working tree, deleted ones included."""
        return self._paths("ls-files", "-z", "--modified") if self.has_head else []

    def untracked(self) -> list[str]:
        """Files that Git neither tracks nor ignores."""
        return self._paths("ls-files", "-z", "--others", "--exclude-standard")

    def unmerged(self) -> list[str]:
        """Files with conflicts."""
        return self._paths("diff", "-z", "--name-only", "--relative", "--diff-filter=U")

    def committed(self, paths: Iterable[str]) -> dict[str, bytes]:
        """The contents at HEAD of those of `paths` that are there."""
        wanted = [path for path in paths if "\n" not in path]
        if not (self.has_head and wanted):
            return {}
        asked = "".join(f"HEAD:./{path}\n" for path in wanted)
        answer = self._ask("cat-file", "--batch", given=asked.encode()) or b""
        found, at = {}, 0
        for path in wanted:
            end = answer.index(b"\n", at)
            header, at = answer[at:end].split(b" "), end + 1
            if header[-2:-1] == [b"blob"]:
                size = int(header[-1])
                found[path], at = answer[at : at + size], at + size + 1
        return found

    def restore(self, paths: Iterable[str]) -> None:
        """Bring `paths` back as they are at HEAD; what conflicted in the index is settled."""
        if wanted := [f":(literal){path}" for path in paths]:
            self._ask("restore", "--source=HEAD", "--staged", "--worktree", "--", *wanted)

    def dirty(self) -> bool:
        """Whether anything differs from HEAD, files that Git does not know included."""
        return bool(self._ask("status", "--porcelain", "--", "."))

    def rejects(self) -> list[str]:
        """Hunks that could not be applied to tracked files, which a repository may ignore."""
        tracked = set(self._paths("ls-files", "-z"))
        ignored = ("--others", "--ignored", "--exclude-standard")
        found = self._paths("ls-files", "-z", *ignored, "--", "*.rej")
        return [path for path in found if path.removesuffix(".rej") in tracked]

    def rewind(self) -> bool:
        """Make a working tree that was clean what it was; whether that worked."""
        for path in self.rejects():  # one by one: `git clean -X` takes ignored folders along
            (self.project / path).unlink(missing_ok=True)
        for command in REWIND:
            self._ask(*command)
        return self._ask("status", "--porcelain", "--", ".") == b""

    @property
    def rewind_command(self) -> str:
        """The same for a shell."""
        rejects = [("rm", "--", *self.rejects())] if self.rejects() else []
        commands = [*rejects, *(("git", *command) for command in REWIND)]
        return " && ".join(map(shlex.join, commands))

    def own_file(self, name: str) -> Path | None:
        """Where a file called `name` is in the Git folder, outside the working tree."""
        answer = self._ask("rev-parse", "--git-path", name)
        return self.project / answer.decode().strip() if answer else None

    def _paths(self, *arguments: str) -> list[str]:
        answer = self._ask(*arguments) or b""
        return sorted({path.decode() for path in answer.split(b"\0") if path})

    def _ask(self, *arguments: str, given: bytes | None = None) -> bytes | None:
        """Git's answer, or None when there is no Git, no repository, or nothing to say."""
        try:
            done = subprocess.run(
                ["git", *arguments], cwd=self.project, input=given, capture_output=True, check=True
            )
        except (OSError, subprocess.CalledProcessError):
            return None
        return done.stdout
