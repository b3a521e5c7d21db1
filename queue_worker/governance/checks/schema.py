"""Is in the database what the migrations have put there, and all that must be there in time?"""

from __future__ import annotations

from collections.abc import Iterable

from queue_worker.errors import CheckFailed
from queue_worker.governance.checks.check import Surroundings
from queue_worker.governance.fingerprints import edited_objects
from queue_worker.governance.migrations import require_level
from queue_worker.schemas import schema_names

_HERE = schema_names()

# Tables whose rows are kept for ever: each has triggers that refuse DELETE and TRUNCATE.
FOREVER = (
    f"{_HERE.ours}.audit_log",
    f"{_HERE.ours}.run",
    f"{_HERE.content}.content_suggestion",
    f"{_HERE.content}.regeneration_output",
    f"{_HERE.content}.published_output",
)


def migrations(at: Surroundings) -> str:
    """No file is pending, none was changed since, and no newer one breaks this version."""
    level = require_level(at.connection)
    if level.newer:
        return f"the database is newer, by {len(level.newer)} files that break no older version"
    if level.waiting:
        return (
            f"the database has all that this version needs; {_listed(level.waiting)} waits until "
            "no older worker is left: run `queue-worker migrate` then"
        )
    return "the database is at the level of this version"


def functions(at: Surroundings) -> str:
    """No function or view of ours was edited by hand."""
    if edited := edited_objects(at.connection):
        raise CheckFailed(
            f"{_listed(edited)} differ from what the migrations made",
            "Somebody has edited them by hand: `queue-worker migrate` restores those that stand in "
            "files of their own; restore the others from their migration.",
        )
    return "functions and views are as the migrations made them"


def guards(at: Surroundings) -> str:
    """What refuses the loss of rows is there and always enabled."""
    missing = at.read("check_forever_guards", tables=list(FOREVER))
    if missing:
        found = (f"{table} ({command})" for table, command, _ in missing)
        commands = dict.fromkeys(
            enables or f"restore the trigger of {table} from its migration, it is gone"
            for table, _, enables in missing
        )
        raise CheckFailed(
            f"Nothing refuses to remove rows of {_listed(found)}",
            f"Look into {_HERE.ours}.audit_log for who did it, and set it right: "
            + "; ".join(commands),
        )
    return f"{len(FOREVER)} tables are kept for ever"


def triggers(at: Surroundings) -> str:
    """Each trigger of ours fires, and none of procrastinate's that ours stand in for."""
    wrong = at.read("check_triggers", tables=list(FOREVER))
    if wrong:
        raise CheckFailed(
            f"Triggers are switched the wrong way: {_listed(name for name, _ in wrong)}",
            "A restore with --disable-triggers does that, or ENABLE TRIGGER ALL: what was not to "
            "fire then writes events twice. Set them right: "
            + "; ".join(command for _, command in wrong),
        )
    return "triggers are switched as the migrations have set them"


def partitions(at: Surroundings) -> str:
    """Every table that is partitioned by time has a partition for tomorrow."""
    rows = at.read("check_partitions")
    lacking = [table for table, is_ready in rows if not is_ready]
    if lacking:
        raise CheckFailed(
            f"No partition for tomorrow: {_listed(lacking)}",
            f"Make it, for example SELECT {_HERE.content}.make_event_partitions(current_date, 6); "
            "and see why the job that makes them ahead did not.",
        )
    return f"{len(rows)} partitioned tables have a partition for tomorrow"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(names)
