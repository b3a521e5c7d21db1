"""Is there somebody for everything that waits?"""

from __future__ import annotations

from queue_worker.errors import CheckFailed
from queue_worker.governance.checks.check import Surroundings
from queue_worker.governance.pooler import require_direct_connection


def pooler(at: Surroundings) -> str:
    """Our locks have sessions of their own."""
    require_direct_connection(at.settings)
    return "no pooler shares the sessions of a worker"


def jobs_without_handler(at: Surroundings) -> str:
    """Every job that waits is known to a worker that lives, or to this process."""
    names = list(at.registry.names) if at.registry else []
    rows = at.read("check_jobs_without_handler", known=names)
    if rows:
        found = ", ".join(f"{name!r} ({waiting:,} waiting)" for name, waiting in rows)
        raise CheckFailed(
            f"No living worker knows these jobs: {found}",
            "Start a worker whose registry declares them, or cancel what waits.",
        )
    return "every job that waits is known to a worker, or to this registry"
