"""What `queue-worker top` shows: a snapshot, laid out for the size of a terminal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from rich.console import ConsoleDimensions, Group, RenderableType
from rich.table import Table
from rich.text import Text

from queue_worker.cli.feed import News
from queue_worker.cli.output import styled_outcome
from queue_worker.governance.printable import one_line
from queue_worker.governance.reports import Row, error_of
from queue_worker.governance.snapshot import Snapshot
from queue_worker.governance.wording import counted, in_short

_HEAD = 2  # lines above the sections
_STATES = {"alive": "green", "silent": "yellow", "cut off": "bold red"}
_ALMOST = 0.8  # of its timeout: from then on a run is worth a look
_LATE = -10.0  # seconds; as the view `overdue` has it

Line = tuple[str | Text, ...]


@dataclass(frozen=True, slots=True)
class Section:
    """One table of the screen.

    Attributes:
        columns: their names, the first that of the section; the last one takes what width is left.
        lines: what stands in it.
    """

    columns: tuple[str, ...]
    lines: Sequence[Line]

    @property
    def height(self) -> int:
        """Lines that it would like to have below its head."""
        return max(1, len(self.lines))


def render(news: News, size: ConsoleDimensions | None = None) -> RenderableType:
    """The whole screen, laid out for a terminal of this size; without one everything is shown."""
    sections = _sections(news.snapshot)
    heights = [section.height for section in sections]
    is_airy = size is None or size.height >= _HEAD + 3 * len(sections)
    if size is not None:
        heads = len(sections) * (2 if is_airy else 1)
        heights = share(heights, size.height - _HEAD - heads)
    parts: list[RenderableType] = [_title(news.snapshot), _state(news)]
    for section, height in zip(sections, heights, strict=True):
        if is_airy:
            parts.append(Text(""))
        parts.append(_table(section, height, size and size.width))
    return Group(*parts)


def share(wanted: Sequence[int], available: int) -> list[int]:
    """Share lines out fairly: who wants little gets it, the others get the same, at least one."""
    given = [1] * len(wanted)
    left = available - len(wanted)
    while left > 0 and any(g < w for g, w in zip(given, wanted, strict=True)):
        for n, most in enumerate(wanted):
            if left > 0 and given[n] < most:
                given[n] += 1
                left -= 1
    return given


def _title(snapshot: Snapshot) -> Text:
    words = (
        ("queue-worker top", "bold"),
        (one_line(snapshot.database), ""),
        (snapshot.taken_at.astimezone().strftime("%H:%M:%S"), ""),
        ("q quits", "dim"),
    )
    line = Text("  ").join(Text(word, style=style) for word, style in words)
    line.no_wrap, line.overflow = True, "ellipsis"
    return line


def _state(news: News) -> Text:
    if news.problem:
        return Text(one_line(news.problem), style="bold red", no_wrap=True, overflow="ellipsis")
    snapshot = news.snapshot
    due = sum(queue["due"] for queue in snapshot.queues)
    overdue = sum(tick["due_in"] < _LATE and not tick["is_paused"] for tick in snapshot.next_ticks)
    facts = [
        (counted(len(snapshot.workers), "worker"), "" if snapshot.workers else "bold red"),
        (f"{len(snapshot.running)} running", ""),
        (f"{due:,} due", ""),
        *([(f"{overdue} overdue", "bold red")] if overdue else []),
    ]
    line = Text(", ").join(Text(words, style=style) for words, style in facts)
    line.no_wrap = True
    return line


def _sections(snapshot: Snapshot) -> list[Section]:
    return [
        Section(
            ("worker", "state", "runs", "host", "pid", "up", "queues"),
            [_worker(row) for row in snapshot.workers],
        ),
        Section(
            ("queue", "due", "later", "oldest due for"), [_queue(row) for row in snapshot.queues]
        ),
        Section(
            ("running", "run", "for", "timeout", "worker", "lock key"),
            [_run(row) for row in snapshot.running],
        ),
        Section(("next tick", "in", "schedule"), [_tick(row) for row in snapshot.next_ticks]),
        Section(
            ("failed", "run", "ago", "outcome", "error"),
            [_failure(row) for row in snapshot.failures],
        ),
    ]


def _worker(row: Row) -> Line:
    return (
        str(row["worker_id"]),
        Text(row["state"], style=_STATES.get(row["state"], "")),
        f"{row['runs']}/{row['concurrency']}",
        row["host"],
        str(row["pid"]),
        in_short(row["up_for"]),
        ", ".join(row["queues"]) or "all",
    )


def _queue(row: Row) -> Line:
    oldest = row["oldest_due_for"]
    age = "" if oldest is None else in_short(oldest.total_seconds())
    return row["queue"], f"{row['due']:,}", f"{row['later']:,}", age


def _run(row: Row) -> Line:
    age, timeout = (row[name] and row[name].total_seconds() for name in ("running_for", "timeout"))
    is_long = age is not None and timeout and age > _ALMOST * timeout
    return (
        row["job"],
        row["run_id"],
        Text("" if age is None else in_short(age), style="bold yellow" if is_long else ""),
        in_short(timeout) if timeout else "",
        str(row["worker_id"] or ""),
        row["lock_key"] or "",
    )


def _tick(row: Row) -> Line:
    due_in = row["due_in"]
    style = "bold red" if due_in < _LATE else ""
    return row["job"], Text(in_short(due_in), style=style), row["schedule"]


def _failure(row: Row) -> Line:
    ago, outcome = in_short(row["ago"]), styled_outcome(row["outcome"])
    return row["job"], row["run_id"], ago, outcome, error_of(row) or ""


def _table(section: Section, height: int, width: int | None) -> Table:
    """The section in so many lines; where that is not all, its head says how many there are."""
    table = Table(
        box=None, expand=width is not None, padding=(0, 2, 0, 0), pad_edge=False, header_style="dim"
    )
    total = f" ({len(section.lines):,})" if len(section.lines) > height else ""
    last = len(section.columns) - 1
    for n, name in enumerate(section.columns):
        table.add_column(
            Text(f"{name.upper()}{total}", style="bold") if n == 0 else name,
            no_wrap=True,
            overflow="ellipsis",
            max_width=width // 4 if width and n != last else None,
            ratio=1 if n == last and width else None,
        )
    for line in section.lines[:height]:
        table.add_row(*(c if isinstance(c, Text) else Text(one_line(c)) for c in line))
    if not section.lines:
        table.add_row(Text("none", style="dim"))
    return table
