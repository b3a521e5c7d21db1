"""One server for a whole test run, also where pytest-xdist shares the tests among processes."""

from __future__ import annotations

import os
import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from queue_worker.database import connect
from queue_worker.demo.embedded import start_embedded, stop_embedded

APP = "queue_worker_app"
_DSN = pytest.StashKey[str]()
_AT_THE_END = pytest.StashKey[ExitStack]()
_XDIST = "queue_worker_server"


def pytest_addoption(parser: pytest.Parser) -> None:
    """Offer the one line that stands in pytest's configuration."""
    parser.addini(APP, "The registry that the tests are about, as package.module:name.", default="")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:  # noqa: ANN401  xdist's, which is optional
    """Tell a process of xdist's where the server is: the one that started them all owns it."""
    node.workerinput[_XDIST] = find_server(node.config)


def pytest_unconfigure(config: pytest.Config) -> None:
    """Stop the server, if it was started here."""
    if _AT_THE_END in config.stash:
        config.stash[_AT_THE_END].close()


def find_server(config: pytest.Config) -> str:
    """The DSN of the server: that of DATABASE_URL, or else an embedded one, started when asked for.

    Raises:
        DatabaseUnreachable: there is no DATABASE_URL, and the extra `embedded` is not installed.
    """
    if _DSN not in config.stash:
        told: str | None = getattr(config, "workerinput", {}).get(_XDIST)
        config.stash[_DSN] = told or os.environ.get("DATABASE_URL") or _start_own(config)
    return config.stash[_DSN]


def _start_own(config: pytest.Config) -> str:
    config.stash[_AT_THE_END] = at_the_end = ExitStack()
    folder = Path(tempfile.mkdtemp(prefix="queue-worker-tests-"))
    at_the_end.callback(shutil.rmtree, folder, ignore_errors=True)
    at_the_end.callback(stop_embedded, folder / "postgres")
    dsn = start_embedded(folder / "postgres")
    with connect(dsn, name="queue_worker testing") as connection:
        _prefer_speed(connection)
    return dsn


def _prefer_speed(connection: psycopg.Connection[Any]) -> None:
    """Nothing in it is to survive a crash."""
    for setting in ("fsync", "full_page_writes", "synchronous_commit"):
        connection.execute(f"ALTER SYSTEM SET {setting} = off")
    connection.execute("SELECT pg_reload_conf()")
