"""Colour decisions, control characters, and the spinner."""

from __future__ import annotations

import io
import subprocess
import sys
from pathlib import Path

import pexpect
import pytest

from metagen import terminal
from metagen.summaries import next_commands

SLOW = (
    "import time\nfrom metagen.terminal import busy, say\n"
    "with busy('thinking [b]hard[/b]'): time.sleep({})\nsay('done: it')\n"
)


class Stream(io.StringIO):
    def __init__(self, tty: bool) -> None:
        super().__init__()
        self.tty = tty

    def isatty(self) -> bool:
        return self.tty


@pytest.mark.parametrize(
    ("tty", "env", "wanted"),
    [
        (True, {}, True),
        (False, {}, False),
        (True, {"NO_COLOR": "1"}, False),
        (True, {"NO_COLOR": ""}, True),
        (True, {"TERM": "dumb"}, False),
        (False, {"FORCE_COLOR": "1"}, True),
        (False, {"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
    ],
)
def test_colour(
    tty: bool, env: dict[str, str], wanted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("NO_COLOR", "FORCE_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    for name, value in env.items():
        monkeypatch.setenv(name, value)
    assert terminal.wants_colour(Stream(tty)) is wanted


def test_control_and_direction_characters_show() -> None:
    assert terminal.visible("a\x1b[31mb\x07\rc\u202ed") == "a\\x1b[31mb\\x07\\x0dc\\u202ed"
    assert terminal.visible("∞ ü\n\ttext") == "∞ ü\n\ttext"


def test_only_labels_at_a_lines_start_are_coloured(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("FORCE_COLOR", "1")
    terminal.say("error: an error: twice\nhint: none\n  allowed: x")
    shown = capsys.readouterr()
    assert shown.out == ""
    assert shown.err.count("\x1b[0m") == 2
    assert shown.err.startswith("\x1b[1;31merror:\x1b[0m an error: twice\n\x1b[1;36mhint:\x1b[0m")


def test_a_slow_step_shows_a_spinner() -> None:
    shown = pexpect.run(
        f'{sys.executable} -c "{SLOW.format(1.6)}"', encoding="utf-8", timeout=30,
        env={"TERM": "xterm-256color", "PATH": ""},
    )  # fmt: skip
    assert "thinking [b]hard[/b]" in shown
    assert shown.rstrip().endswith("it")


def test_a_quick_step_and_a_pipe_show_none() -> None:
    quick = pexpect.run(
        f'{sys.executable} -c "{SLOW.format(0.1)}"', encoding="utf-8", timeout=30,
        env={"TERM": "xterm-256color", "PATH": ""},
    )  # fmt: skip
    assert "thinking" not in quick
    piped = subprocess.run([sys.executable, "-c", SLOW.format(1.2)], capture_output=True, text=True)
    assert (piped.stdout, piped.stderr) == ("", "done: it\n")


@pytest.mark.parametrize("artifacts", [(), ("paper",), ("pytorch_skeleton", "paper")])
def test_next_commands_fit_six_lines_and_survive_spaces(artifacts: tuple[str, ...]) -> None:
    lines = next_commands(Path("my runs/a"), artifacts).splitlines()
    assert len(lines) <= 6
    assert lines[0] == "  cd 'my runs/a'"
    assert any("make" in line for line in lines) == bool(artifacts)
