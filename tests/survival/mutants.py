"""Mutation testing's second look: `mutmut run`, then `python tests/survival/mutants.py [FILE ...]`.

mutmut switches its mutants on in a running process. What runs while a module is imported is past
by then, and Copier loads its hook from a checkout of its own. So every mutant that mutmut left
alive is written to disk here, and tests run in a fresh process. `mutants.json` beside this file
records for each module how many mutants there were and the changes that nobody noticed.

Run it in a clone with nothing to lose: it edits source files and puts them back.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from mutmut.mutation.data import SourceFileMutationData
from mutmut.mutation.diff_apply import apply_mutant, get_diff_for_mutant
from mutmut.utils.file_utils import walk_mutatable_files

RECORD = Path(__file__).with_name("mutants.json")
SECONDS = 300
DEAD = (1, 3, -9, -24, 24, 36, 152, 255)
"""How pytest ends where a mutant is noticed: with a failure, or over its limits."""

TESTS = {
    "specs": ("tests/specs/test_errors.py", "tests/specs/test_reference.py", "tests/specs"),
    "synth": ("tests/engine/test_solver.py", "tests/engine/test_constraints.py"),
    "copier_hook.py": (
        "tests/template/test_contract.py",
        "tests/template/test_hook.py",
        "tests/template/test_doors.py",
    ),
}
"""What runs for a file or a folder of `src/metagen`."""


def mutants() -> Iterator[tuple[Path, str, bool]]:
    """Every mutant: its file, its name, and whether mutmut's tests noticed it."""
    for path in sorted(walk_mutatable_files()):
        data = SourceFileMutationData(path=path)
        data.load()
        for name, status in data.exit_code_by_key.items():
            yield path, name, status in DEAD


def passes(part: str) -> bool:
    """Whether the tests of a part of `src/metagen` pass, in time, as it is on disk."""
    command = [sys.executable, "-m", "pytest", "-qx", "-p", "no:cacheprovider", *TESTS[part]]
    environment = os.environ | {"PYTHONPATH": "src", "PYTHONDONTWRITEBYTECODE": "1"}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, timeout=SECONDS)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0


def noticed(path: Path, name: str) -> bool:
    """Whether tests fail where the mutant is on disk."""
    original = path.read_bytes()
    try:
        apply_mutant(name)
        return not passes(path.relative_to("src/metagen").parts[0])
    finally:
        path.write_bytes(original)


def change(name: str) -> str:
    """The lines that a mutant takes out and puts in."""
    lines = get_diff_for_mutant(name).splitlines()
    return "\n".join(line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---"))


def main(wanted: list[str]) -> None:
    """Look at the modules `wanted`, such as `specs/reader.py`, or at all."""
    for part in TESTS:
        if not passes(part):
            sys.exit(f"the tests of {part} fail without a mutant")
    made: Counter[str] = Counter()
    alive: dict[str, dict[str, str]] = {}
    for path, name, dead in mutants():
        module = path.relative_to("src/metagen").as_posix()
        if wanted and module not in wanted:
            continue
        made[module] += 1
        if not dead and not noticed(path, name):
            print(name, change(name), sep="\n", flush=True)
            alive.setdefault(module, {})[name] = change(name)
    record = json.loads(RECORD.read_text(encoding="utf-8")) if wanted and RECORD.exists() else {}
    record |= {m: {"mutants": made[m], "survivors": alive.get(m, {})} for m in made}
    text = json.dumps(record, indent=1, sort_keys=True, ensure_ascii=False)
    RECORD.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
