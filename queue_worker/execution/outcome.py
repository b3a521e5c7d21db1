"""How a run ends, and what that means for its row in the queue."""

from __future__ import annotations

from enum import StrEnum


class Outcome(StrEnum):
    """Every run ends in exactly one of these."""

    SUCCEEDED = "succeeded"
    FAILED = "failed"
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"
    SKIPPED = "skipped"
    LOST = "lost"
    DRY_RUN = "dry_run"

    @property
    def is_failure(self) -> bool:
        """Whether somebody should hear of it."""
        return self in _FAILURES

    @property
    def queue_status(self) -> str:
        """The status that procrastinate knows it by."""
        return _QUEUE_STATUS[self]


_FAILURES = {Outcome.FAILED, Outcome.TIMED_OUT, Outcome.LOST}
_QUEUE_STATUS = {
    Outcome.SUCCEEDED: "succeeded",
    Outcome.FAILED: "failed",
    Outcome.TIMED_OUT: "failed",
    Outcome.LOST: "failed",
    Outcome.CANCELLED: "aborted",
    Outcome.SKIPPED: "aborted",
    Outcome.DRY_RUN: "aborted",
}
