"""Exactly what a plan says goes, and nothing else, whatever happens on the way."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from queue_worker.database import connect
from queue_worker.errors import PlanRefused, PolicyRefused, RetentionBusy, RetentionStopped
from queue_worker.governance.retention import plan as plans
from queue_worker.governance.retention.apply import Progress
from queue_worker.governance.retention.enforce import enforce_policies
from queue_worker.governance.retention.plan import make_plan, read_plan
from queue_worker.governance.retention.policies import (
    AGGREGATES,
    EVENTS,
    LEDGER,
    OTHERS,
    SIGNALS,
    SUCCEEDED,
    declared_policies,
    publish_policies,
)
from queue_worker.governance.retention.undo import undo_plan
from queue_worker.housekeeping import partitions
from queue_worker.jobs import analytics_aggregator, retention
from queue_worker.jobs.retention import prune_old_analytics_events
from queue_worker.settings import Settings
from tests.support.content import add_aggregates, add_events, aggregates_in, carry_out, rows_of
from tests.support.retention import (
    QUICK,
    Connection,
    add_counted,
    add_queue_row,
    add_run,
    add_signal,
    applied,
    midnight,
    moments,
    planned,
    view,
)

CUTOFF = midnight(90)
INSTANT = timedelta(microseconds=1)


@pytest.mark.fault("F39")
@pytest.mark.parametrize("zone", ["UTC", "Pacific/Kiritimati", "Pacific/Pago_Pago"])
def test_what_is_older_than_a_utc_midnight_goes_whatever_the_time_zone(
    connection: Connection, settings: Settings, zone: str
) -> None:
    connection.execute("SELECT set_config('timezone', %s, false)", [zone])
    add_counted(connection, settings, [view(CUTOFF - INSTANT), view(CUTOFF)])
    for days in (367, 366, 365):
        add_signal(connection, f"{midnight(days):%Y-%m-%d}")
    policies = (EVENTS, SIGNALS)
    plan = applied(connection, planned(connection, policies), policies)
    assert plan.rows == plan.removed == 2
    assert moments(connection) == [CUTOFF]
    kept = "SELECT window_end FROM content_pipeline.analytics_signal WHERE deleted_at IS NULL"
    assert {day for (day,) in connection.execute(kept)} == {
        midnight(366).date(),
        midnight(365).date(),
    }


def test_the_plan_says_what_would_go(connection: Connection, settings: Settings) -> None:
    old = [view(midnight(120)), view(midnight(100))]
    add_counted(connection, settings, [*old, view(midnight(1))])
    add_queue_row(connection, "succeeded", 8)
    plan = planned(connection, (EVENTS, SUCCEEDED))
    events, queue_rows = plan.steps
    assert (events.rows, events.of_rows) == (2, 3)
    assert (events.oldest, events.newest) == (midnight(120), midnight(100))
    assert events.cutoff == CUTOFF
    assert 100 < events.bytes < 400
    assert (queue_rows.rows, queue_rows.of_rows) == (1, 1)
    assert queue_rows.referenced_by == [
        "procrastinate_events (its rows go along)",
        "procrastinate_periodic_defers (its reference is cleared, or keeps the row)",
    ]
    assert read_plan(connection, plan.number) == plan
    assert len(moments(connection)) == 3


def test_an_event_that_came_after_the_plan_stays_but_is_counted(
    connection: Connection, settings: Settings
) -> None:
    add_counted(connection, settings, [view(midnight(100), "planned")])
    plan = planned(connection, [EVENTS])
    add_events(connection, [view(midnight(120), "later"), view(midnight(100), "later")])
    applied(connection, plan, [EVENTS])
    assert moments(connection) == [midnight(120), midnight(100)]
    counted = aggregates_in(connection)
    assert [counted["c1", midnight(days).date()][1] for days in (120, 100)] == [1, 2]


def test_an_event_that_nobody_has_counted_is_neither_planned_nor_deleted(
    connection: Connection, settings: Settings, database: str
) -> None:
    """It was written before the plan, in a transaction that ended after it."""
    add_counted(connection, settings, [view(midnight(100))])
    with psycopg.connect(database) as open_transaction:
        add_events(open_transaction, [view(midnight(101), "l2")])
        carry_out(analytics_aggregator.job, settings)
        plan = planned(connection, [EVENTS])
    assert plan.rows == 1
    applied(connection, plan, [EVENTS])
    assert moments(connection) == [midnight(101)]
    assert ("c1", midnight(101).date()) in aggregates_in(connection)


def test_aggregates_outlive_their_events(connection: Connection, settings: Settings) -> None:
    add_counted(connection, settings, [view(midnight(100)), view(midnight(100), "l2")])
    before = rows_of(connection, "analytics_daily_aggregate")
    applied(connection, planned(connection, [EVENTS]), [EVENTS])
    add_events(connection, [view(midnight(100), "too late")])
    carry_out(analytics_aggregator.job, settings)
    assert rows_of(connection, "analytics_daily_aggregate") == before


def partitions_of(connection: Connection) -> set[str]:
    rows = connection.execute("SELECT partition::text FROM content_pipeline.event_partitions")
    return {name.rpartition(".")[2] for (name,) in rows}


def test_a_partition_of_which_every_event_goes_is_dropped(
    connection: Connection, settings: Settings
) -> None:
    month = midnight(200).replace(day=1)
    connection.execute("SELECT content_pipeline.make_event_partitions(%s::date, 2)", [month])
    before = partitions_of(connection)
    add_counted(connection, settings, [view(month), view(midnight(91)), view(midnight(1))])
    plan = applied(connection, planned(connection, [EVENTS]), [EVENTS])
    assert plan.removed == plan.rows == 2
    assert moments(connection) == [midnight(1)]
    gone = before - partitions_of(connection)
    assert f"analytics_event_{month:%Y_%m}" in gone
    left = connection.execute("SELECT count(*) FROM pg_class WHERE relname = ANY(%s)", [list(gone)])
    assert left.fetchone() == (0,)


def test_a_partition_with_an_event_that_came_later_is_only_emptied(
    connection: Connection, settings: Settings
) -> None:
    month = midnight(200).replace(day=1)
    connection.execute("SELECT content_pipeline.make_event_partitions(%s::date, 1)", [month])
    add_counted(connection, settings, [view(month), view(month + INSTANT)])
    plan = planned(connection, [EVENTS])
    add_events(connection, [view(month + 2 * INSTANT)])
    assert applied(connection, plan, [EVENTS]).removed == 2
    assert f"analytics_event_{month:%Y_%m}" in partitions_of(connection)
    assert moments(connection) == [month + 2 * INSTANT]


def test_no_partition_with_a_day_that_is_not_final_is_dropped(
    connection: Connection, settings: Settings
) -> None:
    add_counted(connection, settings, [view(midnight(100))])
    applied(connection, planned(connection, [EVENTS]), [EVENTS])
    names = [*partitions_of(connection), "analytics_event_default"]
    assert len(names) > 5
    for name in names:
        with pytest.raises(psycopg.errors.RestrictViolation, match="all final"):
            connection.execute(
                "SELECT content_pipeline.drop_event_partition("
                f"'content_pipeline.{name}'::regclass, pg_current_snapshot())"
            )


def test_finished_queue_rows_go_by_the_time_that_the_ledger_says(connection: Connection) -> None:
    kept = [
        add_queue_row(connection, "succeeded", 6.5),
        add_queue_row(connection, "failed", 9),
        add_queue_row(connection, "aborted", 29.5),
        add_queue_row(connection, "todo", None),
        add_queue_row(connection, "doing", 40),  # an earlier attempt has failed
        add_queue_row(connection, "succeeded", None),  # no run keeps what it was
    ]
    gone = [
        add_queue_row(connection, "succeeded", 8.5),
        add_queue_row(connection, "failed", 31.5),
        add_queue_row(connection, "cancelled", 31.5),
    ]
    connection.execute(
        "INSERT INTO procrastinate_periodic_defers (task_name, defer_timestamp, job_id) VALUES ('a', 1, %s)",
        [gone[0]],
    )
    policies = (SUCCEEDED, OTHERS)
    plan = applied(connection, planned(connection, policies), policies)
    assert plan.rows == plan.removed == 3
    left = connection.execute("SELECT id FROM procrastinate_jobs ORDER BY id").fetchall()
    assert [queue_job_id for (queue_job_id,) in left] == kept
    runs = connection.execute("SELECT queue_job_id FROM queue_worker.run").fetchall()
    assert {queue_job_id for (queue_job_id,) in runs} >= set(gone)
    events = connection.execute("SELECT DISTINCT job_id FROM procrastinate_events").fetchall()
    assert not {queue_job_id for (queue_job_id,) in events} & set(gone)


def test_a_queue_row_that_somebody_tries_again_meanwhile_is_not_deleted(
    connection: Connection, database: str
) -> None:
    """The batch has chosen it and waits for its row lock, then looks at it again."""
    queue_job_id = add_queue_row(connection, "failed", 40)
    plan = planned(connection, [OTHERS])
    with psycopg.connect(database) as somebody:
        somebody.execute("UPDATE procrastinate_jobs SET status = 'todo'")
        threading.Timer(0.4, somebody.commit).start()
        applied(connection, plan, [OTHERS], replace(QUICK, lock_timeout=30))
    assert connection.execute("SELECT id FROM procrastinate_jobs").fetchall() == [(queue_job_id,)]


def test_the_ledger_keeps_every_run_unless_its_policy_says_how_long(connection: Connection) -> None:
    for number, days in enumerate([200, 101, 99]):
        add_run(connection, number, days)
    publish_policies(connection, [LEDGER])
    for delete in ("DELETE FROM queue_worker.run", "TRUNCATE queue_worker.run"):
        with pytest.raises(psycopg.errors.RestrictViolation):
            connection.execute(delete)
    assert make_plan(connection, [LEDGER]).steps == ()

    policy = LEDGER.keeping(timedelta(days=100))
    plan = applied(connection, planned(connection, [policy]), [policy])
    assert plan.removed == 2
    assert connection.execute("SELECT queue_job_id FROM queue_worker.run").fetchall() == [(2,)]
    with pytest.raises(psycopg.errors.RestrictViolation, match=r"run 2\.1 is kept"):
        connection.execute("DELETE FROM queue_worker.run")


def test_what_was_soft_deleted_is_put_into_use_again(connection: Connection) -> None:
    for days in (800, 750, 10):
        add_aggregates(connection, "c1", {midnight(days).date(): {"views": 1}})
    first = applied(connection, planned(connection, [AGGREGATES]), [AGGREGATES])
    add_signal(connection, "2020-01-01")
    second = applied(connection, planned(connection, [AGGREGATES, SIGNALS]), [AGGREGATES, SIGNALS])
    assert (first.removed, second.removed) == (2, 1)
    deleted = "SELECT count(*) FROM content_pipeline.{} WHERE deleted_at IS NOT NULL"
    assert undo_plan(connection, first.number, actor="ada", reason="too early") == 2
    assert connection.execute(deleted.format("analytics_daily_aggregate")).fetchone() == (0,)
    assert connection.execute(deleted.format("analytics_signal")).fetchone() == (1,)
    assert read_plan(connection, first.number).undone_at
    with pytest.raises(PlanRefused):
        undo_plan(connection, 99, actor="ada", reason="too early")


def test_a_plan_is_refused_when_it_is_no_longer_what_somebody_looked_at(
    connection: Connection,
) -> None:
    add_signal(connection, "2020-01-01")
    with pytest.raises(PlanRefused, match="does not exist"):
        read_plan(connection, 7)

    plan = planned(connection, [SIGNALS])
    changed = replace(SIGNALS, keep=timedelta(days=1000))
    publish_policies(connection, [changed])
    with pytest.raises(PlanRefused, match="policies that have changed"):
        applied(connection, plan, [changed])

    publish_policies(connection, [SIGNALS])
    connection.execute(
        "UPDATE queue_worker.retention_plan SET made_at = now() - interval '25 hours'"
    )
    with pytest.raises(PlanRefused, match="more than a day old"):
        applied(connection, plan, [SIGNALS])

    connection.execute("UPDATE queue_worker.retention_plan SET made_at = now()")
    assert applied(connection, plan, [SIGNALS]).removed == 1
    with pytest.raises(PlanRefused, match="applied already"):
        applied(connection, plan, [SIGNALS])


def test_no_more_goes_than_was_planned(connection: Connection) -> None:
    add_signal(connection, "2020-01-02")
    plan = planned(connection, [SIGNALS])
    add_signal(connection, "2020-01-01")
    assert applied(connection, plan, [SIGNALS]).removed == 1


def test_two_at_once_are_impossible(connection: Connection, database: str) -> None:
    add_signal(connection, "2020-01-01")
    plan = planned(connection, [SIGNALS])
    with connect(database, name="other") as other:
        busy: list[BaseException] = []

        def try_beside(_: Progress) -> None:
            with pytest.raises(RetentionBusy) as refused:
                applied(other, plan, [SIGNALS])
            busy.append(refused.value)

        applied(connection, plan, [SIGNALS], report=try_beside)
        assert len(busy) == 1
        assert busy[0].exit_code == 75  # type: ignore[attr-defined]


@pytest.mark.fault("F39")
@pytest.mark.parametrize("batches", range(4))
def test_killed_between_any_two_batches_it_goes_on_where_it_stood(
    connection: Connection, settings: Settings, database: str, batches: int
) -> None:
    add_counted(connection, settings, [view(midnight(100 + i)) for i in range(8)])
    add_events(connection, [view(midnight(104))])
    plan = planned(connection, [EVENTS])
    pace = replace(QUICK, batch_rows=2)
    seen = 0

    def kill(progress: Progress) -> None:
        nonlocal seen
        seen += 1
        if seen > batches:
            doomed.close()

    with connect(database, name="doomed") as doomed, pytest.raises(psycopg.Error):
        applied(doomed, plan, [EVENTS], pace, report=kill)
    half_way = read_plan(connection, plan.number)
    assert len(moments(connection)) == 9 - half_way.removed > 1

    ended = applied(connection, plan, [EVENTS], pace)
    assert ended.removed == ended.rows == 8
    assert moments(connection) == [midnight(104)]
    said = connection.execute(
        "SELECT count(*) FROM queue_worker.audit_log WHERE action = 'retention.applied'"
    )
    assert said.fetchone() == (1,)


@pytest.mark.fault("F39")
def test_a_table_that_somebody_has_locked_is_waited_for_but_not_queued_at(
    connection: Connection, database: str
) -> None:
    add_signal(connection, "2020-01-01")
    plan = planned(connection, [SIGNALS])
    with psycopg.connect(database) as holder:
        holder.execute("LOCK TABLE content_pipeline.analytics_signal IN EXCLUSIVE MODE")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            applied(connection, plan, [SIGNALS], replace(QUICK, patience=0.2))
        assert read_plan(connection, plan.number).removed == 0
        threading.Timer(0.3, holder.rollback).start()
        assert applied(connection, plan, [SIGNALS], replace(QUICK, patience=20)).removed == 1


@pytest.mark.fault("P31")
def test_a_batch_holds_no_more_bytes_than_it_may(
    connection: Connection, settings: Settings
) -> None:
    add_counted(connection, settings, [view(midnight(100 + i)) for i in range(5)])
    for days in (800, 801, 802):
        add_aggregates(connection, "c1", {midnight(days).date(): {"views": 1}})
    for _ in range(2):
        add_queue_row(connection, "succeeded", 8)
    policies = (EVENTS, AGGREGATES, SUCCEEDED)
    plan = applied(
        connection, planned(connection, policies), policies, replace(QUICK, batch_bytes=1)
    )
    assert plan.removed == 10
    rows = connection.execute("SELECT rows, batches FROM queue_worker.retention_step").fetchall()
    assert rows == [(number, number) for number, _ in rows]


def test_beyond_its_bounds_a_policy_stops_and_the_others_go_on(
    connection: Connection, settings: Settings
) -> None:
    add_counted(connection, settings, [view(midnight(100)), view(midnight(101))])
    add_signal(connection, "2020-01-01")
    policies = (replace(EVENTS, max_rows=1), SIGNALS)
    publish_policies(connection, policies)
    with pytest.raises(RetentionStopped, match="2 rows are more than 1") as stopped:
        enforce_policies(connection, policies, actor="ada", pace=QUICK)
    (plan_id,) = stopped.value.problems
    by_policy = {step.policy: step.removed for step in read_plan(connection, plan_id).steps}
    assert by_policy == {"analytics_event": 0, "analytics_signal": 1}
    assert len(moments(connection)) == 2

    # Somebody looks at it and applies it: the second key.
    assert applied(connection, read_plan(connection, plan_id), policies).removed == 3


def test_a_share_is_alarming_only_of_many_rows(
    connection: Connection, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    add_counted(connection, settings, [view(midnight(100)), view(midnight(1))])
    policy = replace(EVENTS, max_share=Decimal("0.4"))
    (step,) = make_plan(connection, [policy]).steps
    assert plans.out_of_bounds(step, policy) is None
    monkeypatch.setattr(plans, "SHARE_FROM", 1)
    assert plans.out_of_bounds(step, policy) == "1 of 2 rows are more than 0.4 (max_share)"


def test_the_job_prunes_by_the_policies_of_its_settings(
    connection: Connection, settings: Settings
) -> None:
    add_counted(connection, settings, [view(midnight(100)), view(midnight(1))])
    add_signal(connection, "2020-01-01")
    ids = [add_queue_row(connection, "succeeded", days) for days in (3, 5)]
    carry_out(retention.job, settings, dry_run=True)
    assert len(moments(connection)) == 2
    assert connection.execute("SELECT count(*) FROM queue_worker.retention_plan").fetchone() == (0,)

    carry_out(retention.job, settings.model_copy(update={"keep_succeeded_days": 4}))
    assert moments(connection) == [midnight(1)]
    left = connection.execute("SELECT id FROM procrastinate_jobs").fetchall()
    assert left == [(ids[0],)]
    published = connection.execute(
        "SELECT keep FROM queue_worker.retention_policy WHERE name = 'finished_queue_rows.succeeded'"
    )
    assert published.fetchone() == (timedelta(days=4),)


def test_events_are_never_pruned_earlier_than_the_policy_says(
    connection: Connection, settings: Settings
) -> None:
    publish_policies(connection, declared_policies(settings))
    add_counted(connection, settings, [view(midnight(days)) for days in (130, 100, 60)])
    assert prune_old_analytics_events(connection, days=120) == 1
    assert prune_old_analytics_events(connection) == 1
    for days in (89, 10):
        with pytest.raises(PolicyRefused):
            prune_old_analytics_events(connection, days=days)
    assert moments(connection) == [midnight(60)]


def test_ages_that_no_calendar_has_stop_nothing(connection: Connection, settings: Settings) -> None:
    connection.execute(
        "INSERT INTO content_pipeline.analytics_event (occurred_at, content_id, learner_id, event_type) "
        "VALUES ('4713-01-01 00:00+00 BC', 'c1', 'l1', 'view')"
    )
    carry_out(analytics_aggregator.job, settings)
    add_signal(connection, "-infinity")
    add_signal(connection, "infinity")
    add_signal(connection, "0044-03-15 BC")
    policies = (EVENTS, SIGNALS)
    plan = applied(connection, planned(connection, policies), policies)
    assert [(step.rows, step.removed) for step in plan.steps] == [(1, 1), (1, 1)]
    assert plan.steps[0].oldest == datetime(1, 1, 2, tzinfo=UTC)


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"table": "no_such_table"}, "there is no table"),
        ({"column": "no_such_column"}, "has no column"),
        ({"column": "content_id"}, "is of type text"),
        ({"table": "retry_intent", "column": "approved_at"}, "no table with a column deleted_at"),
    ],
)
def test_a_policy_on_what_is_not_there_is_refused(
    connection: Connection, change: dict[str, Any], word: str
) -> None:
    with pytest.raises(PolicyRefused, match=word):
        publish_policies(connection, [replace(SIGNALS, **change)])
    assert connection.execute("SELECT * FROM queue_worker.retention_policy").fetchall() == []


def test_a_changed_policy_is_in_the_audit_log(connection: Connection) -> None:
    publish_policies(connection, [SIGNALS, EVENTS])
    publish_policies(connection, [SIGNALS, EVENTS])
    publish_policies(connection, [SIGNALS.keeping(timedelta(days=500))])
    rows = connection.execute(
        "SELECT action, subject, details FROM queue_worker.audit_log ORDER BY 1"
    ).fetchall()
    assert rows == [
        ("policy.deleted", "policy:analytics_event", {"was": "hard_delete after 90 days"}),
        (
            "policy.updated",
            "policy:analytics_signal",
            {"was": "soft_delete after 366 days", "is": "soft_delete after 500 days"},
        ),
    ]


def test_partitions_are_made_ahead_and_it_fails_when_it_cannot(
    connection: Connection, settings: Settings, database: str
) -> None:
    name = f"analytics_event_{midnight(0):%Y_%m}"
    connection.execute(f"DROP TABLE content_pipeline.{name}")
    with psycopg.connect(database) as holder:
        holder.execute("LOCK TABLE content_pipeline.analytics_event_default IN ROW SHARE MODE")
        with pytest.raises(psycopg.errors.LockNotAvailable):
            carry_out(partitions.job, settings)
    assert name not in partitions_of(connection)
    carry_out(partitions.job, settings)
    assert name in partitions_of(connection)
