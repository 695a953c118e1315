"""The field types of MSL: text, whole numbers, words of a vocabulary, quantities, and lists."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import date
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, PlainValidator, WithJsonSchema

from .errors import UNPRINTABLE, FieldError, show
from .quantities import Dimension, parse_quantity, quantity_schema
from .vocabulary import VERSION, Vocabulary

LONGEST_NAME = 100
LONGEST_TEXT = 4000
LONGEST_LIST = 256


def read_text(raw: object, longest: int = LONGEST_TEXT) -> str:
    """Return free text on one line: blanks folded, at most `longest` characters.

    Raises:
        FieldError: it is not text, empty, too long, or holds a control character.
    """
    if not isinstance(raw, str):
        unquoted = isinstance(raw, bool | int | float | date)
        meant = str(raw) if unquoted and not isinstance(raw, bool) and raw == raw else None
        raise FieldError(
            f"{show(raw)} is not text", "text in quotes" if unquoted else "text", meant
        )
    text = " ".join(re.split(r"[ \t\r\n]+", raw)).strip()
    refused = UNPRINTABLE.search(text)
    if refused:
        raise FieldError(
            f"{show(raw)} holds the character U+{ord(refused[0]):04X}", "printable characters"
        )
    if not text:
        raise FieldError(f"{show(raw)} is empty", f"text of 1 to {longest:,} characters")
    if len(text) > longest:
        raise FieldError(
            f"{show(text)} has {len(text):,} characters", f"text of 1 to {longest:,} characters"
        )
    return text


def read_whole(raw: object, low: int, high: int) -> int:
    """Return a whole number from `low` to `high`; `1e6`, `"1_000"` and `7.0` are whole numbers.

    Raises:
        FieldError: it is something else, or out of range.
    """
    allowed = f"a whole number from {low:,} to {high:,}"
    number: object = raw
    if isinstance(raw, str):
        number = numeral(raw.strip())
    if isinstance(number, float) and number.is_integer():
        number = int(number)
    if isinstance(number, bool) or not isinstance(number, int):
        raise FieldError(f"{show(raw)} is not a whole number", allowed)
    if not low <= number <= high:
        raise FieldError(f"{show(raw)} is out of range", allowed)
    return number


def read_dimension(raw: object) -> Any:
    """Return a dimension's value: a scalar, a list of numbers, or a mapping of names to scalars.

    Raises:
        FieldError: it is none of these.
    """
    if isinstance(raw, list | tuple) and raw and not any(isinstance(i, list | dict) for i in raw):
        numbers = tuple(read_scalar(item) for item in raw)
        if all(isinstance(n, int | float) and not isinstance(n, bool) for n in numbers):
            return numbers
    if isinstance(raw, Mapping) and raw:
        return {read_text(k, LONGEST_NAME): read_scalar(v) for k, v in raw.items()}
    return read_scalar(raw)


def read_scalar(raw: object) -> int | float | bool | str:
    """Return a dimension's value: a finite number, a truth value or a word.

    Numbers are normalised (`1e6`, `"1e6"` and `1000000.0` are 1000000), so that every reader of
    YAML arrives at the same document.

    Raises:
        FieldError: it is none of these.
    """
    if isinstance(raw, bool):
        return raw
    if isinstance(raw, str):
        number = numeral(raw.strip())
        if number is None:
            return read_text(raw, LONGEST_NAME)
        raw = number
    if isinstance(raw, float) and math.isfinite(raw):
        return int(raw) if raw.is_integer() and abs(raw) < 2**53 else raw
    if isinstance(raw, int) and abs(raw) < 2**63:
        return raw
    raise FieldError(f"{show(raw)} is not a dimension", "a number, true, false, or a word")


def numeral(text: str) -> int | float | None:
    """Return the number that `text` spells in decimal, or None; long numerals are not numbers."""
    if len(text) > 40 or not re.fullmatch(
        r"[+-]?((0|[1-9][0-9]*(_[0-9]+)*)(\.[0-9]*)?|\.[0-9]+)([eE][+-]?[0-9]{1,3})?", text
    ):
        return None
    plain = text.replace("_", "")
    value = float(plain) if re.search("[.eE]", plain) else int(plain)
    return value if math.isfinite(value) else None


def read_list(raw: object) -> tuple[Any, ...]:
    """Return a list as a tuple.

    Raises:
        FieldError: it is no list, or too long.
    """
    if not isinstance(raw, list | tuple):
        raise FieldError(f"{show(raw)} is not a list", 'a list, such as ["a", "b"]')
    if len(raw) > LONGEST_LIST:
        raise FieldError(f"a list of {len(raw):,} items", f"at most {LONGEST_LIST} items")
    return tuple(raw)


def _list_or_item(raw: object) -> tuple[Any, ...]:
    return (raw,) if isinstance(raw, str) else read_list(raw)


def _filled(items: tuple) -> tuple:
    if not items:
        raise FieldError("an empty list", "at least one item")
    return items


def _distinct(items: tuple) -> tuple:
    return tuple(dict.fromkeys(items))


def _text_schema(longest: int) -> dict:
    return {"type": "string", "minLength": 1, "maxLength": longest}


def _text(longest: int) -> Any:
    return Annotated[
        str,
        PlainValidator(lambda raw: read_text(raw, longest)),
        WithJsonSchema(_text_schema(longest)),
    ]


def whole(low: int, high: int) -> Any:
    """Return the type of whole numbers from `low` to `high`."""
    schema = {"type": "integer", "minimum": low, "maximum": high}
    return Annotated[
        int, PlainValidator(lambda raw: read_whole(raw, low, high)), WithJsonSchema(schema)
    ]


def word(vocabulary: Vocabulary) -> Any:
    """Return the type of one word of `vocabulary`."""
    schema = WithJsonSchema(vocabulary.json_schema())
    return Annotated[str, PlainValidator(vocabulary.match), schema]


def quantity(dimension: Dimension) -> Any:
    """Return the type of a quantity of `dimension`."""
    schema = WithJsonSchema(quantity_schema(dimension))
    # The declared type is Any: pydantic would otherwise build a schema of `Quantity` for nothing.
    return Annotated[Any, PlainValidator(lambda raw: parse_quantity(raw, dimension)), schema]


def listing(item: Any, schema: dict, *, empty: bool = True) -> Any:
    """Return the type of a list of distinct `item`s; a bare item is a list of one."""
    array = {"type": "array", "items": schema, "maxItems": LONGEST_LIST}
    if not empty:
        array["minItems"] = 1
    checks = [BeforeValidator(_list_or_item), *([] if empty else [AfterValidator(_filled)])]
    described = WithJsonSchema({"anyOf": [array, schema]})
    return Annotated[(tuple[item, ...], *checks, AfterValidator(_distinct), described)]


def words(vocabulary: Vocabulary, *, empty: bool = True) -> Any:
    """Return the type of a list of words of `vocabulary`."""
    return listing(word(vocabulary), vocabulary.json_schema(), empty=empty)


def _read_version(raw: object) -> str:
    """Accept `1.0` without its quotes, the commonest slip."""
    return VERSION.match(show(raw) if type(raw) in (int, float) else raw)


Version = Annotated[
    str,
    PlainValidator(_read_version),
    WithJsonSchema({"enum": [*VERSION.words, *VERSION.aliases, 1]}),
]
Name = _text(LONGEST_NAME)
Text = _text(LONGEST_TEXT)
Texts = listing(_text(LONGEST_NAME), _text_schema(LONGEST_NAME))
Scalar = Annotated[
    Any,
    PlainValidator(read_scalar),
    WithJsonSchema({"type": ["number", "boolean", "string"]}),
]
DimValue = Annotated[
    Any,
    PlainValidator(read_dimension),
    WithJsonSchema({"type": ["number", "boolean", "string", "array", "object"]}),
]
Hertz = Annotated[
    int,
    PlainValidator(lambda raw: int(parse_quantity(raw, "frequency").value)),
    WithJsonSchema(quantity_schema("frequency")),
]
