"""The files of `blueprint/` ahead of everything else: what figures are drawn from."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import TYPE_CHECKING

import jinja2

from .utils.filters import FILTERS

if TYPE_CHECKING:
    from .synth.release import Release


def write_blueprint(release: Release, templates: Path, folder: Path) -> None:
    """Render the files of `templates` into `folder`, those excepted that `release` cannot fill."""
    environment = jinja2.Environment(undefined=jinja2.StrictUndefined, keep_trailing_newline=True)
    environment.filters.update(FILTERS)
    for path in filter(Path.is_file, templates.iterdir()):  # an installer compiles what it finds
        if path.name == "seal.json.jinja":  # nothing is drawn from it
            continue
        if path.suffix != ".jinja":
            shutil.copyfile(path, folder / path.name)
            continue
        try:
            text = environment.from_string(path.read_text(encoding="utf-8")).render(mg=release)
        except jinja2.UndefinedError:
            continue
        (folder / path.stem).write_text(text, encoding="utf-8", newline="\n")
