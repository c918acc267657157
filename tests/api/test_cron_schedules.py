"""How the text of a schedule is read, and what is said of one that cannot be."""

import pytest

from cluster.api import cron


def bits(*numbers: int) -> int:
    return sum(1 << number for number in numbers)


@pytest.mark.parametrize(
    ("field", "minutes"),
    [
        ("5", bits(5)),
        ("1,2,3", bits(1, 2, 3)),
        ("10-13", bits(10, 11, 12, 13)),
        ("10-20/5", bits(10, 15, 20)),
        ("*/20", bits(0, 20, 40)),
        ("50/4", bits(50, 54, 58)),
        ("*", 2**60 - 1),
        ("?", 2**60 - 1),
    ],
)
def test_a_field_becomes_the_set_of_its_numbers(field: str, minutes: int) -> None:
    assert cron.parse(f"{field} * * * *").minutes == minutes


def test_months_and_weekdays_have_names_of_any_case() -> None:
    fields = cron.parse("0 0 * JAN,mar Mon-wed")
    assert fields.months == bits(1, 3)
    assert fields.weekdays == bits(1, 2, 3)


@pytest.mark.parametrize(
    ("text", "same"),
    [
        ("@hourly", "0 * * * *"),
        ("@daily", "0 0 * * *"),
        ("@midnight", "0 0 * * *"),
        ("@weekly", "0 0 * * 0"),
        ("@monthly", "0 0 1 * *"),
        ("@yearly", "0 0 1 1 *"),
        ("@annually", "0 0 1 1 *"),
    ],
)
def test_macros_stand_for_their_five_fields(text: str, same: str) -> None:
    assert cron.parse(text) == cron.parse(same)


@pytest.mark.parametrize(
    ("days", "starred"),
    [("* * *", True), ("1 * *", True), ("* * 1", True), ("1 * 1", False), ("*/2 * 1", False)],
)
def test_a_star_with_a_step_is_no_star(days: str, starred: bool) -> None:
    assert cron.parse(f"0 0 {days}").any_day is starred


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5m", 300), ("1h30m", 5400), ("1500ms", 1), ("10ms", 1), ("-5m", 1), ("0", 1)],
)
def test_every_is_whole_seconds_one_at_least(text: str, seconds: int) -> None:
    assert cron.parse(f"@every {text}").every == seconds


@pytest.mark.parametrize("key", ["TZ", "CRON_TZ"])
def test_a_zone_may_stand_before_the_fields(key: str) -> None:
    fields = cron.parse(f"{key}=Europe/Paris 30 3 * * *")
    assert (fields.zone, fields.hours, fields.minutes) == ("Europe/Paris", bits(3), bits(30))


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("0 * * *", "expected exactly 5 fields, found 4: [0 * * *]"),
        ("TZ=UTC", "expected exactly 5 fields, found 1: [TZ=UTC]"),
        ("TZ=Mars/Base 0 * * * *",
         "provided bad location Mars/Base: unknown time zone Mars/Base"),
        ("60 * * * *", "end of range (60) above maximum (59): 60"),
        ("0 0 0 * *", "beginning of range (0) below minimum (1): 0"),
        ("9-5 * * * *", "beginning of range (9) beyond end of range (5): 9-5"),
        ("*/0 * * * *", "step of range should be a positive number: */0"),
        ("1-2-3 * * * *", "too many hyphens: 1-2-3"),
        ("1/2/3 * * * *", "too many slashes: 1/2/3"),
        ("x * * * *", 'failed to parse int from x: strconv.Atoi: parsing "x": invalid syntax'),
        ("@sometimes", "unrecognized descriptor: @sometimes"),
        ("@every soon",
         'failed to parse duration @every soon: time: invalid duration "soon"'),
        ("@every 99999999999h",
         "failed to parse duration @every 99999999999h: time: invalid duration "
         '"99999999999h"'),
    ],
)  # fmt: skip
def test_what_is_no_schedule_is_told_in_the_words_of_the_library(text: str, why: str) -> None:
    assert cron.complaint(text) == why


@pytest.mark.parametrize("name", ["", "Europe", "../../etc/passwd", "/etc/localtime", "a" * 200])
def test_a_name_that_is_no_zone_finds_none(name: str) -> None:
    assert cron.find_zone(name) is None
