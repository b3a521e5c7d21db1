"""Where procrastinate keeps the SQL files that it ships."""

from __future__ import annotations

from pathlib import Path

from procrastinate.schema import migrations_path


def procrastinate_schema() -> Path:
    """The file that makes an empty database current at once."""
    return migrations_path.parent / "schema.sql"


def procrastinate_migrations() -> list[Path]:
    """Its migration files in the order they are applied in."""
    return sorted(migrations_path.glob("*.sql"))
