"""Enqueueing inside SQLAlchemy's transactions: connections and sessions, sync and async."""

from __future__ import annotations

import asyncio
import traceback
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import sqlalchemy as sa
from psycopg.conninfo import conninfo_to_dict
from pydantic import BaseModel
from sqlalchemy.ext.asyncio import (
    AsyncEngine,
    AsyncSession,
    async_scoped_session,
    async_sessionmaker,
    create_async_engine,
)
from sqlalchemy.orm import (
    DeclarativeBase,
    Mapped,
    Session,
    mapped_column,
    scoped_session,
    sessionmaker,
)

from queue_worker import (
    EnqueueRequest,
    JobContext,
    JobRegistry,
    QueueClient,
    Settings,
    SyncQueueClient,
)
from queue_worker.errors import EnqueueError

CANARY = "c4n4ry"
registry = JobRegistry()


class Content(BaseModel):
    content_id: str


@registry.job("content.regenerate", args=Content, timeout=timedelta(minutes=1))
async def regenerate(ctx: JobContext, args: Content) -> None: ...


class Base(DeclarativeBase): ...


class Note(Base):
    __tablename__ = "note"
    note_id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str] = mapped_column(unique=True)


@pytest.fixture
def url(database: str) -> sa.URL:
    parts = conninfo_to_dict(database)
    return sa.URL.create(
        "postgresql+psycopg",
        username=str(parts["user"]),
        host=str(parts["host"]),
        port=int(str(parts["port"])),
        database=str(parts["dbname"]),
    )


@pytest.fixture
def engine(url: sa.URL) -> Iterator[sa.Engine]:
    engine = sa.create_engine(url)
    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


@pytest.fixture
async def async_engine(engine: sa.Engine, url: sa.URL) -> AsyncIterator[AsyncEngine]:
    async_engine = create_async_engine(url)
    yield async_engine
    await async_engine.dispose()


@pytest.fixture
def client(settings: Settings) -> Iterator[SyncQueueClient]:
    with SyncQueueClient(registry, settings) as client:
        yield client


@pytest.fixture
async def async_client(settings: Settings) -> AsyncIterator[QueueClient]:
    async with QueueClient(registry, settings) as client:
        yield client


@pytest.fixture
def queued(connection: Any) -> Any:
    def queued() -> list[str]:
        rows = connection.execute(
            "SELECT args ->> 'content_id' FROM procrastinate_jobs ORDER BY id"
        )
        return [row[0] for row in rows]

    return queued


def content(content_id: str) -> Content:
    return Content(content_id=content_id)


def test_a_connection_commits_and_rolls_back(
    client: SyncQueueClient, engine: sa.Engine, queued: Any
) -> None:
    with engine.connect() as own:
        assert client.enqueue(regenerate, content("kept"), connection=own).enqueued
        assert queued() == []
        own.commit()
        client.enqueue(regenerate, content("dropped"), connection=own)
        own.rollback()
    assert queued() == ["kept"]


def test_a_session_commits_its_rows_and_jobs_together(
    client: SyncQueueClient, engine: sa.Engine, queued: Any
) -> None:
    with Session(engine) as own:
        own.add(Note(text="one"))
        client.enqueue(regenerate, content("kept"), connection=own)
        own.commit()
        own.add(Note(text="one"))
        client.enqueue(regenerate, content("dropped"), connection=own)
        with pytest.raises(sa.exc.IntegrityError):
            own.commit()
    assert queued() == ["kept"]


def test_a_savepoint_takes_its_job_back(
    client: SyncQueueClient, engine: sa.Engine, queued: Any
) -> None:
    with Session(engine) as own, own.begin():
        client.enqueue(regenerate, content("kept"), connection=own)
        savepoint = own.begin_nested()
        client.enqueue(regenerate, content("dropped"), connection=own)
        savepoint.rollback()
    assert queued() == ["kept"]


def test_a_scoped_session_is_a_session(
    client: SyncQueueClient, engine: sa.Engine, queued: Any
) -> None:
    own = scoped_session(sessionmaker(engine))
    client.enqueue(regenerate, content("kept"), connection=own)
    own.commit()
    own.remove()
    assert queued() == ["kept"]


async def test_an_async_connection_commits_and_rolls_back(
    async_client: QueueClient, async_engine: AsyncEngine, queued: Any
) -> None:
    async with async_engine.connect() as own:
        assert (await async_client.enqueue(regenerate, content("kept"), connection=own)).enqueued
        assert queued() == []
        await own.commit()
        await async_client.enqueue(regenerate, content("dropped"), connection=own)
        await own.rollback()
    assert queued() == ["kept"]


@pytest.mark.parametrize("driver", ["psycopg", "asyncpg"])
async def test_all_options_reach_the_queue_whatever_the_driver(
    async_client: QueueClient, url: sa.URL, connection: Any, driver: str
) -> None:
    pytest.importorskip(driver)
    moment = datetime(2030, 10, 27, 0, 30, tzinfo=UTC)  # 02:30 in Berlin, for the first time
    hour = timedelta(hours=1)
    engine = create_async_engine(url.set(drivername=f"postgresql+{driver}"))
    async with engine.begin() as own:
        await own.execute(sa.text("SET LOCAL TimeZone = 'Europe/Berlin'"))
        for at in (moment, moment + hour):
            await async_client.enqueue(
                regenerate, content("ü"), run_at=at, lock_key="L", priority=-7, connection=own
            )
        await async_client.enqueue(
            regenerate, content("d"), delay=hour, queueing_lock="Q", connection=own
        )
        await async_client.enqueue_many(
            [EnqueueRequest(job=regenerate, args=content("m"))], connection=own
        )
    await engine.dispose()
    found = connection.execute(
        "SELECT args ->> 'content_id', scheduled_at, lock, queueing_lock, priority"
        " FROM procrastinate_jobs ORDER BY id"
    ).fetchall()
    assert found[:2] == [("ü", moment, "L", None, -7), ("ü", moment + hour, "L", None, -7)]
    assert found[2][1] - datetime.now(UTC) > timedelta(minutes=59)
    assert found[2][3] == "Q"
    assert found[3] == ("m", None, None, None, 0)


async def test_an_async_session_commits_its_rows_and_jobs_together(
    async_client: QueueClient, async_engine: AsyncEngine, queued: Any
) -> None:
    async with AsyncSession(async_engine) as own:
        own.add(Note(text="one"))
        await async_client.enqueue(regenerate, content("kept"), connection=own)
        assert queued() == []
        await own.commit()
        await async_client.enqueue(regenerate, content("dropped"), connection=own)
        await own.rollback()
    assert queued() == ["kept"]


async def test_an_async_scoped_session_is_a_session(
    async_client: QueueClient, async_engine: AsyncEngine, queued: Any
) -> None:
    own = async_scoped_session(async_sessionmaker(async_engine), scopefunc=lambda: 1)
    await async_client.enqueue(regenerate, content("kept"), connection=own)
    await own.commit()
    await own.remove()
    assert queued() == ["kept"]


def test_a_clash_is_an_answer_and_the_session_goes_on(
    client: SyncQueueClient, engine: sa.Engine, queued: Any
) -> None:
    waiting = client.enqueue(regenerate, content("first"), queueing_lock="Q").queue_job_id
    with Session(engine) as own, own.begin():
        own.add(Note(text="one"))
        answers = client.enqueue_many(
            [
                EnqueueRequest(job=regenerate, args=content("second"), queueing_lock="Q"),
                EnqueueRequest(job=regenerate, args=content("third")),
            ],
            connection=own,
        )
        assert [answer.enqueued for answer in answers] == [False, True]
        assert answers[0].queue_job_id == waiting
    assert queued() == ["first", "third"]
    with Session(engine) as own:
        assert own.scalars(sa.select(Note.text)).all() == ["one"]


async def test_what_the_database_refuses_is_said_without_the_values(
    client: SyncQueueClient, async_client: QueueClient, engine: sa.Engine,
    async_engine: AsyncEngine, connection: Any,
) -> None:  # fmt: skip
    connection.execute(
        "ALTER TABLE procrastinate_jobs ADD CHECK (args ->> 'content_id' <> 'c4n4ry')"
    )
    expected = "The database refused the job: new row for relation"
    with Session(engine) as own, pytest.raises(EnqueueError, match=expected) as caught:
        client.enqueue(regenerate, content(CANARY), connection=own)
    assert CANARY not in "".join(traceback.format_exception(caught.value))
    async with async_engine.connect() as own_async:
        with pytest.raises(EnqueueError, match=expected) as caught:
            await async_client.enqueue(regenerate, content(CANARY), connection=own_async)
    assert CANARY not in "".join(traceback.format_exception(caught.value))


def test_missing_migrations_are_named(
    client: SyncQueueClient, engine: sa.Engine, connection: Any
) -> None:
    connection.execute("DROP SCHEMA queue_worker CASCADE")
    with Session(engine) as own, pytest.raises(EnqueueError, match="Run `queue-worker migrate`"):
        client.enqueue(regenerate, content("c"), connection=own)


def test_an_async_client_refuses_what_is_not_async(settings: Settings, engine: sa.Engine) -> None:
    enqueue = QueueClient(registry, settings).enqueue
    with Session(engine) as own:
        with pytest.raises(TypeError, match="A Session does not fit: QueueClient takes the async"):
            asyncio.run(enqueue(regenerate, content("c"), connection=own))
        assert not own.in_transaction()


async def test_a_blocking_client_refuses_what_is_async(
    client: SyncQueueClient, async_engine: AsyncEngine
) -> None:
    async with AsyncSession(async_engine) as own:
        with pytest.raises(TypeError, match="A AsyncSession does not fit"):
            client.enqueue(regenerate, content("c"), connection=own)
        assert not own.in_transaction()
