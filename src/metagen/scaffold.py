"""Whole repositories: synthesised beside their destination and renamed, or updated in place."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import __version__, answers
from .package_names import package_from
from .specs.errors import Problem, SpecError

if TYPE_CHECKING:
    from .copier_run import Tree
    from .post.figures import Drawing
    from .post.git import Git
    from .specs.schema import ModelSpec
    from .synth.release import Release

ORIGIN = "gh:metagen/template"
ANSWERS_FILE = ".copier-answers.yml"


class ScaffoldError(RuntimeError):
    """A repository cannot be made or updated; the message says what to do."""


@dataclass(frozen=True)
class Result:
    """A synthesised repository: where it is, what it was made from, a note where there is one."""

    path: Path
    release: Release
    note: str = ""


@dataclass(frozen=True)
class UpdateReport:
    """What an update left behind.

    Conflicts, edited files brought back, a note on the figures, and what there is to know about a
    `spec.yaml` of a former version of MSL.
    """

    conflicts: tuple[str, ...] = ()
    restored: tuple[str, ...] = ()
    note: str = ""
    upgraded: tuple[str, ...] = ()

    @property
    def exit_status(self) -> int:
        """1 while there are conflicts to resolve."""
        return 1 if self.conflicts else 0


def template_root() -> Path:
    """The folder that Copier would render: this checkout, or the bundle in an installed wheel."""
    home = Path(__file__).resolve().parent
    bundle = home / "_bundle"
    return bundle if bundle.is_dir() else home.parent.parent


def synthesize(
    source: Release | ModelSpec | Mapping[str, Any] | str | Path,
    destination: str | Path,
    *,
    package: str | None = None,
    author: str | None = None,
    license: str | None = None,
    voice: str | None = None,
    seed: int | None = None,
    spec_text: str | None = None,
) -> Result:
    """Write the repository of `source` to `destination`, which must not exist.

    `source` is anything that `load_spec` takes, a `ModelSpec`, or a `Release` already planned.
    `spec_text` becomes the repository's `spec.yaml`; it is read from the file where `source` is
    one. A `seed` replaces the document's, there as well.

    Raises:
        SpecError: the specification or an answer is refused; nothing is written.
        ScaffoldError: the destination exists.
    """
    destination = Path(os.path.abspath(destination))
    if destination.exists() or destination.is_symlink():
        raise ScaffoldError(f"{destination} exists; choose another folder or remove it")
    with _said_when_interrupted(destination), ExitStack() as stack:
        drawing = stack.enter_context(_drawing_ahead())
        release, text = _release_of(source, voice, seed, spec_text)
        stated_answers = _answers(release, package, author, license)
        _draw(drawing, release, "paper" in release.artifacts)
        staging = stack.enter_context(_staging(destination))
        _render(release, stated_answers, staging)
        note = _finish(staging, drawing, text)
        _place(staging, destination)
    return Result(destination, release, note)


def paper(
    source: Release | ModelSpec | Mapping[str, Any] | str | Path,
    destination: str | Path,
    *,
    author: str | None = None,
    voice: str | None = None,
    seed: int | None = None,
) -> Result:
    """Write only the LaTeX project to `destination`.

    A paper that was generated there before is replaced, file by file; what else is in the folder,
    such as measurements, stays.

    Raises:
        SpecError: the specification or an answer is refused; nothing is written.
        ScaffoldError: the destination holds something other than a generated paper.
    """
    destination = Path(os.path.abspath(destination))
    if not _may_hold_paper(destination):
        raise ScaffoldError(f"{destination} is not empty and not a generated paper")
    with ExitStack() as stack:
        drawing = stack.enter_context(_drawing_ahead())
        release, _ = _release_of(source, voice, seed, None)
        stated_answers = _answers(release, None, author, None)
        _draw(drawing, release, with_paper=True)
        staging = stack.enter_context(_staging(destination))
        _render(release, stated_answers, staging, exclude=("/*", "!/paper"))
        note = drawing.wait()
        for path, drawn in drawing.outputs().items() if not note else ():
            if path.startswith("paper/"):
                (staging / path).parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(drawn, staging / path)
        if destination.exists():
            shutil.copytree(staging / "paper", destination, dirs_exist_ok=True)
        else:
            os.rename(staging / "paper", destination)
    return Result(destination, release, note)


def update(
    directory: str | Path = ".", *, upgrade: bool = False, template: str | None = None
) -> UpdateReport:
    """Bring the repository in `directory` up to date with its `spec.yaml`.

    The template keeps its version unless `upgrade`, which moves to the newest tag. `template`
    stands in for the recorded source, for this once. Whatever interrupts the update, the
    repository is as it was.

    Raises:
        ScaffoldError: there is nothing to update, or Copier refuses; the message says why.
    """
    project = Path(os.path.abspath(directory))
    if not (project / ANSWERS_FILE).is_file():
        raise ScaffoldError(f"{project} has no {ANSWERS_FILE}; it was not made by MetaGen")
    from .copier_run import Refused, run_update
    from .post import report
    from .post.git import Git

    git = Git(project, ANSWERS_FILE)
    if shutil.which("git") is None:
        raise ScaffoldError("git is not installed, and an update merges with its help")
    if not git.has_head:
        raise ScaffoldError(f"{project} is not committed to Git; an update merges with what is")
    with report.alone(git) as alone:
        if not alone:
            raise ScaffoldError(f"another update of {project} is running; wait until it is done")
        _check_nothing_is_uncommitted(project, git)
        try:
            with report.requested(git) as found:
                old, new = run_update(project, upgrade=upgrade, source=template)
            mine = git.committed(old.keys() - {ANSWERS_FILE, "spec.yaml", *found["restored"]})
            _check_the_merge(project, old, mine, new)
        except BaseException as error:
            if not git.rewind():
                raise ScaffoldError(
                    f"{project} is half updated; git status shows what differs from the commit "
                    "that the update began with"
                ) from error
            if isinstance(error, KeyboardInterrupt):
                raise KeyboardInterrupt(f"{project} is as it was") from None
            if isinstance(error, Refused):
                raise ScaffoldError(str(error).removeprefix("error: ")) from error
            raise
        restored, upgraded = tuple(found["restored"]), tuple(found["upgraded"])
        return UpdateReport(tuple(git.unmerged()), restored, found["note"], upgraded)


def _check_nothing_is_uncommitted(project: Path, git: Git) -> None:
    from .post import report

    if git.dirty() and report.left_behind(git):
        raise ScaffoldError(
            f"an update of {project} was cut short; `{git.rewind_command}` there brings back "
            "what it began with"
        )
    if git.dirty():
        raise ScaffoldError(f"{project} has uncommitted changes; commit or stash them first")


def _check_the_merge(project: Path, old: Tree, mine: Tree, new: Tree) -> None:
    """Compare what an update left with what it merged: `mine`, edited `old`, and `new`.

    Copier goes on when the Git that applies or merges an author's edits fails.

    Raises:
        ScaffoldError: a line of the author's is gone, or none of the template's arrived.
    """
    for path, edited in mine.items():
        if edited == old[path]:
            continue
        left = project / path
        result = left.read_bytes() if left.exists() else b""
        if _missing(result, old[path], edited):
            raise ScaffoldError(f"the update would have lost what you wrote in {path}")
        if result == edited and _missing(result, old[path], new.get(path, b"")):
            raise ScaffoldError(f"Git could not merge {path}")


def _missing(text: bytes, before: bytes, after: bytes) -> bool:
    """Whether a line that `after` adds to `before` is not in `text`."""
    added = Counter(after.splitlines()) - Counter(before.splitlines())
    here = {line.rstrip() for line in text.splitlines()}
    return any(line.strip() and line.rstrip() not in here for line in added)


def _release_of(
    source: Any, voice: str | None, seed: int | None, text: str | None
) -> tuple[Release, str | None]:
    """The planned release of `source` and the author's own text, where there is one."""
    from .synth.engine import plan
    from .synth.release import Release

    if isinstance(source, Release):
        return source, text
    from .specs.loader import load_spec
    from .specs.schema import ModelSpec

    if text is None and isinstance(source, str | Path) and str(source) != "-":
        text = _text_of(source)
    spec = source if isinstance(source, ModelSpec) else load_spec(source)
    if seed is not None:
        spec = spec.with_seed(seed)
    _refuse({"voice": voice})
    return plan(spec, voice=voice or "confident"), text


def _text_of(source: str | Path) -> str | None:
    """The document behind a path or a bundled example's name; `load_spec` says what is wrong."""
    from .specs.loader import examples

    path = Path(source)
    path = path if path.is_file() else examples().get(str(source), path)
    try:
        return path.read_bytes().decode("utf-8-sig")
    except (OSError, ValueError):
        return None


def _answers(
    release: Release, package: str | None, author: str | None, license: str | None
) -> dict[str, str]:
    """The repository-level answers, with Copier's defaults where nothing is said."""
    given = {"package_name": package, "author": author, "license": license}
    _refuse(given)
    name = release.spec["name"]
    defaults = {
        "package_name": package_from(name),
        "author": f"The {name} authors",
        "license": answers.REPOSITORY["license"][0],
    }
    said = {key: value for key, value in given.items() if value is not None}
    return defaults | said | {"voice": release.voice}


def _refuse(given: Mapping[str, str | None]) -> None:
    problems = [
        Problem(key, text)
        for key, value in given.items()
        if value is not None and (text := answers.repository_problem(key, value))
    ]
    if problems:
        raise SpecError(problems, "answers")


@contextmanager
def _said_when_interrupted(destination: Path) -> Iterator[None]:
    """Say on Ctrl-C whether `destination` was reached: there is nothing in between."""
    try:
        yield
    except KeyboardInterrupt:
        state = "is complete" if destination.exists() else "was not written"
        raise KeyboardInterrupt(f"{destination} {state}") from None


@contextmanager
def _drawing_ahead() -> Iterator[Drawing]:
    """A process that gets ready to draw while a release is planned."""
    from .post import figures

    drawing = figures.Drawing(figures.AHEAD)
    try:
        yield drawing
    finally:
        drawing.close()


def _draw(drawing: Drawing, release: Release, with_paper: bool) -> None:
    """Begin to draw the figures of `release`, while Copier renders."""
    from .blueprint_files import write_blueprint

    templates = template_root() / "template" / "blueprint"
    write_blueprint(release, templates, drawing.root / "blueprint")
    drawing.begin(with_paper)


@contextmanager
def _staging(destination: Path) -> Iterator[Path]:
    """A folder beside `destination`, on its file system, that is gone afterwards."""
    made = [p for p in destination.parents if not p.exists()]
    folder = None
    try:
        destination.parent.mkdir(parents=True, exist_ok=True)
        folder = tempfile.mkdtemp(prefix=f".{destination.name[:40]}-", dir=destination.parent)
        yield Path(folder) / "repository"
    finally:
        if folder:
            shutil.rmtree(folder, ignore_errors=True)
        for parent in made:
            if parent.is_dir() and not any(parent.iterdir()):
                parent.rmdir()


def _render(
    release: Release,
    stated_answers: Mapping[str, str],
    staging: Path,
    exclude: tuple[str, ...] = (),
) -> None:
    from .copier_run import Refused, run_copy

    stated = answers.in_order_of(release.stated, release.spec)
    origin = {"_src_path": ORIGIN, "_commit": f"v{__version__}"}
    data = origin | dict(stated_answers) | {"spec": stated}
    try:
        run_copy(template_root(), staging, data, release, exclude)
    except Refused as error:
        raise ScaffoldError(str(error)) from error


def _finish(staging: Path, drawing: Drawing, text: str | None) -> str:
    """The post step on a fresh repository; returns its note."""
    from .post import figures, manifest, spec_file
    from .post.git import Git

    if text is not None:
        (staging / "spec.yaml").write_text(text, encoding="utf-8", newline="")
    spec_file.follow(staging / "spec.yaml", staging / ANSWERS_FILE)
    template = template_root() / "template"
    git = Git(staging, ANSWERS_FILE)
    files, _ = manifest.reconcile(staging, {}, git, template, ANSWERS_FILE)
    drawn = figures.finish(staging, drawing)
    manifest.write(staging, manifest.Manifest(files, drawn.record))
    return drawn.note


def _place(staging: Path, destination: Path) -> None:
    """Move what is finished to its place in one step, unless another run was faster."""
    try:
        os.rename(staging, destination)
    except OSError as error:
        if error.errno not in (errno.EEXIST, errno.ENOTEMPTY, errno.ENOTDIR):
            raise
        raise ScaffoldError(f"{destination} exists by now; another run has written it") from error


def _may_hold_paper(folder: Path) -> bool:
    if not folder.exists():
        return True
    if not folder.is_dir():
        return False
    main, ledger = folder / "main.tex", folder / "ledger.tex"
    return not any(folder.iterdir()) or (main.is_file() and ledger.is_file())
