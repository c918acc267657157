import pytest

from cluster.api.printing import durations

DAY = 86400
YEAR = 365 * DAY


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-5, "<invalid>"), (-1.5, "0s"), (-0.5, "0s"), (0, "0s"), (1, "1s"), (119.9, "119s"),
        (120, "2m"), (121, "2m1s"), (599, "9m59s"), (600, "10m"), (659, "10m"),
        (179 * 60, "179m"), (180 * 60, "3h"), (181 * 60, "3h1m"), (8 * 3600, "8h"),
        (47 * 3600, "47h"), (48 * 3600, "2d"), (49 * 3600, "2d1h"), (8 * DAY, "8d"),
        (8 * DAY + 3600, "8d"), (2 * YEAR - 1, "729d"), (2 * YEAR, "2y"), (2 * YEAR + DAY, "2y1d"),
        (8 * YEAR, "8y"), (8 * YEAR + 9 * DAY, "8y"),
    ],
)  # fmt: skip
def test_durations_lose_units_as_they_grow(seconds: float, shown: str) -> None:
    assert durations.human(seconds) == shown


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        (None, "<unknown>"), ("", "<unknown>"), ("yesterday", "<unknown>"), (7, "<unknown>"),
        ("1970-01-01T00:00:10Z", "90s"), ("1970-01-01T01:00:10+01:00", "90s"),
        ("1970-01-01T00:00:10.500000Z", "89s"),
    ],
)  # fmt: skip
def test_ages_read_any_rfc3339_time(text: object, shown: str) -> None:
    assert durations.since(text, 100.0) == shown
