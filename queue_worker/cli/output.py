"""What the command prints: tables for people, JSON for programs, errors on standard error."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from queue_worker.errors import QueueWorkerError
from queue_worker.governance.printable import one_line, printable

_UNBROKEN = 10_000  # where no terminal sets the width, each row is one line
out = Console(highlight=False, width=None if sys.stdout.isatty() else _UNBROKEN)
_CELL = 100  # of a longer text a table shows the beginning; JSON has it whole
_STYLES = {
    "succeeded": "green",
    "failed": "bold red",
    "timed_out": "bold red",
    "lost": "bold red",
    "cancelled": "yellow",
    "skipped": "yellow",
    "dry_run": "cyan",
}


def print_table(title: str, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Print these columns of the rows as a table; says so if there is nothing.

    Where a terminal is too narrow it is the last column that is broken.
    """
    table = Table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, padding=(0, 1, 0, 0), pad_edge=False
    )
    for column in columns:
        table.add_column(column.replace("_", " "), overflow="fold", no_wrap=column != columns[-1])
    for row in rows:
        table.add_row(*(_cell(row[column]) for column in columns))
    if table.row_count:
        out.print(table)
    else:
        out.print(f"[bold]{title}[/bold]\n  nothing\n")


def print_facts(facts: Mapping[str, object]) -> None:
    """Print names and values below each other; what is None or empty is left out."""
    table = Table.grid(padding=(0, 2, 0, 0))
    table.add_column(style="dim", no_wrap=True)
    table.add_column(overflow="fold")
    for name, value in facts.items():
        if value not in (None, ""):
            table.add_row(f"  {name}", _whole(value))
    out.print(table)


def say(text: str) -> None:
    """Print text as it is: nothing in it is markup, and no line is broken."""
    out.print(printable(text), markup=False, soft_wrap=True)


def messages(*, quiet: bool = False) -> Console:
    """Standard error, where lines are not broken either."""
    return Console(stderr=True, highlight=False, soft_wrap=True, quiet=quiet)


def say_aside(text: str) -> None:
    """The same on standard error, for what is not a result."""
    messages().print(printable(text), markup=False)


def print_json(value: object) -> None:
    """Print a value as JSON, on one line if it is not a terminal."""
    indent = 2 if sys.stdout.isatty() else None
    sys.stdout.write(json.dumps(value, default=_plain, indent=indent) + "\n")


def print_error(error: QueueWorkerError) -> None:
    """Print what went wrong and its remedy, on standard error."""
    text = printable(" ".join(str(error).split()))
    messages().print(Text.assemble(("Error: ", "bold red"), text))


def styled_outcome(outcome: str) -> Text:
    """An outcome in its colour."""
    return Text(outcome, style=_STYLES.get(outcome, ""))


def _cell(value: object) -> Text:
    if value is None:
        return Text("")
    text = _whole(value)
    text.truncate(_CELL, overflow="ellipsis")
    return text


def _whole(value: object) -> Text:
    return styled_outcome(one_line(value)) if isinstance(value, str) else Text(_for_people(value))


def _for_people(value: object) -> str:
    match value:
        case datetime():
            return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
        case timedelta():
            return str(timedelta(seconds=round(value.total_seconds())))
        case list():
            return ", ".join(map(str, value)) or "all"
        case float():
            return f"{value:,.1f}"
    return str(value)


def _plain(value: object) -> object:
    match value:
        case datetime():
            return value.isoformat()
        case timedelta():
            return value.total_seconds()
        case Decimal():
            return float(value)
    return str(value)
