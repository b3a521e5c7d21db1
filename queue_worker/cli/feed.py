"""Snapshots for a screen, read in a thread of their own: the keys answer also while none come."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from datetime import UTC, datetime

import psycopg

from queue_worker.cli.invocation import readable_database
from queue_worker.errors import QueueWorkerError
from queue_worker.governance.checks import explain_refusal
from queue_worker.governance.snapshot import Snapshot, take_snapshot
from queue_worker.settings import Settings

_PATIENCE = 5.0  # seconds that a snapshot may take before one is told


@dataclass(frozen=True, slots=True)
class News:
    """The last snapshot, and why there is no newer one if that is so."""

    snapshot: Snapshot
    problem: str | None = None


class Feed:
    """Takes a snapshot every so often, and connects again for as long as it must.

    Args:
        settings: where the database is.
        interval: seconds between two snapshots, or two tries to connect.

    Raises:
        QueueWorkerError: the first snapshot can't be taken; later that is news.
    """

    def __init__(self, settings: Settings, interval: float) -> None:
        self._settings = settings
        self._interval = interval
        with readable_database(settings) as connection:
            self._last = News(take_snapshot(connection))

    @property
    def news(self) -> News:
        """The last snapshot; one that is older than it should be is a problem of its own."""
        last = self._last
        age = (datetime.now(UTC) - last.snapshot.taken_at).total_seconds()
        if last.problem is None and age > self._interval + _PATIENCE:
            since = last.snapshot.taken_at.astimezone()
            return News(last.snapshot, f"No answer from the database since {since:%H:%M:%S}.")
        return last

    def start(self) -> None:
        """Go on taking them; ends with the process, also in the middle of one."""
        threading.Thread(target=self._run, name="feed", daemon=True).start()

    def _run(self) -> None:
        while True:
            try:
                self._follow()
            except QueueWorkerError as error:
                self._tell(error)
            except psycopg.Error as error:
                self._tell(explain_refusal(error))
            self._pause()

    def _follow(self) -> None:
        with readable_database(self._settings) as connection:
            while True:
                self._last = News(take_snapshot(connection))
                self._pause()

    def _tell(self, error: QueueWorkerError) -> None:
        self._last = News(self._last.snapshot, problem=str(error))

    def _pause(self) -> None:
        threading.Event().wait(self._interval)
