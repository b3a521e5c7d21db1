"""Is this environment fit to run in? One list of checks, each with its remedy.

It is used in three places: where a process starts, by `queue-worker check`, and by the job
`queue_worker.validation`.
"""

from __future__ import annotations

from queue_worker.governance.checks.catalogue import CHECKS
from queue_worker.governance.checks.check import Check, CheckResult, Moment, Surroundings
from queue_worker.governance.checks.environment import (
    check_database,
    check_environment,
    log_warning,
    require_fit,
    validate,
)
from queue_worker.governance.refusals import explain_refusal

__all__ = [
    "CHECKS",
    "Check",
    "CheckResult",
    "Moment",
    "Surroundings",
    "check_database",
    "check_environment",
    "explain_refusal",
    "log_warning",
    "require_fit",
    "validate",
]
