"""The statements of docs/PSQL.md, and what they print in the night of `tests.support.night`.

python -m tests.support.psql_page    writes the outputs into the page anew
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import make_conninfo

from queue_worker.database import connect
from queue_worker.governance.migrations import migrate
from tests.support.blocks import Block, read_blocks
from tests.support.night import night
from tests.support.postgres import temporary_server

PAGE = Path(__file__).resolve().parents[2] / "docs" / "PSQL.md"
THREE = datetime(2026, 3, 14, 3, tzinfo=UTC)
_BLOCK = re.compile(r"```sql\n(?P<sql>.*?)```\n(?P<output>\n```text\n.*?```\n)?", re.DOTALL)
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d+)?\+00")
_NUMBERS = {20, 21, 23, 700, 701, 1700}  # types that psql sets to the right

Table = tuple[list[tuple[str, bool]], list[tuple[Any, ...]]]


def statements() -> list[str]:
    """Every statement, in the order of the page."""
    return [text for block in read_blocks(PAGE, "sql") for text in block.statements]


class Page:
    """Runs the statements of the page where it is night.

    Args:
        connection: as somebody who tries them would have one.
        now: when it was three o'clock, by the database's clock.
    """

    def __init__(self, connection: psycopg.Connection[Any], now: datetime) -> None:
        self._connection = connection
        self._now = now
        self.found: dict[str, int] = {}

    def render(self, page: str) -> str:
        """The page with the outputs as they are."""
        return _BLOCK.sub(self._run, page)

    def _run(self, block: re.Match[str]) -> str:
        outputs = [self._print(text) for text in Block("sql", block["sql"]).statements]
        query = f"```sql\n{block['sql']}```\n"
        return f"{query}\n```text\n{chr(10).join(outputs)}```\n" if block["output"] else query

    def _print(self, text: str) -> str:
        cursor = self._connection.execute(text.encode())
        columns = [(c.name, c.type_code in _NUMBERS) for c in cursor.description or ()]
        rows = cursor.fetchall()
        self.found[text] = len(rows)
        return print_table(columns, [[self._show(value) for value in row] for row in rows])

    def _show(self, value: Any) -> str:
        match value:
            case None:
                return ""
            case bool():
                return "t" if value else "f"
            case datetime():
                return f"{THREE + (value - self._now):%Y-%m-%d %H:%M:%S}+00"
            case timedelta():
                return _show_interval(value)
            case list():
                return "{" + ",".join(map(str, value)) + "}"
        return _MOMENT.sub(lambda m: self._show(datetime.fromisoformat(m[0])), str(value))


def print_table(columns: list[tuple[str, bool]], rows: list[list[str]]) -> str:
    """As psql prints it; a text of several lines goes on below, with a + before each break."""
    cells = [[cell.split("\n") for cell in row] for row in rows]
    widths = [
        max(len(name), *(len(line) for row in cells for line in row[n]), 0)
        for n, (name, _) in enumerate(columns)
    ]
    lines = [
        " | ".join(_centred(name, w) for (name, _), w in zip(columns, widths, strict=True)),
        "-+-".join("-" * w for w in widths),
        *(line for row in cells for line in _lines_of(row, columns, widths)),
    ]
    marks = [f"-{line}-" if n == 1 else f" {line}" for n, line in enumerate(lines)]
    count = f"({len(rows)} row{'' if len(rows) == 1 else 's'})"
    return "\n".join(line.rstrip() for line in [*marks, count]) + "\n"


def _centred(text: str, width: int) -> str:
    return (" " * ((width - len(text)) // 2) + text).ljust(width)


def _lines_of(
    row: list[list[str]], columns: list[tuple[str, bool]], widths: list[int]
) -> Iterator[str]:
    for n in range(max(map(len, row))):
        parts = [
            (cell[n] if n < len(cell) else "").rjust(w)
            if is_number
            else (cell[n] if n < len(cell) else "").ljust(w) + ("+" if n < len(cell) - 1 else "")
            for cell, (_, is_number), w in zip(row, columns, widths, strict=True)
        ]
        yield " | ".join(parts)


def _show_interval(value: timedelta) -> str:
    """What is longer than a minute has grown since three o'clock: whole minutes."""
    seconds = value.total_seconds()
    if seconds >= 60:
        seconds -= seconds % 60
    days, rest = divmod(seconds, 86_400)
    clock = f"{int(rest // 3600):02}:{int(rest % 3600 // 60):02}:{rest % 60:04.1f}".removesuffix(
        ".0"
    )
    return f"{int(days)} days {clock}" if days else clock


def _write() -> None:
    with temporary_server("18") as server:
        dsn = make_conninfo(server.dsn(), options="-c timezone=UTC")
        with connect(dsn, name="psql") as connection:
            migrate(connection)
            with night(connection, dsn) as now:
                PAGE.write_text(Page(connection, now).render(PAGE.read_text()))


if __name__ == "__main__":
    _write()
