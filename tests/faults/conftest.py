"""A scene for each test, on the shared server or on one that the test may stop and start."""

from __future__ import annotations

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from queue_worker.database import connect
from queue_worker.governance.migrations import migrate
from tests.support.faults import Scene, scene
from tests.support.postgres import Server, execute, temporary_server
from tests.support.proxy import Proxy, proxy_to
from tests.support.roles import make_test_roles

DURABLE: dict[str, str] = {"max_connections": "60"}
_numbers = itertools.count()


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "slow_soak: runs for minutes; only where TEST_SOAK is set")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    skipped = pytest.mark.skip(reason="takes minutes: set TEST_SOAK=1 to run it")
    for item in items:
        if item.get_closest_marker("slow_soak") and not os.environ.get("TEST_SOAK"):
            item.add_marker(skipped)


@pytest.fixture
def stage(database: str, tmp_path: Path) -> Iterator[Scene]:
    """A scene on the shared server."""
    with scene(database, tmp_path) as found:
        yield found


@pytest.fixture
def ticking(database: str, tmp_path: Path) -> Iterator[Scene]:
    """A scene whose jobs include one that is due every second."""
    with scene(database, tmp_path, "with_ticks") as found:
        yield found


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    """A server of this module's own, which keeps what it was given when it is stopped hard."""
    with temporary_server(os.environ.get("TEST_POSTGRES", "18"), DURABLE) as found:
        execute(found.dsn(), "CREATE DATABASE template_queue")
        with connect(found.dsn("template_queue"), name="tests") as connection:
            migrate(connection)
            make_test_roles(connection)
        yield found


@pytest.fixture
def outage(server: Server, tmp_path: Path) -> Iterator[Scene]:
    """A scene on the server that may be stopped and started."""
    name = f"outage_{next(_numbers)}"
    execute(server.dsn(), f"CREATE DATABASE {name} TEMPLATE template_queue")
    with scene(server.dsn(name), tmp_path) as found:
        yield found


@pytest.fixture
def proxy(stage: Scene) -> Iterator[Proxy]:
    """A proxy to the server of `stage`."""
    with proxy_to(stage.dsn) as found:
        yield found
