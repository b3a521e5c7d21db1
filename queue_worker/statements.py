"""The SQL files: found beside the package, read once, handed out by name."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import LiteralString, cast


@cache
def sql_root() -> Path:
    """The folder `sql/`: inside the package in a wheel, beside it in a checkout."""
    package = Path(__file__).resolve().parent
    inside = package / "sql"
    return inside if inside.is_dir() else package.parent / "sql"


@cache
def statement(name: str) -> LiteralString:
    """The text of `sql/queries/<name>.sql`.

    The cast is sound because the file ships with the code: it is as literal as a string here.
    """
    text = (sql_root() / "queries" / f"{name}.sql").read_text(encoding="utf-8")
    return cast("LiteralString", text)
