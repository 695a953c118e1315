"""Literals of JSON, YAML, TOML, Python and the shell, right for every string.

Decisions rest on a table of code points rather than on the Unicode database, whose answers change
between Python versions.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

INVISIBLE = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b-\u200f"
    "\u2028-\u202e\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb\ufffe\uffff"
    "\ud800-\udfff\ue000-\uf8ff\U000e0000-\U0010ffff]"
)
"""Controls, bidirectional marks, zero-width and private-use characters, lone surrogates."""

_SURROGATE = re.compile("[\ud800-\udfff]")


def codepoint(character: str) -> str:
    """A character named instead of printed: `[U+202E]`."""
    return f"[U+{ord(character):04X}]"


def visible(value: Any) -> str:
    """`value` on one line: white space becomes single spaces, invisible characters are named."""
    text = " ".join(str(value).split())
    return INVISIBLE.sub(lambda match: codepoint(match.group()), text)


_SHORT = {"\n": r"\n", "\t": r"\t", "\r": r"\r", "\b": r"\b", "\f": r"\f"}


def _long_escape(code: int) -> str:
    return f"\\U{code:08x}"


def _surrogate_pair(code: int) -> str:
    code -= 0x10000
    return f"\\u{0xD800 + (code >> 10):04x}\\u{0xDC00 + (code & 0x3FF):04x}"


def _quoted(text: str, quote: str = '"', astral: Callable[[int], str] = _long_escape) -> str:
    """`text` between quotes, with backslash escapes for everything that cannot be seen."""

    def escape(match: re.Match[str]) -> str:
        character = match.group()
        code = ord(character)
        return _SHORT.get(character) or (f"\\u{code:04x}" if code < 0x10000 else astral(code))

    body = text.replace("\\", "\\\\").replace(quote, "\\" + quote)
    return quote + INVISIBLE.sub(escape, body) + quote


def _whole(text: str) -> str:
    return _SURROGATE.sub("\ufffd", text)


def json(value: Any, level: int = 0) -> str:
    """A plain value as JSON, two spaces a level, with short scalar lists on one line."""
    inner = "  " * (level + 1)
    if isinstance(value, Mapping) and value:
        items = [f"{inner}{json(str(k))}: {json(v, level + 1)}" for k, v in value.items()]
        return "{\n" + ",\n".join(items) + "\n" + "  " * level + "}"
    if isinstance(value, list | tuple) and value:
        items = [json(item, level + 1) for item in value]
        flat = "[" + ", ".join(items) + "]"
        if len(flat) <= 88 and not any(isinstance(v, Mapping | list | tuple) for v in value):
            return flat
        return "[\n" + ",\n".join(inner + item for item in items) + "\n" + "  " * level + "]"
    return _json_scalar(value)


def _json_scalar(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, Mapping):
        return "{}"
    if isinstance(value, list | tuple):
        return "[]"
    return _quoted(str(value), astral=_surrogate_pair)


def _number(value: int | float) -> str:
    """A number that JSON, YAML and TOML read back alike; infinity is a word, as in MSL."""
    if value != value:
        raise ValueError("not a number")
    if value in (float("inf"), float("-inf")):
        return '"∞"' if value > 0 else '"-∞"'
    text = repr(value)
    return text.replace("e", ".0e") if "e" in text and "." not in text else text


_YAML_PLAIN = re.compile(
    r"[A-Za-z_][A-Za-z0-9_./+@-]*(?: [A-Za-z0-9_(./+@-][A-Za-z0-9_.,/+@()-]*)*"
)
_YAML_WORDS = frozenset("y yes n no true false on off null none nan inf".split())


def yaml(value: Any, level: int = 0) -> str:
    """A plain value as YAML: block style, scalars quoted unless they are plainly words."""
    if isinstance(value, Mapping) and value:
        return "\n".join(
            _yaml_entry(f"{_yaml_scalar(str(k))}:", v, level) for k, v in value.items()
        )
    if isinstance(value, list | tuple) and value:
        return "\n".join(_yaml_item(item, level) for item in value)
    return _yaml_scalar(value)


def _yaml_entry(head: str, value: Any, level: int) -> str:
    pad = "  " * level
    if isinstance(value, list | tuple):
        flat = [v for v in value if not isinstance(v, Mapping | list | tuple)]
        line = "[" + ", ".join(map(_yaml_flow, flat)) + "]"
        if len(flat) == len(value) and len(line) <= 80:
            return f"{pad}{head} {line}"
        return f"{pad}{head}\n{yaml(value, level + 1)}"
    if isinstance(value, Mapping) and value:
        return f"{pad}{head}\n{yaml(value, level + 1)}"
    return f"{pad}{head} {_yaml_scalar(value)}"


def _yaml_item(item: Any, level: int) -> str:
    pad = "  " * level
    if isinstance(item, Mapping | list | tuple) and item:
        return f"{pad}- " + yaml(item, level + 1)[len(pad) + 2 :]
    return f"{pad}- {_yaml_scalar(item)}"


def _yaml_flow(value: Any) -> str:
    text = _yaml_scalar(value)
    return _quoted(value) if "," in text and not text.startswith('"') else text


def _yaml_scalar(value: Any) -> str:
    if not isinstance(value, str):
        return _json_scalar(value)
    if _YAML_PLAIN.fullmatch(value) and value.lower() not in _YAML_WORDS:
        return value
    return _quoted(_whole(value))


def toml(value: Any) -> str:
    """A TOML string, number, boolean or array of them."""
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, bool | int | float):
        return _json_scalar(value)
    return _quoted(_whole(str(value)))


def py(value: Any) -> str:
    """A Python literal as `ruff format` would quote it."""
    if isinstance(value, tuple):
        return "(" + ", ".join(map(py, value)) + (",)" if len(value) == 1 else ")")
    if isinstance(value, list):
        return "[" + ", ".join(map(py, value)) + "]"
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{py(k)}: {py(v)}" for k, v in value.items()) + "}"
    if not isinstance(value, str):
        return repr(value)
    return _quoted(value, "'" if '"' in value and "'" not in value else '"')


def pydoc(value: Any) -> str:
    """One line that is safe inside a Python docstring."""
    return visible(value).replace("\\", "\\\\").replace('"', '\\"')


def comment(value: Any) -> str:
    """One line that is safe behind a `#`."""
    return visible(value)


def sh(value: Any) -> str:
    """One POSIX shell word; NUL, which no argument can hold, is dropped."""
    text = _whole(str(value)).replace("\0", "")
    if re.fullmatch(r"[A-Za-z0-9_@%+=:,./-]+", text):
        return text
    return "'" + text.replace("'", "'\"'\"'") + "'"


def make(value: Any) -> str:
    """One shell word inside a Makefile recipe."""
    return sh(visible(value)).replace("$", "$$")
