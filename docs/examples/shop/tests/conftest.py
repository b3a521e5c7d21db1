from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

from queue_worker import SyncQueueClient
from queue_worker.testing import QueueHarness
from shop import mail
from shop.orders import create_tables

pytest_plugins = ["queue_worker.testing"]


@pytest.fixture(scope="session")
def queue_prepare_database() -> Callable[[str], None]:
    """The tables of the shop stand in the same database as the queue."""
    return create_tables


@pytest.fixture
def connection(queue_database: str) -> Iterator[psycopg.Connection[tuple[Any, ...]]]:
    with psycopg.connect(queue_database, autocommit=True) as connection:
        yield connection


@pytest.fixture
def client(queue: QueueHarness) -> Iterator[SyncQueueClient]:
    """The client that the application would have."""
    with SyncQueueClient(queue.registry, queue.settings) as client:
        yield client


@pytest.fixture
def mails(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """The mails that were sent."""
    sent: list[tuple[str, str]] = []

    async def record(to: str, text: str) -> None:
        sent.append((to, text))

    monkeypatch.setattr(mail, "send", record)
    return sent
