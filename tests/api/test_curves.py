"""Amounts over time, as annotations write them."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.api import curves


@pytest.mark.parametrize(
    ("text", "parts", "seconds", "amount"),
    [
        ("250m", 1000, 0.0, 250),
        ("250m", 1000, 1e6, 250),
        ("0s=100m,10s=200m", 1000, 0.0, 100),
        ("0s=100m,10s=200m", 1000, 5.0, 150),
        ("0s=100m,10s=200m", 1000, 10.0, 200),
        ("0s=100m,10s=200m", 1000, 99.0, 200),
        ("5s=1,10s=2", 1, 0.0, 1),
        ("0s=0, 1m = 60, repeat", 1, 90.0, 30),
        ("0s=0,1m=60,repeat", 1, 60.0, 0),
        ("1m=64Mi", 1, 0.0, 64 << 20),
    ],
)
def test_an_amount_lies_on_the_line_between_its_points(text, parts, seconds, amount):
    assert curves.parse(text, parts).at(seconds) == amount


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "quantities must match"),
        ("much", "quantities must match"),
        ("-1", "negative"),
        ("0s=1,", "no point of a curve"),
        ("0s=1,5", "no point of a curve"),
        ("soon=1", "no duration"),
        ("0s=-1", "negative"),
        ("5s=1,5s=2", "order of their times"),
        ("5s=1,2s=2", "order of their times"),
        ("0s=1,repeat", "last for some time"),
        ("repeat,0s=1", "no point of a curve"),
        (f"{'9' * 400}=1", "a hundred years"),
        (",".join(f"{n}s=1" for n in range(257)), "256 points at most"),
        ("0s=1," + " " * 9000, "characters at most"),
    ],
)
def test_what_is_no_curve_is_refused_with_a_sentence(text, why):
    with pytest.raises(ValueError, match=why):
        curves.parse(text, 1)


def test_what_gathers_is_the_area_under_the_curve():
    curve = curves.parse("0s=100,10s=200,20s=0,repeat", 1)
    assert curve.area(10) == 1500
    assert curve.area(20) == 2500
    assert curve.area(45) == 2 * 2500 + 625
    assert curves.parse("3", 1).area(7) == 21


amounts = st.integers(0, 1000)


@st.composite
def shapes(draw):
    steps = draw(st.lists(st.floats(0.5, 50), min_size=1, max_size=6))
    times = list(itertools.accumulate(steps))
    found = tuple(float(draw(amounts)) for _ in times)
    return curves.Curve(tuple(times), found, draw(st.booleans()))


@given(shapes(), st.floats(0, 500), st.floats(0, 500))
def test_what_gathered_never_falls_and_agrees_with_the_amounts(curve, one, other):
    early, late = sorted((one, other))
    gathered = curve.area(late) - curve.area(early)
    most = max(curve.amounts) * (late - early)
    assert -1e-6 <= gathered <= most + 1e-6


@given(shapes(), amounts, st.floats(0, 500))
def test_a_capped_curve_is_the_lesser_of_both_everywhere(curve, most, seconds):
    capped = curve.capped(float(most)).at(seconds)
    assert capped == pytest.approx(min(curve.at(seconds), most), abs=1e-6)
