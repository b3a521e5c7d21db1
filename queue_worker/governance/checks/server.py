"""Is the server one that the queue can rest on?"""

from __future__ import annotations

import time
from ipaddress import ip_address

from queue_worker.database import describe_target
from queue_worker.errors import CheckFailed
from queue_worker.governance.checks.check import Surroundings

OLDEST, NEWEST = 15, 18
MOST_SKEW = 5.0  # seconds
SESSIONS_OF_A_WORKER = 8  # claims, closes, locks, heartbeat, listener, ticks, reaper, and one spare


def version(at: Surroundings) -> str:
    """The server has what our SQL uses, and is one that we are tested on."""
    major = at.connection.info.server_version // 10_000
    if major < OLDEST:
        raise CheckFailed(
            f"PostgreSQL {major} is too old", f"Upgrade the server to {OLDEST} or later."
        )
    if major > NEWEST:
        raise CheckFailed(
            f"PostgreSQL {major} is newer than any that this version is tested on",
            "Install a newer version of queue_worker, or try this one out first.",
            is_fatal=False,
        )
    return f"PostgreSQL {major}"


def encoding(at: Surroundings) -> str:
    """Every character that a name or an error may hold can be stored."""
    found = at.connection.info.parameter_status("server_encoding")
    if found != "UTF8":
        raise CheckFailed(
            f"The encoding of the database is {found}",
            "Create one with ENCODING 'UTF8' and move the data there.",
        )
    return "the database stores UTF8"


def clock(at: Surroundings) -> str:
    """This host and the database agree on the time."""
    before = time.time()
    ((theirs,),) = at.read("check_clock")
    after = time.time()
    skew = max(before - float(theirs), float(theirs) - after, 0.0)
    if skew > MOST_SKEW:
        raise CheckFailed(
            f"The clocks of this host and of the database are {skew:,.0f} s apart",
            "Synchronise both (NTP): ticks follow the database, this host's logs would mislead.",
        )
    return f"the clocks of this host and of the database are at most {MOST_SKEW:g} s apart"


def tls(at: Surroundings) -> str:
    """What leaves this host is encrypted, and the server has proved who it is."""
    info = at.connection.info
    target = describe_target(at.settings.direct_dsn)
    if is_local(info.host, info.hostaddr):
        return "the connection does not leave this host"
    mode = info.get_parameters().get("sslmode") or "prefer"
    if at.connection.pgconn.ssl_in_use and mode == "verify-full":
        return f"the connection to {target} is encrypted, and the server is verified"
    problem = (
        f"the server is not verified (sslmode={mode})"
        if at.connection.pgconn.ssl_in_use
        else "it is in plain text"
    )
    raise CheckFailed(
        f"The connection to {target} leaves this host and {problem}",
        "Add sslmode=verify-full and sslrootcert to DATABASE_URL.",
        is_fatal=at.settings.require_tls,
    )


def connections(at: Surroundings) -> str:
    """The server has room for the fleet, even when every run opens a connection of its own."""
    (living, concurrency, room) = at.read("check_connections")[0]
    wanted = living * SESSIONS_OF_A_WORKER + concurrency + at.settings.client_pool_size
    if wanted > room:
        raise CheckFailed(
            f"{living} workers with {concurrency} runs at once and a client may open {wanted} "
            f"connections, and this role can have {room}",
            "Raise max_connections (or the limit of the role or database), or lower "
            "QUEUE_WORKER_CONCURRENCY or QUEUE_WORKER_CLIENT_POOL_SIZE.",
        )
    return f"the fleet may open {wanted} connections of {room}"


def is_local(host: str, address: str) -> bool:
    """Whether a connection to this host at this address stays on this machine."""
    if not address:
        return not host or host.startswith(("/", "@"))
    return ip_address(address.partition("%")[0]).is_loopback
