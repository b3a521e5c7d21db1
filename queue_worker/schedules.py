"""When a job is due: every so often, by a cron expression, or only by hand.

A schedule answers one question: which tick follows this moment? It knows no clock of its own, so
the database's clock can decide.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import takewhile
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cronsim import CronSim, CronSimError

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


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
        if self.interval < timedelta(seconds=1):
            return "must be at least one second apart"
        return None

    def following(self, moment: datetime) -> datetime | None:
        """The first tick after `moment`."""
        return _EPOCH + ((moment - _EPOCH) // self.interval + 1) * self.interval


@dataclass(frozen=True, slots=True)
class Cron:
    """Due when the wall clock of `timezone` matches `expression`.

    Five fields, or six with seconds in front. Daylight saving time is treated as Debian's cron
    treats it: of a job at a fixed time, a skipped hour runs right after the gap and a repeated
    hour runs once (https://manpages.debian.org/bookworm/cron/cron.8.en.html).
    """

    expression: str
    timezone: str

    def __str__(self) -> str:
        return f"cron {self.expression} ({self.timezone})"

    def problem(self) -> str | None:
        """What is wrong with this schedule, or None."""
        try:
            zone = ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError, OSError):
            return f"names the unknown time zone {self.timezone!r}"
        try:
            ticks = CronSim(self.expression, datetime.now(zone))
        except CronSimError as error:
            return f"has a bad cron expression {self.expression!r} ({error})"
        if next(ticks, None) is None:
            return f"is never due: {self.expression!r} matches no date"
        return None

    def following(self, moment: datetime) -> datetime | None:
        """The first tick after `moment`, in UTC; None if there is none in fifty years."""
        tick = next(CronSim(self.expression, moment.astimezone(ZoneInfo(self.timezone))), None)
        return None if tick is None else tick.astimezone(UTC)


Schedule = Manual | Every | Cron


def every(interval: timedelta | None = None, **parts: float) -> Every:
    """Due every `interval`, or every `minutes=5` and the like (the names of timedelta)."""
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


def _ticks(schedule: Schedule, moment: datetime) -> Iterator[datetime]:
    if isinstance(schedule, Manual):
        return
    tick = schedule.following(moment)
    while tick is not None:
        yield tick
        tick = schedule.following(tick)
