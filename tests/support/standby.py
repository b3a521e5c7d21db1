"""A primary and its synchronous standby on one machine: real servers, one killed, one promoted."""

from __future__ import annotations

import os
import shutil
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from tests.support.eventually import eventually
from tests.support.faults import is_alive
from tests.support.postgres import ALWAYS, Server, execute, free_port, temporary_server

NAME = "standby"
DURABLE = {"max_connections": "100", "wal_level": "replica", "hot_standby": "on"}


@dataclass
class Pair:
    """Two servers; clients are told of both and take the one that can be written to."""

    primary: Server
    standby: Server

    def dsn(self) -> str:
        """A DSN with both hosts that asks for the one that can be written to."""
        return make_conninfo(self.plain_dsn(), target_session_attrs="read-write")

    def plain_dsn(self) -> str:
        """The same without a word of that, and with the standby first."""
        ports = f"{self.standby.port},{self.primary.port}"
        return make_conninfo(self.primary.dsn(), host="127.0.0.1,127.0.0.1", port=ports)

    def wait_until_synchronous(self) -> None:
        """From now on a commit is one of both."""
        query = (
            "SELECT 1 FROM pg_stat_replication WHERE sync_state = 'sync' AND state = 'streaming'"
        )
        with psycopg.connect(self.primary.dsn()) as connection:
            eventually(lambda: connection.execute(query).fetchone())

    def promote(self) -> None:
        """Make a primary of the standby, which from now on waits for no standby of its own."""
        self.standby.command("pg_ctl", "-w", "-D", str(self.standby.folder / "data"), "promote")


@contextmanager
def replicated(version: str) -> Iterator[Pair]:
    """Such a pair, in place when the block begins; both are gone at its end."""
    with ExitStack() as stack:
        primary = stack.enter_context(temporary_server(version, DURABLE))
        standby = stack.enter_context(_standby_of(primary))
        execute(primary.dsn(), f"ALTER SYSTEM SET synchronous_standby_names = '{NAME}'",
                "SELECT pg_reload_conf()")  # fmt: skip
        pair = Pair(primary, standby)
        pair.wait_until_synchronous()
        yield pair


@contextmanager
def _standby_of(primary: Server) -> Iterator[Server]:
    folder = Path(tempfile.mkdtemp(prefix="qw-pg-", dir="/tmp"))
    if primary.account:
        shutil.chown(folder, primary.account, primary.account)
    standby = Server(primary.binaries, folder, free_port(), primary.account, ALWAYS | DURABLE)
    try:
        source = make_conninfo(primary.dsn(), application_name=NAME)
        standby.command("pg_basebackup", "-D", str(folder / "data"), "-d", source, "-R",
                        "-X", "stream", "-c", "fast", "--no-sync")  # fmt: skip
        standby.start()
        yield standby
        standby.stop("immediate")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def kill(server: Server) -> float:
    """The host is gone: every process of the server at once, nothing is written any more."""
    os.kill(_postmaster(server), signal.SIGSTOP)  # or what it starts meanwhile would be overlooked
    pids = processes_of(server)
    at = time.time()
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    eventually(lambda: not any(map(is_alive, pids)))
    (server.folder / "data" / "postmaster.pid").unlink()
    return at


def freeze(server: Server) -> None:
    """The host hangs: its connections stay open and nothing answers on them."""
    os.kill(_postmaster(server), signal.SIGSTOP)  # as above
    _signal(server, signal.SIGSTOP)


def thaw(server: Server) -> None:
    """It goes on as if nothing had been."""
    _signal(server, signal.SIGCONT)


def _signal(server: Server, number: signal.Signals) -> None:
    for pid in processes_of(server):
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def processes_of(server: Server) -> list[int]:
    """The postmaster, and all that it has started."""
    postmaster = _postmaster(server)
    return [postmaster, *(pid for pid, parent in _parents() if parent == postmaster)]


def _postmaster(server: Server) -> int:
    return int((server.folder / "data" / "postmaster.pid").read_text().split()[0])


def _parents() -> Iterator[tuple[int, int]]:
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):
            yield int(path.parent.name), int(path.read_text().rpartition(")")[2].split()[1])
