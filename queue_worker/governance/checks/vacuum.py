"""Does something hold vacuum back, so that tables and indexes grow and claims get slow?"""

from __future__ import annotations

from queue_worker.errors import CheckFailed
from queue_worker.governance.checks.check import Surroundings


def oldest_transaction(at: Surroundings) -> str:
    """No session keeps a transaction open for too long.

    Of other roles' sessions only a member of pg_read_all_stats sees this.
    """
    limit = at.settings.longest_transaction
    rows = at.read("check_transactions", limit=limit)
    if rows:
        pid, role, application, seconds = rows[0]
        raise CheckFailed(
            f"Backend {pid} ({role}, {application!r}) has had a transaction open for "
            f"{seconds:,.0f} s, longer than {limit:,.0f} s",
            f"Let it end; or SELECT pg_terminate_backend({pid});",
        )
    return f"no transaction is older than {limit:,.0f} s"


def prepared_transactions(at: Surroundings) -> str:
    """No prepared transaction was forgotten."""
    limit = at.settings.longest_transaction
    rows = at.read("check_prepared_transactions", limit=limit)
    if rows:
        gid, seconds = rows[0]
        raise CheckFailed(
            f"Prepared transaction {gid!r} has waited for {seconds:,.0f} s, longer than "
            f"{limit:,.0f} s",
            "COMMIT PREPARED or ROLLBACK PREPARED it.",
        )
    return f"no prepared transaction is older than {limit:,.0f} s"


def replication_slots(at: Surroundings) -> str:
    """No replication slot that nobody reads keeps old rows and write-ahead log."""
    limit = at.settings.most_wal_held
    rows = at.read("check_replication_slots", limit=limit * 1024 * 1024)
    if rows:
        name, held = rows[0]
        raise CheckFailed(
            f"Replication slot {name!r} is not in use and holds {held:,} bytes of write-ahead log",
            f"Start its reader again, or SELECT pg_drop_replication_slot('{name}');",
        )
    return f"no unused replication slot holds more than {limit:,} MiB"
