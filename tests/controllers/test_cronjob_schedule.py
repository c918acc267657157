"""When a schedule is due: on calendars, and on clocks that leap and fall back."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cluster.controllers.cronjob import missed, schedule


def at(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def shown(moment: float | None, zone: str = "UTC") -> str | None:
    if moment is None:
        return None
    return datetime.fromtimestamp(moment, ZoneInfo(zone)).isoformat(timespec="minutes")


@pytest.mark.parametrize(
    ("text", "after", "then"),
    [
        ("0 * * * *", "2026-01-01T10:00:00Z", "2026-01-01T11:00+00:00"),
        ("0 * * * *", "2026-01-01T09:59:59Z", "2026-01-01T10:00+00:00"),
        ("*/15 9-17 * * mon-fri", "2026-01-02T17:45:00Z", "2026-01-05T09:00+00:00"),
        ("0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00+00:00"),
        ("0 0 31 2 *", "2026-01-01T00:00:00Z", None),
        ("0 0 1,15 * *", "2026-01-15T00:00:00Z", "2026-02-01T00:00+00:00"),
        ("59 23 31 12 *", "2026-12-31T23:59:00Z", "2027-12-31T23:59+00:00"),
        # Days and weekdays, both named: either will do. One of them a star: both must fit.
        ("0 0 13 * fri", "2026-01-01T00:00:00Z", "2026-01-02T00:00+00:00"),
        ("0 0 13 * *", "2026-01-01T00:00:00Z", "2026-01-13T00:00+00:00"),
        ("0 0 */2 * sun", "2026-01-01T00:00:00Z", "2026-01-03T00:00+00:00"),
        (", * * * *", "2026-01-01T00:00:00Z", None),
        ("@every 90m", "2026-01-01T00:00:30Z", "2026-01-01T01:30+00:00"),
    ],
)
def test_the_next_time_of_a_schedule(text: str, after: str, then: str | None) -> None:
    assert shown(schedule.timetable(text).following(at(after))) == then


@pytest.mark.parametrize(
    ("zone", "text", "after", "times"),
    [
        # 2:00 becomes 3:00 on 8 March 2026: the half hour after two does not come.
        ("America/New_York", "30 2 * * *", "2026-03-07T12:00:00Z",
         ["2026-03-09T02:30-04:00", "2026-03-10T02:30-04:00"]),
        ("America/New_York", "0 * * * *", "2026-03-08T06:00:00Z",
         ["2026-03-08T03:00-04:00", "2026-03-08T04:00-04:00"]),
        # 2:00 becomes 1:00 on 1 November: the half hour after one comes twice.
        ("America/New_York", "30 1 * * *", "2026-10-31T12:00:00Z",
         ["2026-11-01T01:30-04:00", "2026-11-01T01:30-05:00", "2026-11-02T01:30-05:00"]),
        ("Europe/Berlin", "30 2 * * *", "2026-03-28T12:00:00Z",
         ["2026-03-30T02:30+02:00"]),
        # Midnight itself is leapt over: Santiago, 6 September 2026.
        ("America/Santiago", "0 0 * * *", "2026-09-05T12:00:00Z",
         ["2026-09-07T00:00-03:00"]),
        ("America/Santiago", "30 1 6 9 *", "2026-09-05T12:00:00Z",
         ["2026-09-06T01:30-03:00"]),
        # Half an hour at Lord Howe.
        ("Australia/Lord_Howe", "0 2 * * *", "2026-04-04T12:00:00Z",
         ["2026-04-05T02:00+10:30"]),
        ("Asia/Kolkata", "0 9 * * *", "2026-01-01T00:00:00Z",
         ["2026-01-01T09:00+05:30"]),
    ],
)  # fmt: skip
def test_times_are_those_of_the_zones_clock(
    zone: str, text: str, after: str, times: list[str]
) -> None:
    table = schedule.timetable(text, ZoneInfo(zone))
    moment, found = at(after), []
    for _ in times:
        moment = table.following(moment) or 0
        found.append(shown(moment, zone))
    assert found == times


def test_a_zone_in_the_text_goes_before_the_zone_beside_it() -> None:
    table = schedule.timetable("TZ=Asia/Tokyo 0 9 * * *", ZoneInfo("Europe/Paris"))
    assert shown(table.following(at("2026-01-01T00:00:00Z"))) == "2026-01-02T00:00+00:00"


def test_a_day_that_began_twice_is_not_gone_round_for_ever() -> None:
    """Newfoundland went back from 0:01 to 23:01 of the day before until 2011."""
    table = schedule.timetable("0 12 31 10 *", ZoneInfo("America/St_Johns"))
    after = at("2010-11-07T03:00:00Z")  # the second 23:30 of 6 November
    found = schedule.timetable("0 5 7 11 *", table.zone).following(after)
    assert shown(found, "America/St_Johns") == "2010-11-07T05:00-03:30"


NUMBERS = {"minute": 59, "hour": 23, "day": 28, "month": 12, "weekday": 6}


@st.composite
def schedules(draw: st.DrawFn) -> str:
    fields = []
    for name, most in NUMBERS.items():
        low = 1 if name in ("day", "month") else 0
        some = st.lists(st.integers(low, most), min_size=1, max_size=5).map(
            lambda numbers: ",".join(map(str, numbers))
        )
        fields.append(draw(st.one_of(st.just("*"), some, st.sampled_from(["*/2", "*/3", "1/4"]))))
    return " ".join(fields)


zones = st.sampled_from(["UTC", "America/New_York", "Europe/London", "Australia/Lord_Howe",
                         "America/Santiago", "Asia/Kathmandu"])  # fmt: skip
moments = st.integers(int(at("2026-01-01T00:00:00Z")), int(at("2027-01-01T00:00:00Z")))


@given(schedules(), zones, moments)
@settings(max_examples=150, deadline=None)
def test_it_is_due_at_each_minute_that_it_names_and_at_no_other(
    text: str, zone: str, start: int
) -> None:
    table = schedule.timetable(text, ZoneInfo(zone))
    fields = table.fields
    found = table.following(start)
    minute = start // 60 * 60 + 60
    for moment in range(minute, minute + 60 * 3000, 60):
        local = datetime.fromtimestamp(moment, UTC).astimezone(ZoneInfo(zone))
        day = bool(fields.days >> local.day & 1)
        weekday = bool(fields.weekdays >> (local.weekday() + 1) % 7 & 1)
        named = (
            fields.minutes >> local.minute & 1
            and fields.hours >> local.hour & 1
            and fields.months >> local.month & 1
            and ((day and weekday) if fields.any_day else (day or weekday))
        )
        if named:
            assert found == moment
            return
    assert found is None or found >= minute + 60 * 3000


@given(st.one_of(schedules(), st.just("@every 7m")), zones, moments, st.integers(0, 400_000))
@settings(max_examples=150, deadline=None)
def test_the_latest_time_is_the_last_of_all_times(
    text: str, zone: str, start: int, span: int
) -> None:
    table = schedule.timetable(text, ZoneInfo(zone))
    expected, moment = None, table.following(start)
    while moment is not None and moment <= start + span:
        expected, moment = moment, table.following(moment)
    assert table.latest(start, start + span) == expected


def cron_job(created: str, last: str | None = None, deadline: int | None = None) -> dict[str, Any]:
    spec: dict[str, Any] = {"schedule": "0 * * * *"}
    if deadline is not None:
        spec["startingDeadlineSeconds"] = deadline
    status = {"lastScheduleTime": last} if last else {}
    return {"metadata": {"creationTimestamp": created}, "spec": spec, "status": status}


BORN = "2026-01-01T10:00:00Z"


@pytest.mark.parametrize(
    ("now", "last", "deadline", "time", "many"),
    [
        ("2026-01-01T10:30:00Z", None, None, None, False),
        ("2026-01-01T11:00:00Z", None, None, "2026-01-01T11:00+00:00", False),
        ("2026-01-01T11:59:59Z", None, None, "2026-01-01T11:00+00:00", False),
        ("2026-01-01T15:30:00Z", None, None, "2026-01-01T15:00+00:00", False),
        ("2026-01-01T15:30:00Z", "2026-01-01T15:00:00Z", None, None, False),
        ("2026-01-05T14:30:00Z", None, None, "2026-01-05T14:00+00:00", False),  # 100 missed
        ("2026-01-05T15:00:00Z", None, None, "2026-01-05T15:00+00:00", True),
        ("2026-02-05T15:00:00Z", None, 3600, "2026-02-05T15:00+00:00", False),
        ("2026-02-05T15:30:00Z", None, 600, None, False),
    ],
)
def test_which_start_is_due_after_some_were_missed(
    now: str, last: str | None, deadline: int | None, time: str | None, many: bool
) -> None:
    table = schedule.timetable("0 * * * *")
    found = missed.due(cron_job(BORN, last, deadline), table, at(now), deadline=True)
    assert (shown(found.time), found.many) == (time, many)


def test_a_schedule_that_names_no_day_is_an_error() -> None:
    with pytest.raises(missed.NeverDue, match="less than 1 second"):
        missed.due(cron_job(BORN), schedule.timetable("0 0 31 2 *"), at(BORN), deadline=True)


@pytest.mark.parametrize(
    ("text", "now", "last", "wait"),
    [
        ("0 * * * *", "2026-01-01T10:30:00Z", None, 1800.1),
        ("0 * * * *", "2026-01-01T11:00:01Z", "2026-01-01T11:00:00Z", 3599.1),
        ("0 * * * *", "2026-01-01T15:30:00Z", None, 1800.1),
        ("@every 10m", "2026-01-01T11:05:00Z", "2026-01-01T11:00:00Z", 300.1),
        ("0 0 31 2 *", "2026-01-01T11:05:00Z", None, None),
    ],
)
def test_how_long_to_wait_for_the_next_start(
    text: str, now: str, last: str | None, wait: float | None
) -> None:
    found = missed.seconds_to_next(cron_job(BORN, last), schedule.timetable(text), at(now))
    assert found == (None if wait is None else pytest.approx(wait))


def test_starts_missed_in_years_cost_no_years_of_counting() -> None:
    table = schedule.timetable("* * * 1-6 *")
    since, now = at("2000-06-30T23:58:00Z"), at("2026-07-01T00:00:30Z")
    steps = 0
    original = schedule.Timetable.following

    def counted(self: schedule.Timetable, moment: float) -> int | None:
        nonlocal steps
        steps += 1
        return original(self, moment)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(schedule.Timetable, "following", counted)
        assert shown(table.latest(since, now)) == "2026-06-30T23:59+00:00"
    assert steps < 100
    assert timedelta(seconds=now - since).days > 9000
