"""Quantities: the grammar, rounding, and the text that is kept."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.api import quantity


@pytest.mark.parametrize(
    ("text", "value", "milli", "canonical"),
    [
        ("0", 0, 0, "0"),
        ("1", 1, 1000, "1"),
        ("100m", 1, 100, "100m"),
        ("1000m", 1, 1000, "1"),
        ("0.5", 1, 500, "500m"),
        (".5", 1, 500, "500m"),
        ("5.", 5, 5000, "5"),
        ("1.5Gi", 1610612736, 1610612736000, "1536Mi"),
        ("1024Mi", 2**30, 2**30 * 1000, "1Gi"),
        ("512", 512, 512000, "512"),
        ("2000", 2000, 2000000, "2k"),
        ("1e3", 1000, 1000000, "1e3"),
        ("12E2", 1200, 1200000, "1200"),
        ("1n", 1, 1, "1n"),
        ("0.0000000001", 1, 1, "1n"),
        ("-1", -1, -1000, "-1"),
        ("9Ei", 2**63 - 1, (2**63 - 1) * 1000, "9223372036854775807"),
        ("1e999999999", 2**63 - 1, (2**63 - 1) * 1000, "9223372036854775807"),
    ],
)
def test_what_a_text_means(text: str, value: int, milli: int, canonical: str) -> None:
    assert (quantity.value(text), quantity.milli(text)) == (value, milli)
    assert quantity.canonical(text) == canonical


@pytest.mark.parametrize("text", ["", "a", ".", "--1", "1x", "1 ", "1Mi1", "١", True, None, []])
def test_what_is_no_quantity(text: object) -> None:
    with pytest.raises(ValueError, match="quantit"):
        quantity.parse(text)  # type: ignore[arg-type]


def test_numbers_are_taken_as_their_text() -> None:
    assert quantity.parse(2) == 2
    assert quantity.canonical(0.25) == "250m"


@given(st.integers(-(10**15), 10**15))
def test_thousandths_come_back(thousandths: int) -> None:
    assert quantity.milli(quantity.format_milli(thousandths)) == thousandths


@given(st.integers(0, 2**62))
def test_binary_text_means_the_same_amount(amount: int) -> None:
    assert quantity.parse(quantity.format(amount, binary=True)) == amount


@given(st.fractions(0, 10**6, max_denominator=10**9))
def test_canonical_text_is_stable(amount: Fraction) -> None:
    text = quantity.format(amount)
    assert quantity.canonical(text) == text
    assert quantity.parse(text) >= amount
