"""Writing and reading plain data: deterministic YAML and JSON, easy on the eye and on a diff.

Both writers keep the order of keys, keep Unicode, put short lists of scalars on one line, and
depend on no library's version. What they write reads back equal, YAML as 1.1 and as 1.2 alike.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

WIDTH = 100

_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_./@+()'-]*(?: [A-Za-z0-9_./@+()'-]+)*")
_RESERVED = frozenset("y n yes no on off true false null".split())
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufeff\ufffe\uffff]")


def to_yaml(data: Any) -> str:
    """Write plain data as block-style YAML, with a final newline.

    Raises:
        TypeError: something in `data` is neither a mapping with text keys, a list nor a scalar.
    """
    lines = [_quoted(data)] if isinstance(data, str) else _yaml_lines(data)
    return "".join(f"{line}\n" for line in lines)


def to_json(data: Any) -> str:
    """Write plain data as JSON indented by two, with a final newline.

    Raises:
        TypeError: something in `data` is neither a mapping with text keys, a list nor a scalar.
        ValueError: a number is infinite or NaN.
    """
    return "\n".join(_json_lines(data, "", root=True)) + "\n"


def from_yaml(text: str) -> Any:
    """Read YAML that MetaGen ships; specifications go through `specs.loader` instead."""
    import yaml

    return yaml.load(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))


def from_json(text: str) -> Any:
    """Read JSON."""
    return json.loads(text)


def _yaml_lines(data: Any) -> list[str]:
    if isinstance(data, Mapping) and data:
        return [line for key, value in data.items() for line in _yaml_entry(_key(key), value)]
    if isinstance(data, list | tuple) and data and not _is_flat(data):
        return [line for item in data for line in _yaml_item(item)]
    return _yaml_value(data)


def _yaml_entry(key: str, value: Any) -> list[str]:
    name = _quoted(key)
    if isinstance(value, Mapping) and value:
        return [f"{name}:", *_indented(_yaml_lines(value))]
    if isinstance(value, list | tuple) and value:
        flow = _yaml_flow(value) if _is_flat(value) else ""
        if flow and len(name) + 2 + len(flow) <= WIDTH:
            return [f"{name}: {flow}"]
        return [f"{name}:", *_indented([line for item in value for line in _yaml_item(item)])]
    first, *rest = _yaml_value(value)
    return [f"{name}: {first}", *_indented(rest)]


def _yaml_item(item: Any) -> list[str]:
    first, *rest = _yaml_lines(item)
    return [f"- {first}", *_indented(rest)]


def _yaml_value(value: Any) -> list[str]:
    """Write a scalar, an empty container or a flat list; only literal text takes several lines."""
    if isinstance(value, Mapping):
        return ["{}"]
    if isinstance(value, list | tuple):
        return [_yaml_flow(value)]
    if isinstance(value, str) and _is_literal(value):
        header = "|" if value.endswith("\n") else "|-"
        return [header, *value.removesuffix("\n").split("\n")]
    return [_yaml_scalar(value)]


def _yaml_flow(items: Any) -> str:
    return f"[{', '.join(_yaml_scalar(item) for item in items)}]"


def _yaml_scalar(value: Any) -> str:
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, float):
        return _yaml_float(value)
    return json.dumps(_scalar(value))


def _yaml_float(value: float) -> str:
    """Write a float so that YAML 1.1, which wants a dot and a signed exponent, reads a float."""
    if math.isnan(value) or math.isinf(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    text = repr(value)
    if "e" not in text:
        return text
    if 1e-7 <= abs(value) < 1e17:
        plain = f"{Decimal(text):f}"
        return plain if "." in plain else f"{plain}.0"
    mantissa, exponent = text.split("e")
    return f"{mantissa if '.' in mantissa else f'{mantissa}.0'}e{exponent}"


def _quoted(text: str) -> str:
    """Write text plainly where no version of YAML could mistake it, otherwise in quotes."""
    if _PLAIN.fullmatch(text) and text.lower() not in _RESERVED:
        return text
    return _UNPRINTABLE.sub(_escape, json.dumps(text, ensure_ascii=False))


def _escape(found: re.Match[str]) -> str:
    return f"\\u{ord(found[0]):04x}"


def _is_literal(text: str) -> bool:
    """Whether text can stand in a literal block: several clean lines, none with a loose end."""
    lines = text.removesuffix("\n").split("\n")
    if len(lines) < 2 or not lines[0] or not lines[-1] or text[0] == " ":
        return False
    return not any(line != line.rstrip() or _UNPRINTABLE.search(line) for line in lines)


def _is_flat(items: Any) -> bool:
    return not any(isinstance(item, Mapping | list | tuple) for item in items)


def _indented(lines: list[str]) -> list[str]:
    return [f"  {line}" if line else "" for line in lines]


def _key(key: Any) -> str:
    if not isinstance(key, str):
        raise TypeError(f"a key has to be text, not {type(key).__name__}")
    return key


def _scalar(value: Any) -> Any:
    if value is not None and not isinstance(value, bool | int | float | str):
        raise TypeError(f"{type(value).__name__} is not plain data")
    return value


def _json_lines(data: Any, lead: str, *, root: bool = False) -> list[str]:
    """Write `data` after `lead`, on one line where it fits and holds nothing deeply nested."""
    if not isinstance(data, Mapping | list | tuple):
        return [lead + _json(data)]
    if not data or (not root and _is_shallow(data)):
        line = lead + _json(data)
        if not data or len(line) <= WIDTH:
            return [line]
    if isinstance(data, Mapping):
        parts = [_json_lines(value, f"{_json(_key(key))}: ") for key, value in data.items()]
        opening, closing = "{", "}"
    else:
        parts = [_json_lines(item, "") for item in data]
        opening, closing = "[", "]"
    inner = [f"  {line}" for part in _commas(parts) for line in part]
    return [lead + opening, *inner, closing]


def _is_shallow(data: Any) -> bool:
    """Whether nothing in `data` holds more than scalars."""
    values = data.values() if isinstance(data, Mapping) else data
    return all(
        _is_flat(value.values() if isinstance(value, Mapping) else value)
        for value in values
        if isinstance(value, Mapping | list | tuple)
    )


def _json(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_json(_key(k))}: {_json(v)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return f"[{', '.join(_json(item) for item in value)}]"
    text = json.dumps(_scalar(value), ensure_ascii=False, allow_nan=False)
    return _UNPRINTABLE.sub(_escape, text) if isinstance(value, str) else text


def _commas(parts: list[list[str]]) -> list[list[str]]:
    return [[*part[:-1], f"{part[-1]},"] for part in parts[:-1]] + parts[-1:]
