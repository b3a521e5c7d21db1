"""When a job is due: every so often, by a cron expression, or only by hand.

A schedule answers one question: which tick follows this moment? It knows no clock of its own, so
the database's clock can decide.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice, takewhile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SHORTEST = timedelta(seconds=1)
_LONGEST = timedelta(days=366)
_LONGEST_FOLD = timedelta(days=1)  # no clock was ever set back by more


@dataclass(frozen=True, slots=True)
class Manual:
    """Never due by itself: runs when somebody enqueues it."""

    def __str__(self) -> str:
        return "manual"


@dataclass(frozen=True, slots=True)
class Every:
    """Due at every multiple of `interval` since 1970-01-01 00:00 UTC.

    Multiples of a fixed origin, not of the worker's start: all workers agree on them.
    """

    interval: timedelta

    def __str__(self) -> str:
        return f"every {self.interval}"

    def problem(self) -> str | None:
        """What is wrong with this schedule, or None."""
        interval: object = self.interval
        if not isinstance(interval, timedelta):
            return "has an interval that is no timedelta"
        if not _SHORTEST <= interval <= _LONGEST:
            return f"must be from one second to {_LONGEST.days} days apart"
        return None

    def following(self, moment: datetime) -> datetime | None:
        """The first tick after `moment`."""
        return _EPOCH + ((moment - _EPOCH) // self.interval + 1) * self.interval

    def backwards(self, moment: datetime) -> Iterator[datetime]:
        """The ticks up to and including `moment`, newest first."""
        tick = _EPOCH + (moment - _EPOCH) // self.interval * self.interval
        while True:
            yield tick
            tick -= self.interval


@dataclass(frozen=True, slots=True)
class Cron:
    """Due when the wall clock of `timezone` matches `expression`.

    Five fields, or six with seconds in front. Daylight saving time is treated as Debian's cron
    treats it (https://manpages.debian.org/bookworm/cron/cron.8.en.html), with five fields and with
    six. A job at a fixed time, one whose minute and hour do not begin with `*`: where the clock is
    set forward over its time it runs once, in the first minute after the gap, and where the clock
    is set back over its time it runs the first time only. So `30 2 * * *` in Europe/Berlin runs at
    03:00 on the last Sunday of March, and once, at 02:30 summer time, on that of October. Every
    other job follows the clock as it is: what is skipped is skipped, what comes twice runs twice.
    """

    expression: str
    timezone: str

    def __str__(self) -> str:
        return f"cron {self.expression} ({self.timezone})"

    def problem(self) -> str | None:
        """What is wrong with this schedule, or None."""
        try:
            zone = ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError, TypeError):
            return f"names the unknown time zone {self.timezone!r}"
        try:
            ticks = CronSim(self.expression, datetime.now(zone))
        except (CronSimError, AttributeError) as error:
            return f"has a bad cron expression {self.expression!r} ({error})"
        if next(ticks, None) is None:
            return f"is never due: {self.expression!r} matches no date"
        return None

    def following(self, moment: datetime) -> datetime | None:
        """The first tick after `moment`, in UTC; None if there is none in fifty years."""
        start = self._clock(moment)
        ticks = map(self._instant, CronSim(self.expression, start))
        return next((tick for tick in ticks if tick > moment), None)

    def backwards(self, moment: datetime) -> Iterator[datetime]:
        """The ticks up to and including `moment`, newest first."""
        start = self._clock(moment + _SHORTEST)
        if self._is_at_fixed_time:
            start += _LONGEST_FOLD
        newest = None
        for tick in map(self._instant, CronSim(self.expression, start, reverse=True)):
            if tick <= moment and tick != newest:
                newest = tick
                yield tick

    @property
    def _is_at_fixed_time(self) -> bool:
        minute, hour = self.expression.split()[-5:-3]
        return not minute.startswith("*") and not hour.startswith("*")

    def _clock(self, moment: datetime) -> datetime:
        """What the clock shows; without its zone where CronSim is to count on the dial alone."""
        clock = moment.astimezone(ZoneInfo(self.timezone))
        return clock.replace(tzinfo=None, fold=0) if self._is_at_fixed_time else clock

    def _instant(self, clock: datetime) -> datetime:
        """When the clock shows this: the first time it does, or right after the gap it is in."""
        if clock.tzinfo is not None:
            return clock.astimezone(UTC)
        zone = ZoneInfo(self.timezone)
        while not _exists(clock, zone):
            clock = clock.replace(second=0) + timedelta(minutes=1)
        return clock.replace(tzinfo=zone).astimezone(UTC)


Schedule = Manual | Every | Cron


def every(interval: timedelta | None = None, **parts: float) -> Every:
    """Due every `interval`, or every `minutes=5` and the like (the names of timedelta).

    Raises:
        TypeError: neither or both are given, or a part has a name that timedelta does not know.
    """
    if (interval is None) != bool(parts):
        raise TypeError("every() takes one interval: every(timedelta(...)) or every(minutes=5)")
    return Every(timedelta(**parts) if interval is None else interval)


def cron(expression: str, *, timezone: str = "UTC") -> Cron:
    """Due when the clock of `timezone` matches `expression` (5 fields, or 6 with seconds)."""
    return Cron(expression, timezone)


def manual() -> Manual:
    """Due only when somebody enqueues it."""
    return Manual()


def ticks_between(schedule: Schedule, after: datetime, until: datetime) -> Iterator[datetime]:
    """The ticks after `after` up to and including `until`, oldest first."""
    return takewhile(lambda tick: tick <= until, _ticks(schedule, after))


def last_ticks(schedule: Schedule, after: datetime, until: datetime, most: int) -> list[datetime]:
    """The newest of `ticks_between`, at most so many, oldest first.

    Looks at no other tick, however long the time between is.
    """
    if isinstance(schedule, Manual):
        return []
    newest_first = takewhile(lambda tick: tick > after, schedule.backwards(until))
    return list(islice(newest_first, most))[::-1]


def _exists(clock: datetime, zone: ZoneInfo) -> bool:
    there_and_back = clock.replace(tzinfo=zone).astimezone(UTC).astimezone(zone)
    return there_and_back.replace(tzinfo=None) == clock


def _ticks(schedule: Schedule, moment: datetime) -> Iterator[datetime]:
    if isinstance(schedule, Manual):
        return
    tick = schedule.following(moment)
    while tick is not None:
        yield tick
        tick = schedule.following(tick)
