"""Numbers are printed one way."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metagen.utils import formatting as fmt


@pytest.mark.parametrize(
    ("function", "value", "text"),
    [
        (fmt.count, 8_030_261_248, "8.03B"),
        (fmt.count, 124_439_808, "124M"),
        (fmt.count, 999_950, "1.00M"),
        (fmt.count, 999_499, "999K"),
        (fmt.count, 320, "320"),
        (fmt.count, 0.248, "0.248"),
        (fmt.count, 1e12, "1.00T"),
        (fmt.memory, 16.06e9, "16.1 GB"),
        (fmt.memory, 36864, "36.9 kB"),
        (fmt.memory, 0, "0 B"),
        (fmt.memory, 96, "96.0 B"),
        (fmt.memory, math.inf, "∞"),
        (fmt.flops, 1.5e10, "15.0 GFLOPs"),
        (fmt.flops, 8.21e20, "821 EFLOPs"),
        (fmt.flops, 12, "12.0 FLOPs"),
        (fmt.tokens, 131072, "128k"),
        (fmt.tokens, 1024**2, "1M"),
        (fmt.tokens, 2000, "2,000"),
        (fmt.seconds, 0.0123, "12.3 ms"),
        (fmt.seconds, 2.4, "2.40 s"),
        (fmt.seconds, 300, "5.00 min"),
        (fmt.seconds, 3600, "1.00 h"),
        (fmt.seconds, 259200, "3.00 days"),
        (fmt.seconds, 1e9, "31.7 years"),
        (fmt.percent, 0.9731, "97.3 %"),
        (fmt.decimal, 1, "1.000"),
        (fmt.scientific, 0.0003, "3.0e-4"),
        (fmt.signed, -5, "−5.00"),
        (fmt.signed, 0, "0"),
        (fmt.integer, 8030261248, "8,030,261,248"),
        (fmt.significant, 0.000123456, "0.000123"),
        (fmt.significant, 1234.5, "1230"),
    ],
)
def test_examples(function, value, text):
    assert function(value) == text


@given(st.floats(1e-9, 1e15))
def test_counts_keep_three_significant_digits(value):
    text = fmt.count(value)
    unit = {"T": 1e12, "B": 1e9, "M": 1e6, "K": 1e3}.get(text[-1], 1)
    number = float(text.rstrip("TBMK")) * unit
    assert math.isclose(number, value, rel_tol=0.0051)
