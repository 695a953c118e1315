"""The `metagen` command. Data goes to stdout, everything else to stderr; imports wait for use."""

from __future__ import annotations

import _thread
import json
import re
import shlex
import signal
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TypeVar

import typer

from . import __version__
from .terminal import busy, say

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from .specs.loader import ModelSpec
    from .synth.release import Note, Release
    from .synth.serving import Scenario

Result = TypeVar("Result")

DEMO = ("text_llm_8b", "edge_tiny_agent")

_RUN_ID = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,98}[A-Za-z0-9_-])?")

app = typer.Typer(
    name="metagen",
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

Spec = Annotated[
    str, typer.Argument(metavar="SPEC", help="A path, - for stdin, or a bundled example's name.")
]
Specs = Annotated[
    list[str], typer.Argument(metavar="SPEC...", help="Paths, -, or bundled examples' names.")
]
Out = Annotated[Path, typer.Option(metavar="DIR", help="Where run folders go.")]
Seed = Annotated[
    int | None,
    typer.Option(metavar="N", help="Overrides reproducibility.seed.", show_default=False),
]
Author = Annotated[
    str | None, typer.Option(metavar="NAME", help="Who it is by.", show_default=False)
]
Voice = Annotated[
    str, typer.Option(metavar="VOICE", help="confident, or plain: no jokes, nothing simulated.")
]


@app.callback(invoke_without_command=True)
def _metagen(
    context: typer.Context,
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Turn a model specification into a model repository."""
    if version:
        print(f"metagen {__version__}")
        raise typer.Exit
    if context.invoked_subcommand is None:
        print(context.get_help())


@app.command()
def synth(
    spec: Spec,
    out: Out = Path("outputs"),
    run_id: Annotated[
        str | None,
        typer.Option(
            metavar="ID",
            help="The run folder's name; run-<timestamp>-<short hash> unless given.",
            show_default=False,
        ),
    ] = None,
    seed: Seed = None,
    package: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="The Python package; after the model unless given."),
    ] = None,
    author: Author = None,
    license: Annotated[
        str | None, typer.Option(metavar="ID", help="Apache-2.0 (the default) or MIT.")
    ] = None,
    voice: Voice = "confident",
) -> None:
    """Synthesize a model repository; its path goes to stdout."""
    from .summaries import next_commands, show_summary

    _check_answers(package_name=package, author=author, license=license, voice=voice)
    if run_id is not None:
        _check_run_id(run_id)
    release = _plan(spec, seed, voice)
    text = _text_of(spec)
    made = _synthesize(release, text, out, run_id, package=package, author=author, license=license)
    show_summary([release], sys.stderr)
    say(next_commands(made, release.artifacts))
    print(made)


@app.command()
def demo(out: Out = Path("outputs")) -> None:
    """Synthesize two bundled examples; their paths go to stdout."""
    from .summaries import show_summary

    releases = [_plan(name) for name in DEMO]
    made = [
        _synthesize(release, _text_of(name), out)
        for name, release in zip(DEMO, releases, strict=True)
    ]
    show_summary(releases, sys.stderr)
    for path in made:
        print(path)


@app.command()
def paper(
    spec: Spec,
    out: Annotated[Path, typer.Option(metavar="DIR", help="The paper's folder.")] = Path("paper"),
    seed: Seed = None,
    author: Author = None,
    voice: Voice = "confident",
) -> None:
    """Write only the LaTeX project; its path goes to stdout."""
    from . import scaffold

    _check_answers(author=author, voice=voice)
    release = _plan(spec, seed, voice)
    with busy("writing the paper"):
        made = scaffold.paper(release, out, author=author)
    _mention(made.note)
    say(f"  make -C {shlex.quote(str(out))} pdf")
    print(out)


@app.command()
def schema() -> None:
    """Print the JSON Schema of the specification language."""
    from .specs.loader import json_schema

    _print_json(json_schema())


@app.command()
def validate(specs: Specs) -> None:
    """Check specifications; errors and warnings go to stderr."""
    from .specs.errors import SpecError

    refused = False
    for name in specs:
        try:
            release = _plan(name)
        except SpecError as error:
            say(str(error))
            refused = True
        else:
            total = release.figures["total_params"].text
            say(f"valid: {name}  {release.words['name']}, {total} parameters")
    if refused:
        raise typer.Exit(2)


@app.command()
def estimate(
    specs: Specs,
    device: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="As it runs on another device.", show_default=False),
    ] = None,
    context: Annotated[
        str | None,
        typer.Option(metavar="N", help="As it runs at another context.", show_default=False),
    ] = None,
    batch: Annotated[int, typer.Option(metavar="N", help="Answers at once.", min=1)] = 1,
    figure: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Draw the memory into FILE.", show_default=False),
    ] = None,
    seed: Seed = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Print the numbers and the feasibility; write nothing."""
    from .estimating import draw_memory, estimate_document, show_estimates
    from .synth.engine import assess

    scenario = _scenario(device, context, batch)
    loaded = [_load(name, seed) for name in specs]
    found = []
    for name, spec in zip(specs, loaded, strict=True):
        assessment = _refusing(spec, lambda spec=spec: assess(spec, scenario))
        _warn(name, assessment.notes)
        found.append((spec.name, assessment))
    if figure is not None:
        try:
            draw_memory(found, figure)
        except ValueError as error:
            raise typer.BadParameter(str(error), param_hint="--figure") from None
    if as_json:
        pairs = zip(loaded, found, strict=True)
        documents = [estimate_document(spec, assessment) for spec, (_, assessment) in pairs]
        _print_json(documents[0] if len(documents) == 1 else documents)
    else:
        show_estimates(found, sys.stdout)


@app.command()
def update(
    directory: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="The repository.", show_default=False)
    ] = Path("."),
    upgrade: Annotated[
        bool, typer.Option("--upgrade", help="Move to the newest template.")
    ] = False,
    template: Annotated[
        str | None, typer.Option(metavar="SRC", help="Another template source.", show_default=False)
    ] = None,
) -> None:
    """Bring a repository in line with its spec.yaml."""
    from . import scaffold

    with busy("updating"):
        report = scaffold.update(directory, upgrade=upgrade, template=template)
    _mention(report.note)
    for message in report.upgraded:
        say(f"warning: spec.yaml: {message}")
    for path in report.restored:
        say(f"warning: {path}: restored; you had edited it, and no merge could keep that")
    for path in report.conflicts:
        say(f"error: {path}: conflict")
    if report.conflicts:
        say("hint: resolve the conflicts, then git add and git commit")
    else:
        say(f"done: {directory} is up to date; git diff shows what changed")
    raise typer.Exit(report.exit_status)


def main() -> None:
    """Run the command line; whatever the user can mend ends in a message and a status."""
    sys.stdout.reconfigure(errors="replace")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.unraisablehook = _interrupt_again
    try:
        status = app(prog_name="metagen", standalone_mode=False)
    except Exception as error:
        status = _refuse(error)
    except KeyboardInterrupt as stop:
        say(f"interrupted: {stop}" if str(stop) else "interrupted: nothing was written")
        status = 130
    sys.exit(status or 0)


def _interrupt_again(lost: Any) -> None:
    """Interrupt once more where Python dropped the interrupt: it was running a destructor."""
    if lost.exc_type is KeyboardInterrupt:
        again = threading.Timer(0.001, _thread.interrupt_main)
        again.daemon = True
        again.start()
    else:
        sys.__unraisablehook__(lost)


def _refuse(error: Exception) -> int:
    """Say what the user got wrong and return the status; anything else is raised again."""
    from .scaffold import ScaffoldError
    from .specs.errors import SpecError

    if isinstance(error, SpecError):
        say(str(error))
        return 2
    if isinstance(error, ScaffoldError):
        say(f"error: {error}")
        # Through Copier a refused specification arrives as the text of its SpecError.
        return 2 if str(error.__cause__).startswith("error: ") else 1
    if hasattr(error, "format_message"):  # the parser's own, whichever library it came from
        say(f"error: {error.format_message()}\nhint: metagen --help")
        return getattr(error, "exit_code", 2)
    if isinstance(error, OSError):
        say(f"error: {error.filename or 'metagen'}: {error.strerror or error}")
        return 1
    raise error


def _plan(name: str, seed: int | None = None, voice: str = "confident") -> Release:
    """What follows from the specification under `name`; its notes become warnings."""
    from .synth.engine import plan

    spec = _load(name, seed)
    release = _refusing(spec, lambda: plan(spec, voice=voice))
    _warn(name, release.notes)
    return release


def _load(name: str, seed: int | None) -> ModelSpec:
    """The specification under `name`, with another seed if there is one."""
    from .specs.loader import load_spec, parse

    spec = load_spec(name)
    for message in spec.upgrades:
        say(f"warning: {name}  {message}")
    if seed is not None:
        spec = spec.with_seed(seed)
        parse(spec.stated, "--seed")  # the schema knows which seeds there are
    return spec


def _refusing(spec: ModelSpec, work: Callable[[], Result]) -> Result:
    """The result of `work`; what it refuses names the place in the specification's file."""
    from .specs.errors import SpecError

    try:
        return work()
    except SpecError as error:
        raise spec.error(error.problems) from None


def _warn(name: str, notes: Iterable[Note]) -> None:
    for note in notes:
        say(f"warning: {name}  {note.path}: {note.message}")


def _scenario(device: str | None, context: str | None, batch: int) -> Scenario:
    """The what-ifs of `estimate`, each refused under the name of its option."""
    from .hardware import catalogue
    from .specs.errors import FieldError
    from .specs.quantities import parse_quantity
    from .synth.serving import Scenario

    try:
        found = None if device is None else catalogue.device(device)
    except ValueError as error:
        raise typer.BadParameter(str(error), param_hint="--device") from None
    try:
        length = None if context is None else parse_quantity(context, "tokens")
    except FieldError as error:
        raise typer.BadParameter(str(error), param_hint="--context") from None
    if length is not None and length.is_infinite:
        raise typer.BadParameter("state how many tokens", param_hint="--context")
    return Scenario(found, length and int(length.value), batch)


def _text_of(name: str) -> str | None:
    """The author's own wording of a specification, unless it came through stdin."""
    from .specs.loader import examples

    path = Path(name) if Path(name).is_file() else examples().get(name)
    return path.read_text(encoding="utf-8-sig") if path else None


def _synthesize(
    release: Release,
    text: str | None,
    out: Path,
    run_id: str | None = None,
    **answers: str | None,
) -> Path:
    """Render a release into its run folder."""
    from . import scaffold

    run_id = run_id or f"run-{time.strftime('%Y%m%d-%H%M%S')}-{release.spec_id[:8]}"
    with busy(f"synthesizing {release.words['name']}"):
        made = scaffold.synthesize(release, out / run_id, spec_text=text, **answers)
    _mention(made.note)
    return out / run_id


def _mention(note: str) -> None:
    if note:
        say(f"warning: {note}")


def _check_answers(**given: str | None) -> None:
    """Refuse a repository-level answer under the name of its option."""
    from .answers import repository_problem

    for name, text in given.items():
        if text is not None and (problem := repository_problem(name, text)):
            raise typer.BadParameter(problem, param_hint=f"--{name.removesuffix('_name')}")


def _check_run_id(run_id: str) -> None:
    from .package_names import is_device

    if not _RUN_ID.fullmatch(run_id) or is_device(run_id):
        raise typer.BadParameter(
            "use up to 100 letters, digits, '.', '_' and '-', the first a letter or digit, the "
            "last no '.', and no name of a device on Windows",
            param_hint="--run-id",
        )


def _print_json(document: object) -> None:
    unicode = "utf" in (sys.stdout.encoding or "").lower()
    print(json.dumps(document, indent=2, ensure_ascii=not unicode))
