"""What templates call: each language's way to write a value, the seal, figures by their keys."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from .escaping import bibtex, md, md_code, md_table, tex, tex_code, tex_listing, tex_table
from .literals import comment, json, make, py, pydoc, sh, toml, yaml
from .seal import seal

FILTERS: dict[str, Callable[..., str]] = {
    "md": md,
    "md_code": md_code,
    "md_table": md_table,
    "tex": tex,
    "tex_code": tex_code,
    "tex_listing": tex_listing,
    "tex_table": tex_table,
    "bibtex": bibtex,
    "json": json,
    "yaml": yaml,
    "toml": toml,
    "py": py,
    "pydoc": pydoc,
    "comment": comment,
    "sh": sh,
    "make": make,
    "seal": seal,
}
"""Every filter that the template may use, by name."""


def figure_helper(figures: Mapping[str, Any]) -> Callable[[str], str]:
    """The global `fig('key')` of Markdown templates; an unknown key is a `KeyError`."""
    return lambda key: md(figures[key])
