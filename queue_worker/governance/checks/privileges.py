"""Has the role of a worker the rights that it needs, and no others?"""

from __future__ import annotations

from queue_worker.errors import CheckFailed
from queue_worker.governance.checks.check import Surroundings
from queue_worker.governance.checks.schema import FOREVER

_SHOWN = 5


def enough(at: Surroundings) -> str:
    """Everything that a worker does is allowed."""
    lacking = [f"{privilege} on {what}" for privilege, what in at.read("check_missing_privileges")]
    if lacking:
        shown = ", ".join(lacking[:_SHOWN]) + (", ..." if len(lacking) > _SHOWN else "")
        raise CheckFailed(
            f"This role lacks {len(lacking)} rights of a worker: {shown}",
            "Run `queue-worker migrate --roles` as the owner, and GRANT queue_worker_worker to it.",
        )
    return "this role may do all that a worker does"


def no_more(at: Surroundings) -> str:
    """What a worker must never do is not allowed."""
    surplus = [reason for (reason,) in at.read("check_surplus_privileges", tables=list(FOREVER))]
    if surplus:
        raise CheckFailed(
            f"More is allowed than a worker needs: this role {', '.join(surplus)}",
            "Run workers as a role that is only a member of queue_worker_worker; see "
            "docs/SECURITY.md.",
        )
    return "this role has no right that a worker does not need"
