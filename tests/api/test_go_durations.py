import pytest
from hypothesis import given
from hypothesis import strategies as st

from cluster.api import durations


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("10", 10), ("1.5", 1.5), ("250ms", 0.25), ("1m30s", 90), ("1h5m", 3900), (".5s", 0.5)],
)
def test_durations_are_read(text, seconds):
    assert durations.parse(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "soon", "-1s", "1x", "5m3", "s", "1s "])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="is no duration"):
        durations.parse(text)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0s"), (0.25, "250ms"), (1, "1s"), (1.594, "1.594s"), (80, "1m20s"), (300, "5m0s"),
        (3661.5, "1h1m1.5s"), (59.9999, "1m0s"),
    ],
)  # fmt: skip
def test_durations_are_written_as_go_writes_them(seconds, text):
    assert durations.format(seconds) == text


@given(st.integers(0, 10**9))
def test_what_is_written_is_read_again(millis):
    assert durations.parse(durations.format(millis / 1000)) == pytest.approx(millis / 1000)
