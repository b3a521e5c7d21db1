"""Where a moment is on the page."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_MOST_MARKS = 8
_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_STEPS = (
    *(minutes * _MINUTE for minutes in (1, 5, 10, 15, 30)),
    *(hours * _HOUR for hours in (1, 2, 3, 4, 6, 12)),
    *(days * _DAY for days in (1, 2, 7, 14, 28, 56)),
)
_THINNEST = 0.2  # percent of the width: what is shorter is drawn so wide, to be seen

_EDGE = 3.0  # percent


@dataclass(frozen=True, slots=True)
class Axis:
    """The time from `since` until `until`, from the left edge to the right one in percent."""

    since: datetime
    until: datetime

    def place(self, moment: datetime) -> float:
        """Where a moment is; what lies outside is on the edge."""
        share = (moment - self.since) / (self.until - self.since)
        return 100 * min(1.0, max(0.0, share))

    def stretch(self, start: datetime, end: datetime) -> tuple[str, str]:
        """Where a bar begins, and how wide it is."""
        left, right = self.place(start), self.place(end)
        width = max(_THINNEST, right - left)
        return f"{min(left, 100 - width):.2f}%", f"{width:.2f}%"

    @property
    def marks(self) -> list[tuple[float, str]]:
        """Round moments, and what they are called; those at the very edges have no room."""
        placed = ((self.place(moment), words) for moment, words in self._moments())
        return [(place, words) for place, words in placed if _EDGE < place < 100 - _EDGE]

    def _moments(self) -> Iterator[tuple[datetime, str]]:
        whole = (self.until - self.since).total_seconds()
        step = next((step for step in _STEPS if whole / step <= _MOST_MARKS), whole / _MOST_MARKS)
        pattern = "%d %b" if step >= _DAY else "%H:%M"
        seconds = (self.since.timestamp() // step + 1) * step
        moment = datetime.fromtimestamp(seconds, UTC)
        while moment < self.until:
            yield moment, moment.strftime(pattern)
            moment += timedelta(seconds=step)
