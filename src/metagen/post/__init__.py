"""What happens after Copier: `spec.yaml`, the manifest and the figures are brought into step."""

from __future__ import annotations

import sys
from dataclasses import asdict, dataclass
from pathlib import Path

from . import figures, manifest, report, spec_file
from .git import Git


@dataclass(frozen=True)
class Outcome:
    """What the post step did: files brought back, figures left alone, what else to say."""

    restored: tuple[str, ...] = ()
    kept_figures: tuple[str, ...] = ()
    note: str = ""
    upgraded: tuple[str, ...] = ()


def run(project: Path, template: Path, answers_file: str = ".copier-answers.yml") -> Outcome:
    """Bring everything into step; `template` is the folder that the repository was rendered from.

    The order matters: whatever Copier added is taken for rendered, so figures come last.
    """
    git = Git(project, answers_file)
    upgraded = spec_file.upgrades(project / "spec.yaml")
    spec_file.follow(project / "spec.yaml", project / answers_file)
    record = manifest.read(project)
    figures_drawn = record.figures.get("files", {})
    files, restored = manifest.reconcile(
        project, record.files, git, template, answers_file, figures_drawn
    )
    drawn = figures.refresh(project, record.figures)
    manifest.write(project, manifest.Manifest(files, drawn.record))
    return Outcome(tuple(restored), drawn.kept, drawn.note, upgraded)


def main(project: Path, answers_file: str) -> int:
    """Run in `project` and report, on stderr or to `metagen update`."""
    template = Path(__file__).resolve().parents[3] / "template"
    outcome = run(project, template, answers_file)
    if report.deliver(Git(project, answers_file), asdict(outcome)):
        return 0
    for message in outcome.upgraded:
        say(f"upgraded: spec.yaml, {message}")
    for path in outcome.restored:
        say(f"restored: {path}  (you had edited it, and the update could not keep that)")
    for path in outcome.kept_figures:
        say(f"kept: {path}  (you had edited it; delete it to have it drawn again)")
    if outcome.note:
        say(f"note: {outcome.note}")
    return 0


def say(text: str) -> None:
    """Write one line to stderr."""
    print(text, file=sys.stderr)
