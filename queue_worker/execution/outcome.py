"""How a run ends, and what that means for its row in the queue."""

from __future__ import annotations

from enum import StrEnum
from typing import Self


class Outcome(StrEnum):
    """Every run ends in exactly one of these.

    Attributes:
        queue_status: the status that procrastinate knows it by.
        is_failure: whether somebody should hear of it.
    """

    queue_status: str
    is_failure: bool

    SUCCEEDED = "succeeded", "succeeded"
    FAILED = "failed", "failed", True
    TIMED_OUT = "timed_out", "failed", True
    CANCELLED = "cancelled", "aborted"
    SKIPPED = "skipped", "aborted"
    LOST = "lost", "failed", True
    DRY_RUN = "dry_run", "aborted"

    def __new__(cls, value: str, queue_status: str, is_failure: bool = False) -> Self:
        outcome = str.__new__(cls, value)
        outcome._value_ = value
        outcome.queue_status = queue_status
        outcome.is_failure = is_failure
        return outcome
