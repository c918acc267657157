"""Points of the past, as people say them."""

import pytest

from cluster.cli import moments
from cluster.cli.moments import Moment

NOW = 1_700_000_000.0


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("1234", Moment(revision=1234)),
        ("90s ago", Moment(seconds=NOW - 90)),
        ("90s", Moment(seconds=NOW - 90)),
        (" 1h30m ago", Moment(seconds=NOW - 5400)),
        ("1.5m", Moment(seconds=NOW - 90)),
        ("250ms", Moment(seconds=NOW - 0.25)),
        ("2d", Moment(seconds=NOW - 172_800)),
        ("2023-11-14T22:13:20Z", Moment(seconds=NOW)),
        ("2023-11-14T23:13:10+01:00", Moment(seconds=NOW - 10)),
    ],
)
def test_a_moment_is_a_revision_a_time_or_how_long_ago(text, moment):
    assert moments.read(text, NOW) == moment


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("0", "revisions begin at 1"),
        ("yesterday", "is no revision"),
        ("5", None),
        ("5x ago", "is no revision"),
        ("ago", "is no revision"),
        ("", "is no revision"),
        ("2023-11-14T22:13:20", "is no revision"),
        ("2024-01-01T00:00:00Z", "is in the future"),
    ],
)
def test_what_is_no_moment_is_told_in_a_sentence(text, sentence):
    if sentence is None:
        assert moments.read(text, NOW).revision == int(text)
        return
    with pytest.raises(ValueError, match=sentence):
        moments.read(text, NOW)
