"""The SQL files: found beside the package, read once, handed out by name."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import LiteralString

from queue_worker.schemas import renamed


@cache
def sql_root() -> Path:
    """The folder `sql/`: inside the package in a wheel, beside it in a checkout."""
    package = Path(__file__).resolve().parent
    inside = package / "sql"
    return inside if inside.is_dir() else package.parent / "sql"


@cache
def statement(name: str) -> LiteralString:
    """The text of `sql/queries/<name>.sql`: it ships with the code, so it is as good as literal.

    Raises:
        SettingsError: the environment gives a schema a name that it can't have.
    """
    return renamed((sql_root() / "queries" / f"{name}.sql").read_text(encoding="utf-8"))


@cache
def roles_script() -> LiteralString:
    """The text of `sql/roles.sql`, which psql can run as well; else as `statement`."""
    return renamed((sql_root() / "roles.sql").read_text(encoding="utf-8"))


@cache
def positional_statement(name: str) -> tuple[LiteralString, tuple[str, ...]]:
    """The same text with $1, $2, … for its parameters, and their names in that order.

    The driver would look for placeholders in a long text again each time it is run.
    """
    names: dict[str, int] = {}

    def number(placeholder: re.Match[str]) -> str:
        found = placeholder["name"]
        return "%" if found is None else f"${names.setdefault(found, len(names) + 1)}"

    text = re.sub(r"%%|%\((?P<name>\w+)\)s", number, statement(name))
    return text, tuple(names)
