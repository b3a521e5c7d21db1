"""Does the environment say what somebody meant it to say?"""

from __future__ import annotations

import os
from difflib import get_close_matches

from queue_worker.errors import CheckFailed
from queue_worker.governance.checks.check import Surroundings
from queue_worker.settings import Settings

_PREFIXES = ("QUEUE_WORKER_", "JOB_DRY")


def known_names(_: Surroundings) -> str:
    """Every variable that looks like one of ours is one of ours."""
    known = [str(field.alias) for field in Settings.model_fields.values()]
    strange = sorted(n for n in os.environ if n.startswith(_PREFIXES) and n not in known)
    if not strange:
        return "every QUEUE_WORKER_* variable is a setting"
    raise CheckFailed(
        f"{len(strange)} variables are no settings: {', '.join(_guess(n, known) for n in strange)}",
        "Correct or remove them; docs/ENVIRONMENT.md lists the settings.",
    )


def _guess(name: str, known: list[str]) -> str:
    near = get_close_matches(name, known, n=1)
    return f"{name} (did you mean {near[0]}?)" if near else name
