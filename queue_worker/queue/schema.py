"""Where procrastinate keeps the SQL files that it ships."""

from __future__ import annotations

from pathlib import Path

from procrastinate.schema import migrations_path

from queue_worker.statements import sql_root


def procrastinate_schema() -> Path:
    """The file that makes an empty database current at once."""
    return migrations_path.parent / "schema.sql"


def procrastinate_migrations() -> list[Path]:
    """Its migration files in the order they are applied in."""
    return sorted(migrations_path.glob("*.sql"))


def known_level() -> list[str]:
    """The newest migration of each kind that this version knows, procrastinate's and ours."""
    ours = max((sql_root() / "migrations").glob("*.sql"))
    return [f"procrastinate/{procrastinate_migrations()[-1].name}", f"migrations/{ours.name}"]
