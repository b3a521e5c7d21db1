"""Sessions whose end a test relies on."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg

from queue_worker.database import connect
from tests.support.eventually import eventually


@contextmanager
def ended_session(dsn: str, *, name: str) -> Iterator[psycopg.Connection[Any]]:
    """A session that is over for the server too, its locks freed, when the block ends.

    Closing a connection only asks for that: the server's process ends when it gets to it.
    """
    with connect(dsn, name="sessions") as watching:
        with connect(dsn, name=name) as connection:
            pid = connection.info.backend_pid
            yield connection
        gone = "SELECT NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = %s)"
        eventually(lambda: watching.execute(gone, [pid]).fetchone() == (True,))
