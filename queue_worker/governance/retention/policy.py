"""What a retention policy is, checked whole when it is declared."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, Literal

from psycopg import sql

from queue_worker.errors import PolicyRefused
from queue_worker.schemas import schema_names

_HERE = schema_names()

FOREVER = None
KEPT_FOREVER = frozenset(
    {
        (_HERE.content, "content_suggestion"),
        (_HERE.content, "regeneration_output"),
        (_HERE.content, "published_output"),
        (_HERE.ours, "audit_log"),
    }
)
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,127}")
_IDENTIFIER_BYTES = 63  # Postgres cuts a longer one off
_LONGEST = timedelta(days=36_500)

How = Literal["hard_delete", "soft_delete", "never"]
Kind = Literal["rows", "events", "queue_rows", "runs"]
_HARD_DELETED: frozenset[Kind] = frozenset({"events", "queue_rows", "runs"})


@dataclass(frozen=True, slots=True, kw_only=True)
class RetentionPolicy:
    """How long the rows of one table are kept, and what becomes of them then.

    Attributes:
        name: what it is called in plans, logs and psql.
        table: the table, without its schema.
        schema: its schema; None where the search path leads to it, as to procrastinate's.
        column: the date, or timestamp with time zone, that the age counts from.
        keep: how long a row is kept; FOREVER (None) means that none is ever touched.
        least: no setting may keep less than this.
        how: whether rows are deleted, or only marked with `deleted_at`.
        max_rows: a scheduled run that would remove more stops instead.
        max_share: the same for the share of all rows, from 10,000 rows to be removed on.
        kind: what stands in the table; only what Postgres can make again or the ledger keeps
            (events that were counted, finished queue rows, the runs themselves) is deleted hard.
        statuses: of queue rows, the statuses that it is about.
        description: what it is for, in one line.

    Raises:
        PolicyRefused: something about it is wrong.
    """

    name: str
    table: str
    schema: str | None = None
    column: str | None = None
    keep: timedelta | None = FOREVER
    least: timedelta = timedelta(days=1)
    how: How = "soft_delete"
    max_rows: int = 10_000_000
    max_share: Decimal = Decimal("0.25")
    kind: Kind = "rows"
    statuses: tuple[str, ...] = ()
    description: str = ""

    def __post_init__(self) -> None:
        problem = self._problem()
        if problem:
            raise PolicyRefused(str(self.name), *problem)

    @property
    def qualified_table(self) -> sql.Identifier:
        """The table with its schema, quoted."""
        return sql.Identifier(*filter(None, (self.schema, self.table)))

    @property
    def is_active(self) -> bool:
        """Whether it ever removes anything."""
        return self.keep is not FOREVER and self.how != "never"

    def keeping(self, keep: timedelta | None) -> RetentionPolicy:
        """The same policy with another age, checked again."""
        return replace(self, keep=keep)

    def describe(self) -> dict[str, Any]:
        """What `queue_worker.publish_policies()` takes."""
        return {
            "name": self.name,
            "schema_name": self.schema,
            "table_name": self.table,
            "column_name": self.column,
            "how": self.how,
            "keep": None if self.keep is None else _interval(self.keep),
            "least": _interval(self.least),
            "max_rows": self.max_rows,
            "max_share": str(self.max_share),
            "description": self.description,
        }

    def _problem(self) -> tuple[str, str] | None:
        if not isinstance(self.name, str) or not _NAME.fullmatch(self.name):
            return "has a name that is none", "Use letters, digits, _ and a dot."
        for identifier in (self.schema, self.table, self.column):
            if identifier is not None and not _is_identifier(identifier):
                return "names a table or column that Postgres can't have", "Check its spelling."
        if (self.schema, self.table) in KEPT_FOREVER and self.how != "never":
            return f"is about {self.table}, which is kept for ever", "Leave this table out."
        if self.how == "never" and self.keep is not FOREVER:
            return "removes nothing after some time", "Give keep=FOREVER, or say how."
        if self.how == "hard_delete" and self.kind not in _HARD_DELETED:
            return "deletes rows for good", "Only raw events may go: declare soft_delete."
        return self._age_problem() or self._bounds_problem()

    def _age_problem(self) -> tuple[str, str] | None:
        if self.keep is FOREVER:
            return None
        if self.column is None:
            return "has an age without a column to count it from", "Name one."
        if not timedelta(days=1) <= self.least <= self.keep <= _LONGEST:
            return f"keeps less than {self.least.days} days, or more than 100 years", "Keep more."
        return None

    def _bounds_problem(self) -> tuple[str, str] | None:
        if self.max_rows < 0 or not 0 <= self.max_share <= 1:
            return "has bounds that bound nothing", "Give max_rows from 0, max_share from 0 to 1."
        return None


def _interval(age: timedelta) -> str:
    return f"{age.days} days {age.seconds} seconds"


def _is_identifier(text: object) -> bool:
    return (
        isinstance(text, str)
        and "\0" not in text
        and 0 < len(text.encode(errors="replace")) <= _IDENTIFIER_BYTES
        and _is_encodable(text)
    )


def _is_encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
