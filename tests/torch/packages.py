"""Models from the parts: as they stand in `template/_parts`, and as generated source."""

from __future__ import annotations

import importlib.util
import itertools
import sys
import tempfile
from pathlib import Path
from types import ModuleType
from typing import Any

from metagen.synth.codegen import network_sources
from metagen.synth.topologies import TOPOLOGIES

PARTS = Path(__file__).parents[2] / "template" / "_parts"
_names = itertools.count()


def import_folder(folder: Path, name: str) -> ModuleType:
    """Import a folder of modules as a package called `name`."""
    spec = importlib.util.spec_from_file_location(
        name, folder / "__init__.py", submodule_search_locations=[str(folder)]
    )
    package = importlib.util.module_from_spec(spec)
    sys.modules[name] = package
    return package


def module(package: str, folder: Path, name: str) -> ModuleType:
    """One module of a folder that is imported as `package`."""
    if package not in sys.modules:
        import_folder(folder, package)
    return importlib.import_module(f"{package}.{name}")


def part(name: str) -> ModuleType:
    """A module of `template/_parts`, unspecialised."""
    return module("metagen_parts", PARTS, name)


def config_of(**sizes: Any) -> Any:
    """A configuration with every switch and number, from dimensions and switches."""
    sizes = dict(sizes)
    sizes.setdefault("windowed", bool(sizes.get("sliding_window")))
    return part("config").Config(**sizes)


def build_parts(config: Any) -> tuple[ModuleType, Any]:
    """The unspecialised parts, and their model."""
    return part("decoder_lm"), part("decoder_lm").build_model(config)


def build_generated(config: Any) -> tuple[ModuleType, Any]:
    """`model.py` as a release with these switches would have it, and its model."""
    window = config.sliding_window if config.windowed else 0
    generated = generated_package(
        "decoder_lm", config, sliding_window=window, top_k=config.experts_per_token
    )
    return generated, generated.build_model(config)


def generated_package(topology_id: str, config: Any, **pinned: Any) -> ModuleType:
    """`model.py` of a topology as a release would have it; `config` says every switch.

    `pinned` are dimensions that the configuration does not have under the same name.
    """
    topology = TOPOLOGIES[topology_id]
    dims = {name: getattr(config, name, None) for name in topology.table} | pinned
    name = f"generated_twin_{next(_names)}"
    folder = Path(tempfile.mkdtemp())
    (folder / "config.py").write_text((PARTS / "config.py").read_text(encoding="utf-8"))
    source = network_sources(topology, topology.switches(dims))["model"]
    (folder / "model.py").write_text(source, encoding="utf-8")
    return module(name, folder, "model")
