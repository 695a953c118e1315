"""Faults: signals at any moment, tools that are missing or fail, places that cannot be written.

Whatever happens, a destination is absent or complete, a repository as it was or updated, and the
message says which. A `synth` that is killed may leave a hidden folder beside its destination; an
`update` that is killed is undone by the command that the next one prints.
"""

from __future__ import annotations

import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from metagen.post.git import Git

from ..template.conftest import commit, contents, start
from .scenarios import TEXT

pytestmark = pytest.mark.skipif(os.name == "nt", reason="signals, and tools that are scripts")

SIGNALS = (signal.SIGKILL, signal.SIGINT, signal.SIGTERM)
LIVES = [
    pytest.param(each, seed, marks=[] if seed < 1 else pytest.mark.full, id=f"{each.name}-{seed}")
    for each in SIGNALS
    for seed in range(16)
]
SPEC = "\n".join(f"{key}: {value}" for key, value in TEXT.items()).replace("'", '"') + "\n"
C_LOCALE = {"LC_ALL": "C", "LANG": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}


def metagen(*arguments: object, cwd: Path, path: Path | None = None, **changes: str | None) -> dict:
    """Options of a `metagen` process; `None` takes a variable out of its environment."""
    environment = {**os.environ, **changes} | ({"PATH": str(path)} if path else {})
    return {
        "args": [sys.executable, "-m", "metagen", *map(str, arguments)],
        "cwd": cwd,
        "env": {key: value for key, value in environment.items() if value is not None},
        "text": True,
        "errors": "replace",
        "stdout": subprocess.PIPE,
        "stderr": subprocess.PIPE,
        "start_new_session": True,
    }


def synth(folder: Path, **options: object) -> subprocess.CompletedProcess:
    (folder / "spec.yaml").write_text(SPEC)
    command = ("synth", "spec.yaml", "--out", ".", "--run-id", "made")
    return subprocess.run(**metagen(*command, cwd=folder, **options))


def stopped(process: dict, number: int, after: float) -> tuple[int, str]:
    """Run a process and send its group a signal; its status and what it said."""
    child = subprocess.Popen(**process)
    time.sleep(after)
    if child.poll() is None:
        os.killpg(child.pid, number)
    _, said = child.communicate(timeout=120)
    return child.returncode, said


@pytest.fixture(autouse=True)
def counted(count) -> None:
    count(faults_injected=1)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[dict[str, bytes], float]:
    """What a synthesis writes, and how many seconds it takes."""
    folder = tmp_path_factory.mktemp("whole")
    began = time.monotonic()
    done = synth(folder)
    assert done.returncode == 0, done.stderr
    return contents(folder / "made"), time.monotonic() - began


@pytest.fixture(scope="module")
def updatable(versions, whole, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, float]:
    """A repository whose specification has changed, and how long its update takes."""
    folder = tmp_path_factory.mktemp("updatable") / "project"
    for path, content in whole[0].items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(content)
    project = start(folder, versions.path)
    project.write("README.md", project.read("README.md") + "\nMine: größer.\n")
    project.edit("spec.yaml", '"5M"', '"700k"')
    commit(project.path)
    copied = shutil.copytree(folder, folder.with_name("timed"))
    began = time.monotonic()
    done = subprocess.run(**update(copied, versions))
    assert done.returncode == 0, done.stderr
    return folder, time.monotonic() - began


def update(project: Path, versions, **options: object) -> dict:
    return metagen("update", project, "--template", versions.path, cwd=project.parent, **options)


@pytest.fixture
def project(updatable, tmp_path) -> Path:
    return Path(shutil.copytree(updatable[0], tmp_path / "project"))


@pytest.fixture(scope="module")
def updated(updatable) -> dict[str, bytes]:
    return contents(updatable[0].with_name("timed"))


@pytest.mark.parametrize(("number", "seed"), LIVES)
def test_synthesis_stopped(number, seed, whole, tmp_path):
    tree, seconds = whole
    (tmp_path / "spec.yaml").write_text(SPEC)
    process = metagen("synth", "spec.yaml", "--out", ".", "--run-id", "made", cwd=tmp_path)
    moment = random.Random(f"{number} {seed}").uniform(0.1, 1.1) * seconds
    status, said = stopped(process, number, moment)
    if (tmp_path / "made").exists():
        assert contents(tmp_path / "made") == tree
    if number == signal.SIGKILL:
        shutil.rmtree(tmp_path / "made", ignore_errors=True)
        assert synth(tmp_path).returncode == 0, "nothing stands in the way of another try"
        return
    assert (status == 0) <= (tmp_path / "made").exists()
    left = [path.name for path in tmp_path.iterdir() if path.name not in ("made", "spec.yaml")]
    assert left == []
    if "interrupted" in said:
        complete = (tmp_path / "made").exists()
        assert ("is complete" if complete else "not written") in said.replace("nothing was", "not")


@pytest.mark.parametrize(("number", "seed"), LIVES)
def test_update_stopped(number, seed, updatable, updated, project, versions):
    before = contents(project)
    moment = random.Random(f"update {number} {seed}").uniform(0.2, 1.1) * updatable[1]
    status, said = stopped(update(project, versions), number, moment)
    after = contents(project)
    if number != signal.SIGKILL:
        assert after == (updated if status == 0 else before), said
        return
    if after != before:
        again = subprocess.run(**update(project, versions))
        if "was cut short" not in again.stderr:
            assert "uncommitted changes" in again.stderr and after == updated
            return
        undo = again.stderr.split("`")[1]
        subprocess.run(undo, shell=True, cwd=project, check=True, capture_output=True)
    assert contents(project) == before
    assert subprocess.run(**update(project, versions)).returncode == 0
    assert contents(project) == updated


@pytest.mark.parametrize("by", ["metagen", "hand"])
def test_rewinding_takes_rejected_hunks_along(by, project):
    """They are ignored, as are an author's own files, which stay."""
    git = Git(project, ".copier-answers.yml")
    mine = {"data/mine.csv": b"1\n", "data/mine.rej": b"2\n", "own.rej": b"3\n"}
    (project / "data").mkdir()
    for name, text in mine.items():
        (project / name).write_bytes(text)
    before = contents(project)
    for name in ("README.md", "README.md.rej", "docs/model_card.md.rej", "docs/new.md"):
        (project / name).write_text("rejected\n")
    if by == "hand":
        subprocess.run(git.rewind_command, shell=True, cwd=project, check=True)
    else:
        assert git.rewind()
    assert contents(project) == before and before.keys() >= mine.keys()


@pytest.fixture
def tools(tmp_path):
    """`tools(without=(), failing=()) -> Path`: a folder of links to what is installed, or not."""

    def make(without: tuple[str, ...] = (), failing: Mapping[str, str] | None = None) -> Path:
        folder = tmp_path / "tools"
        folder.mkdir()
        for source in ("/usr/bin", "/bin", "/usr/local/bin"):
            for tool in Path(source).iterdir() if Path(source).is_dir() else ():
                link = folder / tool.name
                if tool.name not in without and not os.path.lexists(link):
                    link.symlink_to(tool)
        for name, word in (failing or {}).items():
            real = shutil.which(name)
            (folder / name).unlink(missing_ok=True)
            (folder / name).write_text(
                f'#!/bin/sh\nfor word in "$@"; do\n  [ "$word" = {word} ] && '
                f'{{ echo "fatal: {word} failed" >&2; exit 128; }}\ndone\nexec {real} "$@"\n'
            )
            (folder / name).chmod(0o755)
        return folder

    return make


FULL = pytest.mark.full


@pytest.mark.parametrize(
    "word",
    ["apply", *(pytest.param(word, marks=FULL) for word in ("clone", "write-tree", "diff-tree",
     "rev-parse", "commit", "merge-file", "checkout", "update-index", "init", "restore"))],
)  # fmt: skip
def test_update_with_a_git_that_fails(word, project, updated, versions, tools):
    before = contents(project)
    done = subprocess.run(**update(project, versions, path=tools(failing={"git": word})))
    after = contents(project)
    assert after == (updated if done.returncode == 0 else before), done.stderr
    assert done.returncode == 0 or done.stderr.startswith("error: "), done.stderr
    assert "Traceback" not in done.stderr


def test_without_git(project, versions, whole, tools, tmp_path):
    path = tools(without=("git",))
    done = subprocess.run(**update(project, versions, path=path))
    assert (done.returncode, "git is not installed" in done.stderr) == (1, True), done.stderr
    (tmp_path / "out").mkdir()
    done = synth(tmp_path / "out", path=path)
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "out" / "made") == whole[0]


@pytest.fixture
def without_matplotlib(tmp_path) -> str:
    """A `PYTHONPATH` on which importing matplotlib fails as if it were not installed."""
    blocked = tmp_path / "blocked" / "matplotlib"
    blocked.mkdir(parents=True)
    (blocked / "__init__.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'matplotlib'\")"
    )
    return os.pathsep.join((str(blocked.parent), os.environ.get("PYTHONPATH", "")))


def test_without_matplotlib(tmp_path, whole, without_matplotlib):
    """Everything but the figures, and a note that says how to draw them later."""
    done = synth(tmp_path, PYTHONPATH=without_matplotlib)
    assert done.returncode == 0 and "make figures" in done.stderr, done.stderr
    made = contents(tmp_path / "made")
    missing = whole[0].keys() - made.keys()
    assert missing and all("/figures/" in path for path in missing)
    differing = {path for path in made if made[path] != whole[0][path]}
    assert differing <= {".metagen-manifest.json"}


def test_update_without_matplotlib(project, updated, versions, without_matplotlib):
    """Figures stay as they are, and a note says how to draw them later."""
    before = contents(project)
    done = subprocess.run(**update(project, versions, PYTHONPATH=without_matplotlib))
    assert done.returncode == 0 and "make figures" in done.stderr, done.stderr
    after = contents(project)
    assert after.keys() == updated.keys()
    differing = {path for path in after if after[path] != updated[path]}
    assert differing and all(
        path == ".metagen-manifest.json" or after[path] == before[path] for path in differing
    )
    assert all("/figures/" in path or path == ".metagen-manifest.json" for path in differing)


def test_without_home_in_another_locale(tmp_path, project, updated, versions, whole):
    bare = {"HOME": None, "XDG_CONFIG_HOME": None, "XDG_CACHE_HOME": None, **C_LOCALE}
    done = synth(tmp_path, **bare)
    assert done.returncode == 0, done.stderr
    assert contents(tmp_path / "made") == whole[0]
    done = subprocess.run(**update(project, versions, **bare))
    assert done.returncode == 0, done.stderr
    assert contents(project) == updated


def test_two_at_once(tmp_path, whole):
    """One of them writes the folder, the other says so."""
    (tmp_path / "spec.yaml").write_text(SPEC)
    process = metagen("synth", "spec.yaml", "--out", ".", "--run-id", "made", cwd=tmp_path)
    children = [subprocess.Popen(**process) for _ in range(2)]
    said = [child.communicate(timeout=240)[1] for child in children]
    statuses = sorted(child.returncode for child in children)
    assert statuses == [0, 1], said
    assert any("another run has written it" in text or "exists" in text for text in said)
    assert contents(tmp_path / "made") == whole[0]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "spec.yaml"]


def test_two_updates_at_once(project, updated, versions):
    """One of them updates the repository, the other leaves it alone and says so."""
    children = [subprocess.Popen(**update(project, versions)) for _ in range(2)]
    said = [child.communicate(timeout=240)[1] for child in children]
    assert sorted(child.returncode for child in children) == [0, 1], said
    assert any("is running" in text or "uncommitted changes" in text for text in said), said
    assert contents(project) == updated


@pytest.mark.parametrize(
    "size", [30_000, pytest.param(3_000, marks=FULL), pytest.param(0, marks=FULL)]
)
def test_no_room(size, tmp_path, project, versions):
    """No file may grow beyond `size` bytes, as on a full disk."""

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))

    (tmp_path / "spec.yaml").write_text(SPEC)
    process = metagen("synth", "spec.yaml", "--out", ".", "--run-id", "made", cwd=tmp_path)
    done = subprocess.run(**process, preexec_fn=limit)
    assert done.returncode == 1 and done.stderr.startswith("error: "), done.stderr
    assert "Traceback" not in done.stderr
    assert sorted(path.name for path in tmp_path.iterdir()) == ["project", "spec.yaml"]
    before = contents(project)
    done = subprocess.run(**update(project, versions), preexec_fn=limit)
    assert done.returncode == 1 and "Traceback" not in done.stderr, done.stderr
    assert contents(project) == before


@pytest.mark.skipif(os.geteuid() == 0, reason="the superuser may write anywhere")
def test_read_only(tmp_path):
    (tmp_path / "spec.yaml").write_text(SPEC)
    tmp_path.chmod(0o555)
    try:
        process = metagen("synth", "spec.yaml", "--out", ".", "--run-id", "made", cwd=tmp_path)
        done = subprocess.run(**process)
    finally:
        tmp_path.chmod(0o755)
    assert done.returncode == 1 and "ermission denied" in done.stderr, done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["spec.yaml"]


def test_a_place_that_cannot_be_written(tmp_path):
    (tmp_path / "spec.yaml").write_text(SPEC)
    done = subprocess.run(**metagen("synth", "spec.yaml", "--out", "/proc/nowhere", cwd=tmp_path))
    assert done.returncode == 1 and done.stderr.startswith("error: "), done.stderr
    assert "Traceback" not in done.stderr


def test_links_are_not_followed(project, versions, tmp_path):
    """A file or a folder that the author replaced by a link: what it points to stays."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "readme.md").write_text("not yours\n")
    (project / "README.md").unlink()
    (project / "README.md").symlink_to(outside / "readme.md")
    (project / "docs").rename(outside / "docs")
    (project / "docs").symlink_to(outside / "docs")
    commit(project)
    before = contents(outside)
    done = subprocess.run(**update(project, versions))
    assert "Traceback" not in done.stderr, done.stderr
    assert contents(outside) == before
    assert (project / "README.md").is_symlink() and (project / "docs").is_symlink()


def test_a_link_where_the_repository_should_go(tmp_path):
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "made").symlink_to(tmp_path / "elsewhere")
    done = synth(tmp_path)
    assert done.returncode == 1 and "exists" in done.stderr, done.stderr
    assert list((tmp_path / "elsewhere").iterdir()) == []
