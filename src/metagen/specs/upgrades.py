"""Documents of earlier versions of MSL, brought to the present one, one version at a time.

A version that changes what is already written (a field is renamed, or means something else) adds
its step here, and its number to the vocabulary. A step gets and returns plain data. It sees
documents as authors wrote them, valid or not, and parts of documents, so it moves what it finds
and leaves the rest for validation. What only adds fields needs no new version.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .vocabulary import VERSION

FIELD = "metagen_version"


@dataclass(frozen=True)
class Step:
    """From one version of MSL to the next: `change` does what `message` tells the author."""

    to: str
    message: str
    change: Callable[[dict[str, Any]], dict[str, Any]]


STEPS: Mapping[str, Step] = {}
"""The steps, by the version they start from; every former version has one. 1.0 is the first."""


def upgraded(document: Mapping[str, Any]) -> dict[str, Any]:
    """`document` in the present version; unchanged where it is of no version known here."""
    current = dict(document)
    for step in steps(document.get(FIELD)):
        current = step.change(copy.deepcopy(current)) | {FIELD: step.to}
    return current


def steps(version: object) -> list[Step]:
    """The steps from `version`, spelled as documents spell it, to the present one."""
    spelled = str(version).strip()
    at, found = VERSION.aliases.get(spelled, spelled), []
    while at in STEPS:
        found.append(STEPS[at])
        at = STEPS[at].to
    return found


def messages(version: object) -> list[str]:
    """What the author of a document of `version` should know; empty for the present version."""
    spelled = str(version).strip()
    return [f"read as MSL {step.to} (it says {spelled}): {step.message}" for step in steps(version)]
