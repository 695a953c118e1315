"""The frozen, plain-data result of a plan: everything the template renders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

Provenance = Literal["computed", "estimated", "simulated", "measured"]


@dataclass(frozen=True)
class Figure:
    """One number of the ledger, formatted once.

    `value` is in base units (parameters, bytes, seconds, FLOPs, tokens), or None where `text` is a
    statement of several; `text` is what every artifact prints; `method` names how it was obtained.
    """

    key: str
    value: float | None
    unit: str
    text: str
    provenance: Provenance
    method: str


@dataclass(frozen=True)
class Note:
    """Something the reader must know: an approximation, a lost precedence, a trade-off."""

    code: str
    path: str
    message: str


@dataclass(frozen=True)
class Reference:
    """One entry of the bibliography, with the fields BibTeX wants."""

    key: str
    type: str
    fields: Mapping[str, str]


@dataclass(frozen=True)
class SourceFile:
    """One file of the generated package."""

    name: str
    text: str


@dataclass(frozen=True)
class Release:
    """Everything there is to say about one specification.

    Attributes:
        version: the MetaGen version that planned it.
        voice: `confident` or `plain`.
        seed: the base seed, `reproducibility.seed` of the resolved spec.
        spec: the resolved document as plain data; `stated` is what the author wrote.
        spec_id: twelve hex digits of the SHA-256 of the resolved spec, the seed not included.
        artifacts: the requested artifacts, in vocabulary order.
        notes: approximations, precedence losses and trade-offs, in the order of discovery.
        words: unescaped strings that prose and cards may name (see `synth.engine`).
        figures: the ledger, by key.
        blueprint: one plain document for each file of `blueprint/`.
        code: the files of `code/<package>/`; `tests` those of `tests/`. In both, `PACKAGE` stands
            for the package's name.
        requires: the distributions that the package depends on, as `pyproject.toml` names them.
        prose: assembled text by slot, with `{placeholders}` into `words` and `figures`.
        tables: document tables as plain rows, by name.
        references: the bibliography, by key.
    """

    version: str
    voice: Literal["confident", "plain"]
    seed: int
    spec: Mapping[str, Any]
    stated: Mapping[str, Any]
    spec_id: str
    artifacts: tuple[str, ...]
    notes: tuple[Note, ...]
    words: Mapping[str, str]
    figures: Mapping[str, Figure]
    blueprint: Mapping[str, Any]
    code: tuple[SourceFile, ...]
    tests: tuple[SourceFile, ...] = ()
    requires: tuple[str, ...] = ()
    prose: Mapping[str, str] = field(default_factory=dict)
    tables: Mapping[str, Any] = field(default_factory=dict)
    references: tuple[Reference, ...] = ()
