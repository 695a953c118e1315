"""Import the code that a spec generates, without rendering a repository."""

import importlib.util
import itertools
import sys
from pathlib import Path

from metagen.synth.engine import plan

_names = itertools.count()


def import_package(spec, folder: Path):
    """Write the package of `spec` under a fresh name in `folder` and import it.

    Returns the package, the release, and the folder of its files.
    """
    release = plan(spec)
    name = f"generated_{next(_names)}"
    home = folder / name
    home.mkdir(parents=True)
    for file in release.code:
        (home / file.name).write_text(file.text, encoding="utf-8")
    module_spec = importlib.util.spec_from_file_location(
        name, home / "__init__.py", submodule_search_locations=[str(home)]
    )
    package = importlib.util.module_from_spec(module_spec)
    sys.modules[name] = package
    module_spec.loader.exec_module(package)
    return package, release, home
