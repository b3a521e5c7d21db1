"""Schedules: which moments are ticks, whatever the clock does."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from itertools import islice, pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queue_worker.schedules import (
    Cron,
    Every,
    Schedule,
    cron,
    every,
    last_ticks,
    manual,
    ticks_between,
)

BERLIN = ZoneInfo("Europe/Berlin")
ORIGIN = datetime(1970, 1, 1, tzinfo=UTC)
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "America/Havana", "Asia/Kathmandu"]

moments = st.datetimes(
    datetime(2000, 1, 1),  # noqa: DTZ001  hypothesis adds the zone
    datetime(2037, 12, 31),  # noqa: DTZ001  as above
    timezones=st.just(UTC),
)
near_a_clock_change = st.builds(
    lambda day, seconds: day + timedelta(seconds=seconds),
    st.sampled_from(
        [datetime(2024, m, d, tzinfo=UTC) for m, d in ((3, 10), (3, 31), (10, 27), (11, 3))]
    ),
    st.integers(-86_400, 2 * 86_400),
)
intervals = st.integers(1, 366 * 86_400).map(lambda seconds: Every(timedelta(seconds=seconds)))
expressions = st.sampled_from([
    "* * * * *", "*/7 * * * *", "30 2 * * *", "0 6 * * 1-5", "15,45 1-3 * * *", "0 0 1 * *",
    "*/20 */2 * * *", "30 2 * * 0", "59 23 31 12 *", "* 2 * * *", "0 0 L * *",
    "0 30 2 * * *", "*/15 * * * * *", "30 59 23 * * *", "*/20 30 2 * * *", "7 */10 * * * *",
])  # fmt: skip
crons = st.builds(Cron, expressions, st.sampled_from(ZONES))
schedules: st.SearchStrategy[Every | Cron] = intervals | crons


def berlin(*parts: int, fold: int = 0) -> datetime:
    return datetime(*parts, tzinfo=BERLIN, fold=fold).astimezone(UTC)  # type: ignore[misc,arg-type]


def first(ticks: Iterator[datetime], number: int) -> list[datetime]:
    return list(islice(ticks, number))


# Every -------------------------------------------------------------------------------------------


@given(intervals, moments)
def test_ticks_of_an_interval_are_its_multiples_for_every_worker(
    schedule: Every, moment: datetime
) -> None:
    tick = schedule.following(moment)
    assert tick is not None
    assert (tick - ORIGIN) % schedule.interval == timedelta(0)
    assert moment < tick <= moment + schedule.interval


def test_an_interval_is_given_whole_or_in_parts() -> None:
    assert every(minutes=5) == every(timedelta(minutes=5)) == Every(timedelta(minutes=5))
    assert every(hours=1, minutes=30).interval == timedelta(minutes=90)
    assert str(every(minutes=5)) == "every 0:05:00"


def test_an_interval_is_given_once() -> None:
    with pytest.raises(TypeError, match="takes one interval"):
        every()
    with pytest.raises(TypeError, match="takes one interval"):
        every(timedelta(minutes=5), seconds=1)
    with pytest.raises(TypeError, match="fortnights"):
        every(fortnights=1)


@pytest.mark.parametrize(
    "interval",
    [timedelta(0), timedelta(-5), timedelta(milliseconds=999), timedelta(days=367), 5],
)
def test_an_interval_out_of_bounds_is_a_problem(interval: timedelta) -> None:
    assert Every(interval).problem()


# All schedules -----------------------------------------------------------------------------------


@given(schedules, moments | near_a_clock_change)
def test_the_following_tick_comes_later(schedule: Every | Cron, moment: datetime) -> None:
    tick = schedule.following(moment)
    assert tick is not None
    assert tick > moment
    assert tick.tzinfo is UTC


@given(schedules, moments | near_a_clock_change, st.floats(0, 1, exclude_max=True))
def test_no_tick_lies_between_a_moment_and_its_following_tick(
    schedule: Every | Cron, moment: datetime, part: float
) -> None:
    tick = schedule.following(moment)
    assert tick is not None
    between = moment + (tick - moment) * part
    if between < tick:
        assert schedule.following(between) == tick


@given(schedules, moments | near_a_clock_change)
def test_ticks_strictly_increase(schedule: Every | Cron, moment: datetime) -> None:
    ticks = first(ticks_between(schedule, moment, datetime.max.replace(tzinfo=UTC)), 20)
    assert ticks == sorted(set(ticks))


@given(schedules, moments, st.integers(0, 7_200))
def test_ticks_lie_within_their_bounds(
    schedule: Every | Cron, after: datetime, seconds: int
) -> None:
    until = after + timedelta(seconds=seconds)
    assert all(after < tick <= until for tick in ticks_between(schedule, after, until))


@given(schedules, moments | near_a_clock_change, st.integers(1, 200), st.integers(1, 200))
def test_the_last_ticks_are_the_newest_of_all(
    schedule: Every | Cron, after: datetime, number: int, most: int
) -> None:
    ticks = first(ticks_between(schedule, after, datetime.max.replace(tzinfo=UTC)), number)
    for until in (ticks[-1], ticks[-1] + timedelta(milliseconds=500)):
        assert last_ticks(schedule, after, until, most) == ticks[-most:]


@given(schedules, moments | near_a_clock_change)
def test_a_tick_belongs_to_the_time_that_ends_with_it(
    schedule: Every | Cron, moment: datetime
) -> None:
    tick = schedule.following(moment)
    assert tick is not None
    assert list(ticks_between(schedule, moment, tick)) == [tick]
    assert list(ticks_between(schedule, tick, tick)) == []
    assert last_ticks(schedule, moment, tick, 5) == [tick]
    assert last_ticks(schedule, tick, tick, 5) == []


@pytest.mark.parametrize(
    "schedule",
    [every(seconds=1), cron("* * * * * *"), cron("30 2 * * *", timezone="Europe/Berlin"),
     cron("0 0 29 2 *"), cron("* * * 1 * *")],
)  # fmt: skip
def test_the_last_ticks_of_a_long_outage_are_found_without_the_others(schedule: Schedule) -> None:
    started = time.process_time()
    ticks = last_ticks(
        schedule, datetime(1980, 1, 1, tzinfo=UTC), datetime(2026, 11, 15, tzinfo=UTC), 100
    )
    assert len(ticks) in (12, 100)
    assert time.process_time() - started < 1.0


def test_a_manual_job_is_never_due() -> None:
    now = datetime.now(UTC)
    assert list(ticks_between(manual(), now - timedelta(days=365), now)) == []
    assert last_ticks(manual(), now - timedelta(days=365), now, 5) == []
    assert str(manual()) == "manual"


# Cron --------------------------------------------------------------------------------------------


def test_six_fields_begin_with_seconds() -> None:
    ticks = ticks_between(
        cron("*/20 5 * * * *"), datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC)
    )
    assert first(ticks, 4) == [
        datetime(2024, 1, 1, 0, 5, second, tzinfo=UTC) for second in (0, 20, 40)
    ] + [datetime(2024, 1, 1, 1, 5, tzinfo=UTC)]


@pytest.mark.fault("F36", "P28")
def test_a_cron_follows_the_clock_of_its_zone() -> None:
    schedule = cron("0 6 * * *", timezone="Europe/Berlin")
    assert schedule.following(datetime(2024, 1, 1, tzinfo=UTC)) == berlin(2024, 1, 1, 6)
    assert schedule.following(datetime(2024, 7, 1, tzinfo=UTC)) == datetime(
        2024, 7, 1, 4, tzinfo=UTC
    )
    assert str(schedule) == "cron 0 6 * * * (Europe/Berlin)"


daily_at_half_past_two = pytest.mark.parametrize("expression", ["30 2 * * *", "0 30 2 * * *"])


@pytest.mark.fault("F36")
@daily_at_half_past_two
def test_a_skipped_fixed_time_runs_once_right_after_the_gap(expression: str) -> None:
    ticks = ticks_between(
        cron(expression, timezone="Europe/Berlin"), berlin(2024, 3, 30), berlin(2024, 4, 2)
    )
    assert list(ticks) == [
        berlin(2024, 3, 30, 2, 30),
        berlin(2024, 3, 31, 3),
        berlin(2024, 4, 1, 2, 30),
    ]


@pytest.mark.fault("F36")
@daily_at_half_past_two
def test_a_repeated_fixed_time_runs_the_first_time_only(expression: str) -> None:
    schedule = cron(expression, timezone="Europe/Berlin")
    expected = [
        berlin(2024, 10, 26, 2, 30), berlin(2024, 10, 27, 2, 30, fold=0), berlin(2024, 10, 28, 2, 30)
    ]  # fmt: skip
    assert list(ticks_between(schedule, berlin(2024, 10, 26), berlin(2024, 10, 29))) == expected
    in_the_second_pass = berlin(2024, 10, 27, 2, 15, fold=1)
    assert schedule.following(in_the_second_pass) == expected[2]
    assert last_ticks(schedule, berlin(2024, 10, 27), in_the_second_pass, 5) == [expected[1]]


@pytest.mark.fault("F36")
def test_any_other_job_skips_what_is_skipped_and_repeats_what_is_repeated() -> None:
    schedule = cron("*/30 * * * *", timezone="Europe/Berlin")
    for month, day, hours in ((3, 31, 23), (10, 27, 25)):
        start = datetime(2024, month, day, tzinfo=BERLIN)
        ticks = list(ticks_between(schedule, start, start + timedelta(days=1)))
        assert len(ticks) == 2 * hours
        assert {b - a for a, b in pairwise(ticks)} == {timedelta(minutes=30)}


@pytest.mark.fault("P28")
@pytest.mark.parametrize(
    "expression",
    ["", "* * * *", "* * * * * * *", "60 * * * *", "* 24 * * *", "0 0 31 2 *", "a b c d e", "@daily",
     "*/0 * * * *", "60 * * * * *", "5-1 * * * *", None],
)  # fmt: skip
def test_a_bad_expression_is_a_problem_that_names_it(expression: str) -> None:
    assert repr(expression) in (Cron(expression, "UTC").problem() or "")


@pytest.mark.parametrize(
    "zone", ["Mars/Olympus", "", "../etc/passwd", "/etc/passwd", "Europe", "a\0b", None]
)
def test_an_unknown_time_zone_is_a_problem_that_names_it(zone: str) -> None:
    assert repr(zone) in (Cron("0 6 * * *", zone).problem() or "")
