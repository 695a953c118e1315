"""Quantities: one grammar and one parser for every number with a unit.

    quantity    = infinity | magnitude | hardware | duration ;
    infinity    = "∞" | "inf" | "infinity" | "infinite" | "unlimited" | ".inf" ;
    magnitude   = number , [ unit ] ;
    hardware    = [ count , [ "x" | "×" | "*" ] ] , accelerator ;
    duration    = number , [ unit ] , { number , unit } ;
    number      = whole , [ "." , digits ] , [ "e" , [ "+" | "-" ] , digits ] ;
    whole       = "0" | digits ;                        (* without leading zeros *)
    digits      = digit , { digit | "_" , digit } ;
    count       = digits ;

Blanks may stand between any two of these. A bare number is in the base unit of its dimension.
What a unit may be depends on the dimension:

    parameters  (parameters)  K M B T, decimal; also thousand, million, billion, trillion;
                              "params" or "parameters" may follow
    bytes       (bytes)       B; KB MB GB TB, decimal; KiB MiB GiB TiB, binary
    tokens      (tokens)      k M G, binary (1024, 1024², 1024³); "tok" or "tokens" may follow
    rate        (per second)  fps tok/s img/s samples/s steps/s, each in its usual spellings;
                              k or M, decimal, may stand before the unit
    hardware    (devices)     a known accelerator, such as H100
    duration    (seconds)     s min h d w, months of 30 and years of 365 days
    frequency   (hertz)       Hz kHz MHz

Parameters, bytes and tokens are rounded to whole numbers, the rest to six places. Zero, negative
numbers, NaN, unknown units and numbers beyond the largest plannable one are errors. `∞` is
allowed for parameters, bytes and tokens. The canonical text is a function of the value alone, so
that `20000000000`, `"20e9"` and `"20B"` resolve to one document.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from typing import Literal

from ..hardware.catalogue import ACCELERATORS, accelerator, nearest
from .errors import FieldError, closest, show

Dimension = Literal["parameters", "bytes", "tokens", "rate", "hardware", "duration", "frequency"]

INFINITY = "∞"
_INFINITIES = frozenset({INFINITY, "inf", "infinity", "infinite", "unlimited", ".inf", "+inf"})
_NUMBER = r"(?:0|[1-9][0-9]*(?:_[0-9]+)*)(?:\.[0-9]+(?:_[0-9]+)*)?(?:[eE][+-]?[0-9]{1,3}(?![0-9]))?"
_MAGNITUDE = re.compile(rf"(?P<sign>[+-]?)\s*(?P<number>{_NUMBER})\s*(?P<unit>[^\s0-9].*)?", re.S)
_HARDWARE = re.compile(r"(?:(?P<count>-?[0-9]+(?:_[0-9]+)*)\s*(?:[x×*]\s*|\s))?(?P<name>.+)", re.S)
_TERM = re.compile(rf"({_NUMBER})\s*([A-Za-z]+)\s*,?\s*")
_LONGEST = 60


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with a unit.

    `value` is in the base unit of its dimension (parameters, bytes, tokens, devices, seconds; a
    rate is per second) and `math.inf` for `∞`. `unit` is that base unit; for a rate it is one of
    `fps tok/s img/s samples/s steps/s` (empty for a bare number), for hardware the accelerator.
    `text` is the canonical spelling.
    """

    value: int | float
    unit: str
    text: str

    @property
    def is_infinite(self) -> bool:
        """Whether the author asked for `∞`."""
        return self.value == math.inf


@dataclass(frozen=True, slots=True)
class Scale:
    """The units of one dimension: what each spelling multiplies, and how errors describe them.

    `suggested` are the units that a typo may have meant, after `gap`; `slips` those of people who
    think of another dimension.
    """

    base: str
    units: Mapping[str, int]
    allowed: str
    examples: tuple[str, ...]
    largest: int
    write: Callable[[Fraction], str]
    suggested: tuple[str, ...]
    slips: Mapping[str, str] = field(default_factory=dict)
    gap: str = ""
    whole: bool = False
    infinite: bool = False


def parse_quantity(raw: object, dimension: Dimension) -> Quantity:
    """Read a quantity of `dimension` from text or a bare number.

    Raises:
        FieldError: it is zero, negative, NaN, of an unknown unit, or no quantity at all.
    """
    allowed = describe(dimension)
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        raise FieldError(f"{show(raw)} is not a quantity", allowed)
    if isinstance(raw, float) and math.isnan(raw):
        raise FieldError("NaN is not a quantity", allowed)
    if isinstance(raw, int) and abs(raw) >= 10**_LONGEST:
        raise FieldError(f"{show(raw)} is not a quantity", allowed)
    text = (repr(raw) if isinstance(raw, float) else str(raw)).strip()
    if not text or len(text) > _LONGEST:
        raise FieldError(f"{show(raw)} is not a quantity", allowed)
    if dimension == "hardware":
        return _hardware(text, raw)
    if text.casefold() in _INFINITIES:
        if dimension in SCALES and SCALES[dimension].infinite:
            return Quantity(math.inf, SCALES[dimension].base, INFINITY)
        raise FieldError(f"{show(raw)} is not allowed here", allowed)
    match = _MAGNITUDE.fullmatch(text)
    if not match:
        raise FieldError(f"{show(raw)} is not a quantity", allowed)
    number = Fraction(Decimal(match["number"].replace("_", "")))
    if match["sign"] == "-" and number:
        raise FieldError(f"{show(raw)} is negative; a quantity is above zero", allowed)
    if not number:
        raise FieldError(f"{show(raw)} is zero; a quantity is above zero", allowed)
    unit = (match["unit"] or "").strip()
    if dimension == "rate":
        return _rate(number, unit, raw)
    return _scaled(number, unit, raw, text, dimension)


def with_unit(rate: Quantity, unit: str) -> Quantity:
    """Give a bare rate its unit; one that has a unit is returned as it is."""
    return rate if rate.unit else Quantity(rate.value, unit, _rate_text(rate.text, unit))


def describe(dimension: Dimension) -> str:
    """Say in one line what a quantity of `dimension` may look like."""
    return (
        _RATES
        if dimension == "rate"
        else (_HARDWARE_ALLOWED if dimension == "hardware" else SCALES[dimension].allowed)
    )


def quantity_schema(dimension: Dimension) -> dict:
    """Return the JSON Schema of a quantity: patterned text or a positive number."""
    number = r"[0-9][0-9_]*(\.[0-9_]+)?([eE][+-]?[0-9]+)?"
    if dimension == "hardware":
        text = {"pattern": r"^\s*([0-9_]+\s*[x×*]?\s*)?[A-Za-z].*$", "examples": ["8xH100", "H100"]}
        return {"type": "string", **text}
    if dimension == "rate":
        pattern, examples = rf"^\s*{number}\s*[kKM]?\s*[A-Za-z].*$", ["30fps", "120 tok/s"]
    else:
        scale = SCALES[dimension]
        pattern, examples = rf"^\s*{number}\s*[A-Za-z].*$", list(scale.examples)
        pattern = pattern if not scale.infinite else rf"{pattern}|^{INFINITY}$"
    text = {"type": "string", "pattern": rf"{pattern}|^\s*{number}\s*$"}
    return {"anyOf": [text, {"type": "number", "exclusiveMinimum": 0}], "examples": examples}


def _scaled(number: Fraction, unit: str, raw: object, text: str, dimension: Dimension) -> Quantity:
    scale = SCALES[dimension]
    if dimension == "duration":
        total = _compound(text) if unit else number
    else:
        factor = _factor(unit, dimension)
        total = None if factor is None else number * factor
    if total is None:
        raise FieldError(
            f"{show(raw)} is not a quantity", scale.allowed, _unit_hint(text, unit, dimension)
        )
    total = round(total, 0 if scale.whole else _PLACES)
    if not total:
        raise FieldError(f"{show(raw)} is too small", scale.allowed)
    if total > scale.largest:
        limit = scale.write(Fraction(scale.largest))
        raise FieldError(f"{show(raw)} is beyond what can be planned", f"at most {limit}")
    value = int(total) if total.denominator == 1 else float(total)
    return Quantity(value, scale.base, scale.write(total))


def _factor(unit: str, dimension: Dimension) -> int | None:
    units = SCALES[dimension].units
    if unit in units:
        return units[unit]
    if dimension == "bytes":  # 12gb is a slip of the shift key, 12Gb is twelve gigabits
        return units.get(unit.upper()) if unit.islower() else None
    folded = " ".join(unit.casefold().split())
    return units.get(folded)


def _unit_hint(text: str, unit: str, dimension: Dimension) -> str | None:
    scale = SCALES[dimension]
    close = scale.slips.get(unit.casefold()) or closest(unit, scale.suggested)
    return f"{text.removesuffix(unit).rstrip()}{scale.gap}{close}" if close else None


def _compound(text: str) -> Fraction | None:
    total, position = Fraction(0), 0
    while position < len(text):
        term = _TERM.match(text, position)
        factor = term and SCALES["duration"].units.get(term[2].casefold())
        if not term or not factor:
            return None
        total += Fraction(Decimal(term[1].replace("_", ""))) * factor
        position = term.end()
    return total


def _rate(number: Fraction, unit: str, raw: object) -> Quantity:
    prefix, name = 1, _rate_unit(unit)
    if name is None and unit[:1] in "kKM":
        prefix, name = (1_000_000 if unit[0] == "M" else 1000), _rate_unit(unit[1:])
    if name is None:
        close = closest(unit, _RATE_SPELLINGS)
        hint = _rate_text(_plain(number), _RATE_SPELLINGS[close]) if close else None
        raise FieldError(f"{show(raw)} is not a rate", _RATES, hint)
    total = round(number * prefix, _PLACES)
    if not total:
        raise FieldError(f"{show(raw)} is too small", _RATES)
    if total > _FASTEST:
        raise FieldError(f"{show(raw)} is beyond what can be planned", _RATES)
    value = int(total) if total.denominator == 1 else float(total)
    return Quantity(value, name, _rate_text(_plain(total), name))


def _rate_unit(unit: str) -> str | None:
    folded = re.sub(r"\s+", "", unit.casefold())
    folded = re.sub(r"(?:/|per)(?:seconds?|secs?)$", "/s", folded)
    folded = re.sub(r"per(?=s$)", "/", folded)
    return "" if not folded else _RATE_SPELLINGS.get(folded)


def _rate_text(number: str, unit: str) -> str:
    return f"{number}fps" if unit == "fps" else f"{number} {unit}".rstrip()


def _hardware(text: str, raw: object) -> Quantity:
    if re.fullmatch(r"[+-]?[0-9._]+", text):
        hint = f"{text}xH100" if text.isdigit() and int(text) else None
        raise FieldError(f"{show(raw)} names no accelerator", _HARDWARE_ALLOWED, hint)
    match = _HARDWARE.fullmatch(text)
    count, name = (int((match["count"] or "1").replace("_", "")), match["name"])
    device = accelerator(name)
    if device is None:
        hint = next((f"{max(count, 1)}x{close}" for close in nearest(name)), None)
        raise FieldError(f"{show(raw)} is not hardware", _HARDWARE_ALLOWED, hint)
    if count < 1:
        raise FieldError(f"{show(raw)} is no device at all", _HARDWARE_ALLOWED)
    if count > _MOST_DEVICES:
        raise FieldError(f"{show(raw)} is beyond what can be planned", f"at most {_MOST_DEVICES:,}")
    return Quantity(count, device.id, f"{count}x{device.id}")


def _plain(value: Fraction) -> str:
    """Write a terminating fraction exactly, without an exponent."""
    text = f"{Decimal(value.numerator) / Decimal(value.denominator):f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _decimal(value: Fraction, steps: tuple[tuple[str, int], ...]) -> str:
    for suffix, size in steps:
        if value >= size:
            return _plain(value / size) + suffix
    return _plain(value)


def _write_parameters(value: Fraction) -> str:
    return _decimal(value, _DECIMAL)


def _write_bytes(value: Fraction) -> str:
    """Write bytes in the decimal or the binary unit, whichever is exact and shorter."""
    decimal = _decimal(value, tuple((f"{s}B", n) for s, n in _SI)) if value >= 1000 else None
    binary = next((f"{value / n}{s}" for s, n in _BINARY if not (value % n)), None)
    return min((text for text in (decimal, binary) if text), key=len, default=f"{value}B")


def _write_tokens(value: Fraction) -> str:
    for suffix, size in (("G", 1024**3), ("M", 1024**2), ("k", 1024)):
        if not value % size:
            return f"{value / size}{suffix}"
    return str(value)


def _write_duration(value: Fraction) -> str:
    for unit, size in (("day", 86_400), ("hour", 3600), ("minute", 60)):
        if not value % size:
            return f"{value / size} {unit}" + ("" if value == size else "s")
    return _plain(value) + (" second" if value == 1 else " seconds")


def _write_frequency(value: Fraction) -> str:
    return _decimal(value, (("MHz", 10**6), ("kHz", 1000))) if value >= 1000 else f"{value}Hz"


_DECIMAL = (("T", 10**12), ("B", 10**9), ("M", 10**6), ("K", 10**3))
_SI = (("T", 10**12), ("G", 10**9), ("M", 10**6), ("K", 10**3))
_BINARY = (("TiB", 2**40), ("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10))
_PLACES = 6
_FASTEST = 10**12
_MOST_DEVICES = 1_000_000


def _with_nouns(units: dict[str, int], *nouns: str) -> dict[str, int]:
    """Let a noun follow each unit: "20B params", "128k tokens"."""
    spaced = {f"{unit} {noun}".strip(): size for unit, size in units.items() for noun in nouns}
    joined = {f"{unit}{noun}": size for unit, size in units.items() for noun in nouns}
    return {**units, **spaced, **joined}


_PARAMETER_UNITS = {"": 1, **{suffix.casefold(): size for suffix, size in _DECIMAL}}
_PARAMETER_UNITS |= {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
_PARAMETER_UNITS |= {"bn": 10**9, "mn": 10**6}
_TOKEN_UNITS = {"": 1, "k": 1024, "m": 1024**2, "g": 1024**3}
_BYTE_UNITS = {"": 1, "B": 1, "byte": 1, "bytes": 1}
_BYTE_UNITS |= {f"{suffix}B": size for suffix, size in _SI} | {"kB": 1000}
_BYTE_UNITS |= dict(_BINARY) | {"kiB": 1024}
_BYTE_UNITS |= {suffix.upper(): size for suffix, size in _BINARY}
_TIME_UNITS = {
    unit: size
    for names, size in (
        ("s sec secs second seconds", 1),
        ("m min mins minute minutes", 60),
        ("h hr hrs hour hours", 3600),
        ("d day days", 86_400),
        ("w wk week weeks", 7 * 86_400),
        ("month months", 30 * 86_400),
        ("y yr year years", 365 * 86_400),
    )
    for unit in names.split()
}

SCALES: Mapping[str, Scale] = {
    "parameters": Scale(
        "parameters",
        _with_nouns(_PARAMETER_UNITS, "params", "parameters"),
        f'a number with K, M, B or T, such as "350M" or "20B", or "{INFINITY}"',
        ("350M", "20B", INFINITY),
        10**15,
        _write_parameters,
        ("K", "M", "B", "T", "million", "billion", "trillion"),
        {"g": "B", "gb": "B", "mb": "M", "tb": "T"},
        whole=True,
        infinite=True,
    ),
    "bytes": Scale(
        "bytes",
        _BYTE_UNITS,
        f'a number with MB, GB or TB (or MiB, GiB, TiB), such as "12GB", or "{INFINITY}"',
        ("12GB", "512MB", "80GiB"),
        10**18,
        _write_bytes,
        ("KB", "MB", "GB", "TB", "KiB", "MiB", "GiB", "TiB"),
        {"k": "KB", "m": "MB", "g": "GB", "t": "TB", "mb": "MB", "gb": "GB", "gig": "GB"},
        whole=True,
        infinite=True,
    ),
    "tokens": Scale(
        "tokens",
        _with_nouns(_TOKEN_UNITS, "tok", "token", "tokens"),
        f'a number of tokens with k or M (1024, 1024²), such as "128k", or "{INFINITY}"',
        ("32k", "128k", "1M", INFINITY),
        2**40,
        _write_tokens,
        ("k", "M", "tokens"),
        {"kb": "k", "mb": "M", "b": "G"},
        whole=True,
        infinite=True,
    ),
    "duration": Scale(
        "seconds",
        _TIME_UNITS,
        'a number with seconds, minutes, hours, days or weeks, such as "21 days"',
        ("3 days", "36 hours"),
        100 * 365 * 86_400,
        _write_duration,
        ("seconds", "minutes", "hours", "days", "weeks", "months", "years"),
        gap=" ",
    ),
    "frequency": Scale(
        "hertz",
        {"": 1, "hz": 1, "khz": 1000, "mhz": 10**6},
        'a number with Hz or kHz, such as "16kHz"',
        ("16kHz", "44.1kHz"),
        10**9,
        _write_frequency,
        ("Hz", "kHz", "MHz"),
        {"k": "kHz"},
        whole=True,
    ),
}

RATE_UNITS: Mapping[str, tuple[str, ...]] = {
    "fps": ("fps", "frame/s", "frames/s", "f/s"),
    "tok/s": ("tok/s", "toks/s", "token/s", "tokens/s", "t/s", "tps"),
    "img/s": ("img/s", "imgs/s", "image/s", "images/s", "ips"),
    "samples/s": ("samples/s", "sample/s", "sps", "items/s", "it/s"),
    "steps/s": ("steps/s", "step/s", "actions/s", "action/s"),
}
_RATE_SPELLINGS = {name: unit for unit, names in RATE_UNITS.items() for name in names}
_RATES = f'a number with {", ".join(list(RATE_UNITS)[:-1])} or steps/s, such as "30fps"'
_HARDWARE_ALLOWED = (
    f"a count and one of {len(ACCELERATORS)} catalogued devices, "
    'such as "8xH100", "RTX 4090" or "4 x TPUv5e"'
)
