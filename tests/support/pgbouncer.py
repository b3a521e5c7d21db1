"""A real PgBouncer between a client and the server under test."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests.support.eventually import eventually
from tests.support.postgres import free_port


@contextmanager
def pgbouncer(dsn: str, pool_mode: str, sessions: int = 20) -> Iterator[str]:
    """The DSN of a PgBouncer in this mode in front of the database; skips where there is none.

    It shares so many sessions of the server among all its clients.
    """
    program = shutil.which("pgbouncer", path=f"{os.environ.get('PATH')}:/usr/sbin")
    if program is None:
        pytest.skip("PgBouncer is not installed")
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="qw-pgbouncer-", dir="/tmp"))
    (folder / "users").write_text('"postgres" ""\n')
    (folder / "ini").write_text(
        f"[databases]\n* = host={_part(dsn, 'host')} port={_part(dsn, 'port')} user=postgres\n"
        f"[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\nauth_type = trust\n"
        f"auth_file = {folder}/users\npool_mode = {pool_mode}\nunix_socket_dir =\n"
        f"default_pool_size = {sessions}\n"
    )
    account = pwd.getpwnam("nobody").pw_name if os.geteuid() == 0 else None
    for path in (folder, folder / "users", folder / "ini"):
        path.chmod(0o755)
    process = subprocess.Popen(
        [program, "-q", str(folder / "ini")], user=account, stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip
    pooled = make_conninfo(dsn, host="127.0.0.1", port=port)
    try:
        eventually(lambda: _answers(pooled))
        yield pooled
    finally:
        process.terminate()
        process.wait(10)
        shutil.rmtree(folder)


def _part(dsn: str, name: str) -> str:
    return str(conninfo_to_dict(dsn)[name])


def _answers(dsn: str) -> bool:
    try:
        psycopg.connect(dsn).close()
    except psycopg.OperationalError:
        return False
    return True
