from __future__ import annotations

import csv
import random
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st

from queue_worker.database import connect
from queue_worker.errors import ContentError
from queue_worker.jobs import analytics_aggregator
from queue_worker.settings import Settings, load_settings
from tests.support.content import (
    Connection,
    Event,
    add_events,
    aggregates_in,
    aggregates_of,
    carry_out,
    killed_at_commit,
    rows_of,
)
from tests.support.roles import as_login, role

NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)


def aggregate(settings: Settings) -> None:
    carry_out(analytics_aggregator.job, settings)


def view(content_id: str = "c1", learner_id: str = "l1", at: datetime = NOON) -> Event:
    return at, content_id, learner_id, "view", None


def real_clicks(folder: Path) -> list[Event]:
    with (folder / "studentVle.csv").open(newline="") as file:
        return [
            (
                datetime(2013, 10, 1, tzinfo=UTC) + timedelta(days=int(row["date"])),
                row["id_site"],
                row["id_student"],
                "click",
                int(row["sum_click"]),
            )
            for row in csv.DictReader(file)
        ]


def test_real_clicks_give_the_numbers_that_plain_python_counts(
    connection: Connection, settings: Settings, oulad: Path
) -> None:
    clicks = real_clicks(oulad)
    random.Random(1).shuffle(clicks)
    half = len(clicks) // 2

    add_events(connection, clicks[:half])
    aggregate(settings)
    assert aggregates_in(connection) == aggregates_of(clicks[:half])

    add_events(connection, clicks[half:])
    aggregate(settings)
    assert aggregates_in(connection) == aggregates_of(clicks)

    before = rows_of(connection, "analytics_daily_aggregate")
    assert len(before) > 500
    aggregate(settings)
    assert rows_of(connection, "analytics_daily_aggregate") == before


def test_an_event_committed_after_a_younger_one_was_aggregated_is_not_lost(
    database: str, connection: Connection, settings: Settings
) -> None:
    with connect(database, name="slow writer") as slow:
        slow.autocommit = False
        add_events(slow, [view("slow")])
        add_events(connection, [view("quick")])
        aggregate(settings)
        assert set(aggregates_in(connection)) == {("quick", NOON.date())}, "nobody waits for it"
        aggregate(settings)
        slow.commit()
    aggregate(settings)
    assert set(aggregates_in(connection)) == {("quick", NOON.date()), ("slow", NOON.date())}


def test_a_writer_that_rolls_back_leaves_nothing(
    database: str, connection: Connection, settings: Settings
) -> None:
    with connect(database, name="slow writer") as slow:
        slow.autocommit = False
        add_events(slow, [view()])
        aggregate(settings)
        slow.rollback()
    aggregate(settings)
    assert aggregates_in(connection) == {}


def test_events_of_a_savepoint_are_aggregated(connection: Connection, settings: Settings) -> None:
    with connection.transaction():
        add_events(connection, [view("outer")])
        with connection.transaction():
            add_events(connection, [view("inner")])
    aggregate(settings)
    assert {content for content, _ in aggregates_in(connection)} == {"outer", "inner"}


def test_a_late_event_changes_its_own_day_and_no_other(
    connection: Connection, settings: Settings
) -> None:
    week = [view(at=NOON - timedelta(days=age)) for age in range(7)]
    add_events(connection, week)
    aggregate(settings)
    before = rows_of(connection, "analytics_daily_aggregate")

    late = view(learner_id="l2", at=NOON - timedelta(days=3))
    add_events(connection, [late])
    aggregate(settings)
    after = rows_of(connection, "analytics_daily_aggregate")
    assert [row[1] for row in after if row not in before] == [date(2026, 11, 17)]
    assert aggregates_in(connection) == aggregates_of([*week, late])


@pytest.mark.parametrize("year", [1, 1970, 2100, 9999])
def test_an_event_of_any_date_counts(connection: Connection, settings: Settings, year: int) -> None:
    events = [view(at=datetime(year, 1, 1, 0, 0, 1, tzinfo=UTC))]
    add_events(connection, events)
    aggregate(settings)
    assert aggregates_in(connection) == aggregates_of(events)


def test_the_day_is_the_utc_day_whatever_the_session_says(
    connection: Connection, settings: Settings
) -> None:
    connection.execute("ALTER ROLE CURRENT_USER IN DATABASE " + connection.info.dbname + " SET timezone = 'Asia/Tokyo'")  # fmt: skip
    events = [
        view(at=datetime(2026, 11, 19, 23, 59, 59, 999999, tzinfo=UTC)),
        view(at=datetime(2026, 11, 20, tzinfo=UTC)),
    ]
    add_events(connection, events)
    aggregate(settings)
    assert aggregates_in(connection) == aggregates_of(events)


@given(
    batches=st.lists(
        st.lists(
            st.tuples(
                st.integers(0, 4 * 86_400).map(lambda s: NOON + timedelta(seconds=s)),
                st.sampled_from(["c1", "c2"]),
                st.sampled_from(["l1", "l2", "l3"]),
                st.sampled_from(["view", "complete", "score", "drop_off", "click"]),
                st.decimals(-1000, 1000, places=3),
            ),
            max_size=12,
        ),
        max_size=4,
    )
)
@how(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_order_of_any_batches_gives_the_same_numbers(
    connection: Connection, settings: Settings, batches: list[list[Event]]
) -> None:
    connection.execute("DELETE FROM content_pipeline.analytics_event")
    connection.execute("DELETE FROM content_pipeline.analytics_daily_aggregate")
    for batch in batches:
        add_events(connection, batch)
        aggregate(settings)
    assert aggregates_in(connection) == aggregates_of(event for batch in batches for event in batch)


def test_killed_at_commit_and_run_again_it_gives_the_same_rows(
    connection: Connection, settings: Settings
) -> None:
    add_events(connection, [view(), view(learner_id="l2")])
    watermark = rows_of(connection, "aggregation_watermark")
    with (
        killed_at_commit(connection, "analytics_daily_aggregate"),
        pytest.raises(psycopg.OperationalError),
    ):
        aggregate(settings)
    assert aggregates_in(connection) == {}
    assert rows_of(connection, "aggregation_watermark") == watermark

    aggregate(settings)
    assert aggregates_in(connection) == aggregates_of([view(), view(learner_id="l2")])


def test_a_worker_needs_no_right_to_read_the_control_data(
    connection: Connection, database: str
) -> None:
    """Everybody has it by default; where it was taken from them, the owner has been given it."""
    connection.execute("REVOKE EXECUTE ON FUNCTION pg_control_system() FROM PUBLIC")
    connection.execute(f"GRANT EXECUTE ON FUNCTION pg_control_system() TO {role('owner')}")
    add_events(connection, [view()])
    aggregate(load_settings(database_url=as_login(database, "worker")))
    assert aggregates_in(connection) == aggregates_of([view()])


@pytest.mark.parametrize(
    "change",
    [
        "seen = '900000000:900000000:'",  # the counter stands lower here
        "system_identifier = 1",  # another cluster, whatever its counter says
    ],
)
def test_in_a_restored_database_everything_is_computed_again(
    connection: Connection, settings: Settings, change: str
) -> None:
    connection.execute(
        """
        INSERT INTO content_pipeline.analytics_event
            (occurred_at, content_id, learner_id, event_type, transaction_id)
        VALUES (%s, 'restored', 'l1', 'view', '800000000'), (%s, 'new', 'l1', 'view', DEFAULT)
        """,
        [NOON, NOON],
    )
    connection.execute(f"UPDATE content_pipeline.aggregation_watermark SET {change}")
    aggregate(settings)
    before = rows_of(connection, "analytics_daily_aggregate")
    assert {content for content, _ in aggregates_in(connection)} == {"restored", "new"}

    aggregate(settings)
    connection.execute(f"UPDATE content_pipeline.aggregation_watermark SET {change}")
    aggregate(settings)
    assert rows_of(connection, "analytics_daily_aggregate") == before


def test_days_whose_events_are_gone_are_final(connection: Connection, settings: Settings) -> None:
    add_events(connection, [view(), view(learner_id="l2")])
    aggregate(settings)
    before = rows_of(connection, "analytics_daily_aggregate")
    connection.execute("DELETE FROM content_pipeline.analytics_event")
    connection.execute(
        "UPDATE content_pipeline.aggregation_watermark SET events_kept_from = '2026-11-21'"
    )

    add_events(connection, [view(learner_id="l3"), view("c2", at=NOON + timedelta(days=1))])
    aggregate(settings)
    after = rows_of(connection, "analytics_daily_aggregate")
    assert [row[:2] for row in after if row not in before] == [("c2", date(2026, 11, 21))]


def test_without_a_watermark_it_says_what_to_do(connection: Connection, settings: Settings) -> None:
    connection.execute("DELETE FROM content_pipeline.aggregation_watermark")
    with pytest.raises(ContentError, match="Insert its row again"):
        aggregate(settings)


def test_an_event_is_never_changed_but_may_be_deleted(connection: Connection) -> None:
    add_events(connection, [view(), view(at=datetime(1970, 1, 1, tzinfo=UTC))])
    partitions = [
        name
        for (name,) in connection.execute(
            "SELECT relid::text FROM pg_partition_tree('content_pipeline.analytics_event')"
        )
    ]
    assert len(partitions) == 12
    for name in partitions:
        with pytest.raises(psycopg.errors.RestrictViolation, match="never changed"):
            connection.execute(f"TRUNCATE {name}")
    for name in (
        "analytics_event",
        "analytics_event_default",
        f"analytics_event_{datetime.now(UTC):%Y_%m}",
    ):
        with pytest.raises(psycopg.errors.RestrictViolation, match="never changed"):
            connection.execute(f"UPDATE content_pipeline.{name} SET value = 1")
    assert connection.execute("DELETE FROM content_pipeline.analytics_event").rowcount == 2


@pytest.mark.parametrize(
    "event",
    [
        (NOON, "", "l1", "view", None),
        (NOON, "c" * 513, "l1", "view", None),
        (NOON, "c1", "l1", "score", None),
        (NOON, "c1", "l1", "view", Decimal("NaN")),
        (NOON, "c1", "l1", "view", Decimal("Infinity")),
    ],
)
def test_an_event_that_means_nothing_is_refused(connection: Connection, event: Event) -> None:
    with pytest.raises(psycopg.errors.CheckViolation):
        add_events(connection, [event])


def test_a_new_partition_takes_its_events_along(connection: Connection, settings: Settings) -> None:
    events = [view(at=datetime(1970, 1, 1, tzinfo=UTC)), view(at=datetime(1970, 2, 1, tzinfo=UTC))]
    add_events(connection, events)
    made = connection.execute("SELECT content_pipeline.make_event_partitions('1970-01-17', 1)")
    assert made.fetchone() == (1,)
    made = connection.execute("SELECT content_pipeline.make_event_partitions('1970-01-17', 1)")
    assert made.fetchone() == (0,)
    places = connection.execute(
        "SELECT tableoid::regclass::text FROM content_pipeline.analytics_event ORDER BY occurred_at"
    ).fetchall()
    assert places == [
        ("content_pipeline.analytics_event_1970_01",),
        ("content_pipeline.analytics_event_default",),
    ]
    with pytest.raises(psycopg.errors.RestrictViolation):
        connection.execute("TRUNCATE content_pipeline.analytics_event_1970_01")
    aggregate(settings)
    assert aggregates_in(connection) == aggregates_of(events)
