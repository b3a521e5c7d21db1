"""Numbers for people: how many, and how long, never more exact than one needs to know."""

from __future__ import annotations

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def counted(number: int, noun: str) -> str:
    """Such as `0 runs`, `1 run` or `1,000 runs`."""
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def in_short(seconds: float) -> str:
    """Such as `4 ms`, `1.5 s`, `42 s`, `3m 05s`, `2h 10m` or `3d 04h`; with a minus if negative."""
    sign, seconds = ("-", -seconds) if seconds < 0 else ("", seconds)
    if seconds < 1:
        return f"{sign}{seconds * 1000:.0f} ms"
    if seconds < 10:  # noqa: PLR2004  below, the tenths are worth a look
        return f"{sign}{seconds:.1f} s"
    return sign + _in_two_parts(round(seconds))


def _in_two_parts(seconds: int) -> str:
    if seconds < _MINUTE:
        return f"{seconds} s"
    if seconds < _HOUR:
        return f"{seconds // _MINUTE}m {seconds % _MINUTE:02}s"
    if seconds < _DAY:
        return f"{seconds // _HOUR}h {seconds % _HOUR // _MINUTE:02}m"
    return f"{seconds // _DAY}d {seconds % _DAY // _HOUR:02}h"
