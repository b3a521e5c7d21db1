"""Say that this worker is alive: from a thread, so that a job that blocks the loop can't stop it."""

from __future__ import annotations

import threading
from collections.abc import Callable

import psycopg
import structlog

from queue_worker.database import connect
from queue_worker.errors import DatabaseUnreachable
from queue_worker.settings import Settings
from queue_worker.statements import statement

log: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(__name__)

INTERVAL = 2.0  # seconds


class Heartbeat:
    """Renews the heartbeat of one worker until it is stopped.

    `on_disowned` is called from the thread when the database says that this worker is not alive.
    """

    def __init__(self, settings: Settings, worker_id: int, on_disowned: Callable[[], object]) -> None:
        self._settings = settings
        self._worker_id = worker_id
        self._on_disowned = on_disowned
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End; returns when the thread has."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stopping.is_set():
            try:
                self._beat_while_connected()
            except (DatabaseUnreachable, psycopg.Error) as error:
                log.warning("heartbeat.failed", error=str(error).strip())
                self._stopping.wait(INTERVAL / 2)

    def _beat_while_connected(self) -> None:
        with connect(
            self._settings.dsn,
            name=f"queue_worker heartbeat {self._worker_id}",
            connect_timeout=self._settings.connect_timeout,
        ) as connection:
            connection.execute("SET statement_timeout = '4s'")
            while not self._stopping.is_set():
                row = connection.execute(
                    statement("renew_heartbeat"), {"worker_id": self._worker_id}
                ).fetchone()
                if row is None:
                    self._on_disowned()
                    return
                self._stopping.wait(INTERVAL)
