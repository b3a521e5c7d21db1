"""What processes have used: CPU seconds and memory. None where this system can't tell."""

from __future__ import annotations

import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import psycopg


def cpu_seconds(pids: Iterable[int]) -> dict[int, float]:
    """CPU seconds of each process so far, all of its threads together; the dead are left out."""
    found = {}
    for pid in pids:
        try:
            found[pid] = time.clock_gettime((~pid << 3) | 2)  # its CPU clock, as Linux numbers it
        except (OSError, OverflowError):
            continue
    return found


def cpu_between(before: dict[int, float], after: dict[int, float]) -> float | None:
    """CPU seconds used between two readings, by processes that live on or are new."""
    return sum(used - before.get(pid, 0.0) for pid, used in after.items()) if after else None


def memory(pid: int) -> dict[str, float]:
    """Resident and proportional memory of a process, in MB; empty where there is no /proc."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return {}
    sizes = {line.split(":")[0]: line.split() for line in lines[1:]}
    return {name.lower(): int(sizes[name][1]) / 1024 for name in ("Rss", "Pss") if name in sizes}


def server_cpu_seconds(connection: psycopg.Connection[Any]) -> dict[int, float]:
    """CPU seconds of the server's processes so far, but for that of this connection."""
    return cpu_seconds(_server_pids(connection))


def _server_pids(connection: psycopg.Connection[Any]) -> list[int]:
    """The server's processes but that of this connection; none if it runs on another host."""
    rows = connection.execute("SELECT pid, pid = pg_backend_pid() FROM pg_stat_activity").fetchall()
    own = next(pid for pid, is_own in rows if is_own)
    if not _is_server_process(own):
        return []
    return [pid for pid, is_own in rows if not is_own and _is_server_process(pid)]


def _is_server_process(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().startswith(b"postgres:")
    except OSError:
        return False
