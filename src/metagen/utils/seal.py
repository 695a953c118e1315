"""Checksums of generated data, by which `make verify` finds a changed figure and its line.

A checksum is the CRC-16 of one line that holds a digit: a change of any digit changes it. What has
a check of its own is not sealed: Markdown and most of LaTeX carry the keys of their figures, and
`state_dict.json` is compared with the model. Nor is code, `config.py` included: it is its owner's.
"""

from __future__ import annotations

import re
from binascii import crc_hqx
from collections.abc import Iterator
from typing import Any

from .escaping import tex_listing, tex_table
from .literals import json, yaml

FIGURES = re.compile(r'(?!(?:\\listline.0..|\s*"?)(?:description|spec_id)"?:|metagen ).*[0-9]')
"""A line with figures: not the author's description, nor the hash of what it belongs to."""
YAML = frozenset(("ablations", "architecture", "training_plan"))
CHECKED_ELSEWHERE = frozenset(("state_dict",))
PATHS = {"summary": "docs/summary.json", "log": "logs/metagen.log"}
"""Of documents outside `blueprint/`."""


def checksums(text: str) -> str:
    """Four hexadecimal digits for each line of `text` that holds a digit."""
    lines = filter(FIGURES.match, text.split("\n"))
    return "".join(f"{crc_hqx(line.strip().encode(), 0):04x}" for line in lines)


def seal(release: Any) -> dict[str, str]:
    """The checksums of a release's data files, by path."""
    return {path: checksums(text) for path, text in _texts(release)}


def _texts(release: Any) -> Iterator[tuple[str, str]]:
    yield "spec_resolved.yaml", yaml(release.spec)
    for name, document in release.blueprint.items():
        if name not in CHECKED_ELSEWHERE:
            write, kind = (yaml, "yaml") if name in YAML else (json, "json")
            text = document if isinstance(document, str) else write(document)
            yield PATHS.get(name, f"blueprint/{name}.{kind}"), text
    yield "paper/specification.tex", tex_listing(yaml(release.spec))
    yield "paper/modules.tex", tex_table(release.tables["modules"].table.body)
