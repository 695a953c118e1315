"""MetaGen: a specification in, a model repository out.

`load_spec` reads a document, `plan` turns it into a `Release` and `synthesize` renders the
repository. Names are imported on first use: importing this package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .scaffold import synthesize
    from .specs.errors import SpecError
    from .specs.loader import load_spec
    from .specs.schema import ModelSpec
    from .synth.engine import plan
    from .synth.release import Release

__version__ = "0.1.0"

__all__ = ["ModelSpec", "Release", "SpecError", "__version__", "load_spec", "plan", "synthesize"]

_HOMES = {
    "ModelSpec": ".specs.schema",
    "Release": ".synth.release",
    "SpecError": ".specs.errors",
    "load_spec": ".specs.loader",
    "plan": ".synth.engine",
    "synthesize": ".scaffold",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name], __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
