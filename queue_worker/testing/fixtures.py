"""The fixtures; a project may put its own in place of each, by the same name."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from queue_worker.registry import JobRegistry, load_registry
from queue_worker.settings import Settings, load_settings
from queue_worker.testing.databases import cloned_database, migrated_database
from queue_worker.testing.harness import QueueHarness
from queue_worker.testing.server import APP, find_server


@pytest.fixture(scope="session")
def queue_server(pytestconfig: pytest.Config) -> str:
    """The DSN of a Postgres server: that of DATABASE_URL, or else an embedded one.

    Databases are created and dropped on it; the one that DATABASE_URL names is left alone.
    """
    return find_server(pytestconfig)


@pytest.fixture(scope="session")
def queue_prepare_database() -> Callable[[str], None] | None:
    """Put your own in its place to add your tables: called once, with the template's DSN."""
    return None


@pytest.fixture(scope="session")
def queue_template(
    queue_server: str, queue_prepare_database: Callable[[str], None] | None
) -> Iterator[str]:
    """The name of the migrated database that each test gets a clone of."""
    with migrated_database(queue_server, queue_prepare_database) as name:
        yield name


@pytest.fixture
def queue_database(queue_server: str, queue_template: str) -> Iterator[str]:
    """The DSN of a migrated database of this test's own."""
    with cloned_database(queue_server, queue_template) as dsn:
        yield dsn


@pytest.fixture
def queue_settings(queue_database: str) -> Settings:
    """Settings that point at this test's database, whatever else the environment says."""
    return load_settings(database_url=queue_database, direct_url=queue_database, dry_run=False)


@pytest.fixture(scope="session")
def queue_registry(pytestconfig: pytest.Config) -> JobRegistry:
    """The registry that the tests are about: `queue_worker_app` in pytest's configuration."""
    reference: str = pytestconfig.getini(APP)
    if not reference:
        raise pytest.UsageError(
            f"No registry to test. Set `{APP} = myapp.jobs:registry` in pytest's configuration, "
            "or define a fixture `queue_registry` that returns one."
        )
    return load_registry(reference)


@pytest.fixture
def queue(queue_registry: JobRegistry, queue_settings: Settings) -> Iterator[QueueHarness]:
    """The queue of this test: what is enqueued in it, its runs, and its clock."""
    with QueueHarness(queue_registry, queue_settings) as harness:
        yield harness
