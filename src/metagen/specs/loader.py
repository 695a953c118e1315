"""Reading, checking and resolving specifications: the way in for everything else.

    load_spec("spec.yaml")      a file, "-", or the name of a bundled example  -> ModelSpec
    load_text("name: ...")      text, checked as YAML only                     -> dict
    parse({"name": ...})        plain data                                     -> ModelSpec

Whatever is wrong is a `SpecError`, and all of a document's problems are in it.
"""

from __future__ import annotations

import copy
import os
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from .diagnose import diagnose
from .errors import Problem, SpecError, closest
from .reader import MAX_BYTES, Document, no_mapping, read_bytes, read_document
from .resolve import resolve
from .schema import ModelSpec
from .upgrades import FIELD, messages, upgraded


def load_spec(spec: str | Path | Mapping[str, Any]) -> ModelSpec:
    """Return the resolved specification of a path, `-` (stdin), a bundled example, or a mapping.

    Raises:
        SpecError: it cannot be read, or is not a valid specification.
    """
    if isinstance(spec, Mapping):
        return parse(spec)
    raw, source = _read(spec)
    document = read_bytes(raw, source)
    return parse(document.data, source, document)


def load_text(text: str, source: str = "<stdin>") -> dict[str, Any]:
    """Return the plain data of a YAML or JSON document, read strictly but not yet validated.

    Raises:
        SpecError: it is not a mapping, states a field twice, or is not YAML in bounded memory.
    """
    document = read_document(text, source)
    if document.problems:
        raise SpecError(document.problems, source)
    return document.data


def parse(
    mapping: Mapping[str, Any], source: str = "spec", positions: Document | None = None
) -> ModelSpec:
    """Validate plain data, of a former version of MSL too, and fill in what it leaves open.

    `positions` is the document that the data was read from; with it, problems have lines, and
    those found while reading are reported with those found here.

    Raises:
        SpecError: all problems of the data, and of `positions`.
    """
    document = positions or Document()
    if not isinstance(mapping, Mapping):
        raise SpecError([no_mapping(mapping)], source)
    stated = upgraded({key: value for key, value in mapping.items() if key != "$schema"})
    problems, draft = list(document.problems), None
    try:
        draft = ModelSpec.model_validate(stated)
    except ValidationError as error:
        found = error.errors(include_url=False)
        for location, key, problem in diagnose(found):
            line, column = document.locate(location, key=key) or (None, None)
            problems.append(replace(problem, line=line, column=column))
    if problems or draft is None:
        raise SpecError(problems, source)
    spec = resolve(draft)
    spec._stated = copy.deepcopy(stated)
    spec._source, spec._document = source, document
    spec._upgrades = tuple(messages(mapping.get(FIELD)))
    return spec


def examples() -> dict[str, Path]:
    """Return the bundled example specifications by name, in order."""
    here = Path(__file__).resolve()
    for root in (here.parents[1] / "examples", here.parents[3] / "examples"):
        found = sorted((root / "specs").glob("*/*.yaml"), key=lambda path: path.stem)
        if found:
            return {path.stem: path for path in found}
    return {}


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of a specification (Draft 2020-12)."""
    from .reference import json_schema as build

    return build()


def _read(spec: str | Path) -> tuple[bytes, str]:
    source = str(spec)
    if source == "-":
        return sys.stdin.buffer.read(MAX_BYTES + 1), "<stdin>"
    if not source.strip():
        raise SpecError([Problem("", "no specification is named", _places())])
    path = Path(source)
    if not os.path.isfile(source) and source in (bundled := examples()):
        path = bundled[source]
    try:
        with path.open("rb") as file:
            return file.read(MAX_BYTES + 1), str(path)
    except (OSError, ValueError) as error:
        raise SpecError([_unreadable(path, error)], source) from None


def _unreadable(path: Path, error: Exception) -> Problem:
    if isinstance(error, FileNotFoundError):
        return Problem("", "no such file", _places(), closest(path.stem, examples()))
    if isinstance(error, IsADirectoryError):
        return Problem("", "this is a directory", "a file")
    return Problem("", f"cannot be read: {getattr(error, 'strerror', None) or error}")


def _places() -> str:
    """Where a specification may come from."""
    return f'a path, "-", or one of {", ".join(examples())}'
