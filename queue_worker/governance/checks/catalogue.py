"""The one list of checks, in the order in which they are made."""

from __future__ import annotations

from queue_worker.governance.checks import (
    contract,
    fleet,
    invariants,
    privileges,
    schema,
    server,
    vacuum,
)
from queue_worker.governance.checks.check import Check, Moment

_START = frozenset({Moment.START, Moment.SERVE, Moment.DEPLOY})
_SERVE = frozenset({Moment.SERVE, Moment.DEPLOY})
_ALWAYS = frozenset(Moment)
_LATER = frozenset({Moment.DEPLOY, Moment.SCHEDULED})
_DEPLOY = frozenset({Moment.DEPLOY})

CHECKS = (
    Check("setting_names", contract.known_names, "warning", _SERVE),
    Check("version", server.version, "fatal", _START),
    Check("encoding", server.encoding, "fatal", _START),
    Check("tls", server.tls, "warning", _START),
    Check("clock", server.clock, "warning", _SERVE | _LATER),
    Check("pooler", fleet.pooler, "fatal", _DEPLOY),
    Check("migrations", schema.migrations, "fatal", _ALWAYS),
    Check("functions", schema.functions, "fatal", _ALWAYS),
    Check("guards", schema.guards, "fatal", _SERVE | _LATER),
    Check("triggers", schema.triggers, "fatal", _SERVE | _LATER),
    Check("partitions", schema.partitions, "warning", _LATER),
    Check("privileges", privileges.enough, "fatal", _SERVE | _LATER),
    Check("surplus_privileges", privileges.no_more, "warning", _SERVE),
    Check("connections", server.connections, "warning", _SERVE),
    Check("oldest_transaction", vacuum.oldest_transaction, "warning", _LATER),
    Check("prepared_transactions", vacuum.prepared_transactions, "warning", _LATER),
    Check("replication_slots", vacuum.replication_slots, "warning", _LATER),
    Check("jobs_without_handler", fleet.jobs_without_handler, "warning", _LATER),
    Check("lock_keys", invariants.lock_keys, "fatal", _LATER),
    Check("open_runs", invariants.open_runs, "warning", _LATER),
    Check("ledger", invariants.ledger, "warning", _LATER),
)
