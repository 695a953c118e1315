"""Every spelling of a quantity, its canonical text, and what is refused."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metagen.specs.errors import FieldError
from metagen.specs.quantities import RATE_UNITS, SCALES, parse_quantity, with_unit

DIMENSIONS = [*SCALES, "rate", "hardware"]

READ = [
    ("parameters", "20B", 20 * 10**9, "20B"),
    ("parameters", 20_000_000_000, 20 * 10**9, "20B"),
    ("parameters", 2e10, 20 * 10**9, "20B"),
    ("parameters", "20e9", 20 * 10**9, "20B"),
    ("parameters", "20_000_000_000", 20 * 10**9, "20B"),
    ("parameters", " 20 b ", 20 * 10**9, "20B"),
    ("parameters", "20 billion", 20 * 10**9, "20B"),
    ("parameters", "20B parameters", 20 * 10**9, "20B"),
    ("parameters", "1.5T", 1_500_000_000_000, "1.5T"),
    ("parameters", "350M", 350_000_000, "350M"),
    ("parameters", "134515008", 134_515_008, "134.515008M"),
    ("parameters", 999, 999, "999"),
    ("parameters", "∞", math.inf, "∞"),
    ("parameters", "Unlimited", math.inf, "∞"),
    ("parameters", float("inf"), math.inf, "∞"),
    ("bytes", "12GB", 12 * 10**9, "12GB"),
    ("bytes", "12 gb", 12 * 10**9, "12GB"),
    ("bytes", "12GiB", 12 * 2**30, "12GiB"),
    ("bytes", "12gib", 12 * 2**30, "12GiB"),
    ("bytes", 12 * 2**30, 12 * 2**30, "12GiB"),
    ("bytes", "512MB", 512 * 10**6, "512MB"),
    ("bytes", "0.5GB", 5 * 10**8, "500MB"),
    ("bytes", "1000 bytes", 1000, "1KB"),
    ("bytes", "∞", math.inf, "∞"),
    ("tokens", "32k", 32 * 1024, "32k"),
    ("tokens", "128K tokens", 128 * 1024, "128k"),
    ("tokens", 131072, 131072, "128k"),
    ("tokens", "1M", 1024**2, "1M"),
    ("tokens", "1.5k", 1536, "1536"),
    ("tokens", 200_000, 200_000, "200000"),
    ("tokens", "∞", math.inf, "∞"),
    ("rate", "30fps", 30, "30fps"),
    ("rate", "30 FPS", 30, "30fps"),
    ("rate", "29.97fps", 29.97, "29.97fps"),
    ("rate", "30 frames per second", 30, "30fps"),
    ("rate", "120 tok/s", 120, "120 tok/s"),
    ("rate", "120 tokens/sec", 120, "120 tok/s"),
    ("rate", "1.2k tok/s", 1200, "1200 tok/s"),
    ("rate", "4 images / s", 4, "4 img/s"),
    ("rate", "60 steps/s", 60, "60 steps/s"),
    ("rate", "7 samples/second", 7, "7 samples/s"),
    ("rate", 30, 30, "30"),
    ("hardware", "8xH100", 8, "8xH100"),
    ("hardware", "8 × h100", 8, "8xH100"),
    ("hardware", "8*A100-80GB", 8, "8xA100"),
    ("hardware", "8 H100", 8, "8xH100"),
    ("hardware", "RTX 4090", 1, "1xRTX4090"),
    ("hardware", "2x4090", 2, "2xRTX4090"),
    ("duration", "3 days", 259_200, "3 days"),
    ("duration", "1 day", 86_400, "1 day"),
    ("duration", "21d", 21 * 86_400, "21 days"),
    ("duration", "2 weeks", 14 * 86_400, "14 days"),
    ("duration", "36h", 129_600, "36 hours"),
    ("duration", "1.5 days", 129_600, "36 hours"),
    ("duration", "1h30m", 5400, "90 minutes"),
    ("duration", "1 day, 12 hours", 129_600, "36 hours"),
    ("duration", 0.5, 0.5, "0.5 seconds"),
    ("frequency", "16kHz", 16_000, "16kHz"),
    ("frequency", 44_100, 44_100, "44.1kHz"),
]


@pytest.mark.parametrize(("dimension", "raw", "value", "text"), READ)
def test_reads(dimension, raw, value, text):
    found = parse_quantity(raw, dimension)
    assert (found.value, found.text) == (value, text)
    again = parse_quantity(found.text, dimension)
    assert again == found


REFUSED = (
    [0, -1, "0", "-5", "0.0", "NaN", float("nan"), "", "  ", "20 bananas", "B", "1.2.3", "1,000"]
    + [True, None, [], {}, "0777B", "0x10", "1__0", "٣B", "1e9999999", "9" * 5000, 10**5000, "∞∞"]
    + ["-∞", float("-inf"), b"1", "1\x00B", "--1", "1e", "8x", "xH100", "12 GB GB"]
)


@pytest.mark.parametrize("dimension", DIMENSIONS)
@pytest.mark.parametrize("raw", REFUSED, ids=[str(i) for i in range(len(REFUSED))])
def test_refuses(dimension, raw):
    with pytest.raises(FieldError) as caught:
        parse_quantity(raw, dimension)
    assert caught.value.allowed
    assert len(str(caught.value)) < 120


@pytest.mark.parametrize("dimension", ["rate", "hardware", "duration", "frequency"])
def test_infinity_is_for_budgets_only(dimension):
    with pytest.raises(FieldError):
        parse_quantity("∞", dimension)


@pytest.mark.parametrize(
    ("dimension", "raw", "suggestion"),
    [
        ("parameters", "20G", "20B"),
        ("parameters", "20 bilion", "20billion"),
        ("parameters", "20 bananas", None),
        ("bytes", "12Gb", "12GB"),
        ("bytes", "12GBB", "12GB"),
        ("bytes", "12G", "12GB"),
        ("tokens", "32kb", "32k"),
        ("duration", "3 dyas", "3 days"),
        ("rate", "30 fqs", "30fps"),
        ("hardware", "8xH1000", "8xH100"),
        ("hardware", 8, "8xH100"),
    ],
)
def test_suggests(dimension, raw, suggestion):
    with pytest.raises(FieldError) as caught:
        parse_quantity(raw, dimension)
    assert caught.value.suggestion == suggestion
    if suggestion:
        parse_quantity(suggestion, dimension)


def test_says_what_is_wrong():
    def message(raw, dimension="parameters"):
        with pytest.raises(FieldError) as caught:
            parse_quantity(raw, dimension)
        return str(caught.value)

    assert message("20 bananas") == '"20 bananas" is not a quantity'
    assert message(-5) == "-5 is negative; a quantity is above zero"
    assert message("0B") == '"0B" is zero; a quantity is above zero'
    assert message("0.0001") == '"0.0001" is too small'
    assert message("5000T") == '"5000T" is beyond what can be planned'


@given(st.integers(1, 10**15))
def test_whole_quantities_round_trip(value):
    for dimension in ("parameters", "bytes", "tokens"):
        if value > SCALES[dimension].largest:
            continue
        found = parse_quantity(value, dimension)
        assert found.value == value
        assert parse_quantity(found.text, dimension) == found
        assert parse_quantity(str(value), dimension) == found


@given(st.integers(1, 10**9), st.integers(0, 3), st.sampled_from(sorted(RATE_UNITS)))
def test_rates_round_trip(mantissa, places, unit):
    found = parse_quantity(f"{mantissa / 10**places:.{places}f} {unit}", "rate")
    assert found.unit == unit
    assert parse_quantity(found.text, "rate") == found


@given(st.integers(1, 3 * 10**9))
def test_durations_round_trip(seconds):
    found = parse_quantity(seconds, "duration")
    assert found.value == seconds
    assert parse_quantity(found.text, "duration") == found


@given(st.text(max_size=70) | st.floats() | st.integers())
def test_nothing_but_a_field_error(raw):
    for dimension in DIMENSIONS:
        try:
            found = parse_quantity(raw, dimension)
        except FieldError:
            continue
        assert found.value > 0
        assert parse_quantity(found.text, dimension) == found


@pytest.mark.parametrize(("unit", "spellings"), RATE_UNITS.items())
def test_every_spelling_of_a_rate(unit, spellings):
    for spelling in spellings:
        assert parse_quantity(f"5 {spelling}", "rate").unit == unit


def test_a_bare_rate_takes_a_unit_once():
    bare = parse_quantity(30, "rate")
    assert with_unit(bare, "tok/s").text == "30 tok/s"
    assert with_unit(parse_quantity("30fps", "rate"), "tok/s").text == "30fps"
