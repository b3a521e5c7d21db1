"""A clock that a test can move: what waits grows older, as if time had passed.

No clock is set: the server's, the process's and that of a running job go on as they are. What lies
ahead in the queue comes nearer by the same time, and so do the ticks of schedules. So it can move
how long something has waited, but not what time of day it is.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg

from queue_worker.statements import statement

_FAR = timedelta(days=36_500)  # out of the way: two ticks of one job may never be at one moment


class Clock:
    """The clock of one queue."""

    def __init__(self, connection: psycopg.Connection[Any]) -> None:
        self._connection = connection

    def advance(self, by: timedelta) -> None:
        """Let this time pass: delays, retries, schedules and windows of alerts end sooner by it.

        Raises:
            ValueError: it is negative; what has become due cannot be taken back.
        """
        if by < timedelta(0):
            raise ValueError("Time passes one way: advance the clock by a positive timedelta.")
        with self._connection.transaction():
            self._connection.execute(statement("testing_age_waiting"), {"by": by})
            self._connection.execute(statement("testing_age_schedules"), {"by": by})
            self._connection.execute(statement("testing_age_alerts"), {"by": by})
            for step in (by + _FAR, -_FAR):
                self._connection.execute(statement("testing_age_ticks"), {"by": step})
