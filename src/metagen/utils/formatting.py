"""How numbers are printed; the same figure is formatted by the same function everywhere."""

from __future__ import annotations

from collections.abc import Callable
from math import floor, isinf, log10

_DECIMAL = ((10**12, "T"), (10**9, "B"), (10**6, "M"), (10**3, "K"))
_SI = ((10**24, "Y"), (10**21, "Z"), (10**18, "E"), (10**15, "P"), (10**12, "T"), (10**9, "G"))
_SI += ((10**6, "M"), (10**3, "k"))


def round_to(value: float, digits: int) -> float:
    """`value` rounded to `digits` significant digits."""
    if value == 0 or isinf(value):
        return value
    return round(value, digits - 1 - floor(log10(abs(value))))


def significant(value: float, digits: int = 3) -> str:
    """`value` with `digits` significant digits in plain decimal notation: `8.03`, `124`, `1030`."""
    if isinf(value):
        return "∞"
    rounded = round_to(value, digits)
    if rounded == 0:
        return "0"
    decimals = max(0, digits - 1 - floor(log10(abs(rounded))))
    return f"{rounded:.{decimals}f}"


def scaled(value: float, units: tuple[tuple[int, str], ...], digits: int = 3) -> str:
    """`value` under the largest unit that it reaches once rounded."""
    value = round_to(value, digits)
    for size, suffix in units:
        if abs(value) >= size and not isinf(value):
            return significant(value / size, digits) + suffix
    return significant(value, digits)


def count(value: float) -> str:
    """Parameters and tokens: `8.03B`, `124M`, `320`; a small whole number has no decimals."""
    whole = abs(value) < 1000 and value == int(value)
    return str(int(value)) if whole else scaled(value, _DECIMAL)


def integer(value: float) -> str:
    """A whole number with thousands separators: `8,030,261,248`."""
    return "∞" if isinf(value) else f"{int(value):,}"


def memory(value: float) -> str:
    """Bytes in decimal units: `16.1 GB`, `512 MB`, `96 B`."""
    if isinf(value):
        return "∞"
    units = ((10**12, " TB"), (10**9, " GB"), (10**6, " MB"), (10**3, " kB"))
    text = scaled(value, units)
    return text if text.endswith("B") else text + " B"


def flops(value: float) -> str:
    """Floating-point operations: `16.1 GFLOPs`."""
    text = scaled(value, tuple((size, f" {prefix}") for size, prefix in _SI))
    return f"{text}FLOPs" if " " in text else f"{text} FLOPs"


def flop_rate(value: float) -> str:
    """Floating-point operations per second: `989 TFLOP/s`."""
    return f"{flops(value).removesuffix('s')}/s"


def intensity(value: float) -> str:
    """Operations for each byte of memory traffic: `295 FLOP/byte`."""
    return f"{significant(value)} FLOP/byte"


def tokens(value: float) -> str:
    """A context length: `128k`, `1M`, `2,000` (k = 1024, M = 1024²)."""
    if isinf(value):
        return "∞"
    for size, suffix in ((1024**2, "M"), (1024, "k")):
        if value >= size and value % size == 0:
            return f"{int(value) // size}{suffix}"
    return integer(value)


def seconds(value: float) -> str:
    """A duration: `350 ms`, `2.40 s`, `3.5 h`, `12.0 days`, `41.0 years`."""
    if isinf(value):
        return "∞"
    for size, name in ((365.25 * 86400, "years"), (86400, "days"), (3600, "h"), (60, "min")):
        if value >= 2 * size or (size == 3600 and value >= size):
            return f"{significant(value / size)} {name}"
    if value >= 1:
        return f"{significant(value)} s"
    return f"{significant(value * 1e3)} ms"


def energy(kilowatt_hours: float) -> str:
    """Electrical energy: `154 kWh`, `181 MWh`, `2.40 GWh`."""
    for size, name in ((1e6, "GWh"), (1e3, "MWh")):
        if kilowatt_hours >= size:
            return f"{significant(kilowatt_hours / size)} {name}"
    return f"{significant(kilowatt_hours)} kWh"


def percent(value: float) -> str:
    """A share of one: `97.3 %`."""
    return f"{value * 100:.1f} %"


def decimal(value: float) -> str:
    """A score or ratio with three decimals: `0.875`."""
    return f"{value:.3f}"


def rate(value: float, unit: str) -> str:
    """A throughput: `41.3 tok/s`."""
    return f"{significant(value)} {unit}"


def scientific(value: float) -> str:
    """A small or huge number: `3.0e-4`."""
    mantissa, exponent = f"{value:.1e}".split("e")
    return f"{mantissa}e{int(exponent)}"


def signed(value: float, text: Callable[[float], str] = significant) -> str:
    """A difference with its sign: `−1.2B`, `+3.4M`, `0`."""
    if value == 0:
        return "0"
    return ("−" if value < 0 else "+") + text(abs(value))
