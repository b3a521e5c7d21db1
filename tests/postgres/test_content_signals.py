from __future__ import annotations

import asyncio
from datetime import date, timedelta
from math import asin, sqrt
from typing import Any

import psycopg
import pytest

from queue_worker.database import connect_async
from queue_worker.demo.events import DECLINES, load_events, sample_events
from queue_worker.jobs import analytics_aggregator, insight_engine, signal_generator
from queue_worker.settings import Settings
from tests.support.content import (
    Connection,
    add_aggregates,
    aggregates_in,
    aggregates_of,
    carry_out,
    killed_at_commit,
    rows_of,
)

TODAY = date(2026, 11, 24)
WINDOW = [TODAY - timedelta(days=age) for age in range(1, 8)]
BASELINE = [TODAY - timedelta(days=age) for age in range(8, 36)]


def detect(settings: Settings, as_of: date | None = TODAY) -> None:
    carry_out(signal_generator.job, settings, as_of=as_of)


def suggest(settings: Settings) -> None:
    carry_out(insight_engine.job, settings)


def signals_in(connection: Connection) -> list[tuple[Any, ...]]:
    return connection.execute(
        """
        SELECT content_id, kind::text FROM content_pipeline.analytics_signal
         WHERE withdrawn_at IS NULL ORDER BY content_id, kind
        """
    ).fetchall()


def add_course(
    connection: Connection, baseline: dict[str, int], window: dict[str, int], name: str = "c1"
) -> None:
    days = dict.fromkeys(BASELINE, baseline) | dict.fromkeys(WINDOW, window)
    add_aggregates(connection, name, {day: numbers for day, numbers in days.items() if numbers})


def scores(number: int, mean: int, spread: int = 10) -> dict[str, int]:
    return {
        "scores": number,
        "score_sum": number * mean,
        "score_squares": number * (mean**2 + spread**2),
    }


async def load(database: str, events: list[Any]) -> int:
    async with await connect_async(database, name="loader") as connection:
        return await load_events(connection, events)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_seeded_declines_are_signalled_and_nothing_else(
    connection: Connection, database: str, settings: Settings, seed: int
) -> None:
    events = list(sample_events(TODAY, seed))
    assert asyncio.run(load(database, events)) == len(events)
    carry_out(analytics_aggregator.job, settings)
    assert aggregates_in(connection) == aggregates_of(events)

    for weeks_ago in (2, 1):
        detect(settings, TODAY - timedelta(weeks=weeks_ago))
        assert signals_in(connection) == []
    detect(settings)
    assert signals_in(connection) == sorted(DECLINES.items())


@pytest.mark.parametrize(
    ("baseline", "window", "kinds"),
    [
        ({"views": 20}, {"views": 20}, []),
        ({"views": 20}, {"views": 5}, ["falling_engagement"]),
        ({"views": 20}, {}, ["falling_engagement"]),
        ({"views": 20}, {"views": 40}, []),
        ({"views": 20}, {"views": 15}, []),  # a quarter less is not enough
        ({"views": 3}, {"views": 0, "scores": 1}, []),  # below 100 learners
        (
            {"views": 20, "completions": 12},
            {"views": 20, "completions": 6},
            ["falling_completion"],
        ),
        ({"views": 20, "completions": 12}, {"views": 20, "completions": 10}, []),
        ({"views": 7, "completions": 5}, {"views": 7, "completions": 1}, []),  # 49 views
        ({"views": 20, "drop_offs": 1}, {"views": 20, "drop_offs": 6}, ["unusual_drop_off"]),
        ({"views": 20, "drop_offs": 6}, {"views": 20, "drop_offs": 1}, []),
        ({"views": 20, "drop_offs": 0}, {"views": 20, "drop_offs": 0}, []),
        (scores(10, 80), scores(10, 60), ["falling_score"]),
        (scores(10, 80), scores(10, 75), []),  # significant, but it does not matter
        (scores(10, 80, spread=90), scores(10, 60, spread=90), []),  # chance explains it
        (scores(10, 80, spread=0), scores(10, 60, spread=0), ["falling_score"]),
        (scores(10, 60), scores(10, 80), []),
        ({"views": 10, "completions": 30}, {"views": 10, "completions": 30}, []),  # without a view
    ],
)
def test_a_decline_is_signalled_if_it_is_large_and_no_chance(
    connection: Connection,
    settings: Settings,
    baseline: dict[str, int],
    window: dict[str, int],
    kinds: list[str],
) -> None:
    add_course(connection, baseline, window)
    detect(settings)
    assert [kind for _, kind in signals_in(connection)] == kinds


def test_the_numbers_of_a_signal_are_those_of_the_textbook(
    connection: Connection, settings: Settings
) -> None:
    add_course(connection, {"views": 20, "completions": 12}, {"views": 20, "completions": 6})
    detect(settings)
    numbers = connection.execute(
        """
        SELECT observed::float, baseline::float, z_score::float, observed_samples, baseline_samples
          FROM content_pipeline.analytics_signal WHERE kind = 'falling_completion'
        """
    ).fetchone()
    z_score = 2 * (asin(sqrt(0.6)) - asin(sqrt(0.3))) / sqrt(1 / 140 + 1 / 560)
    assert numbers == (0.3, 0.6, round(z_score, 2), 140, 560)


def test_days_that_retention_put_out_of_use_do_not_count(
    connection: Connection, settings: Settings
) -> None:
    add_course(connection, {"views": 20}, {"views": 5})
    connection.execute(
        "UPDATE content_pipeline.analytics_daily_aggregate SET deleted_at = now() WHERE day < %s",
        [WINDOW[-1]],
    )
    detect(settings)
    assert signals_in(connection) == []


def test_without_a_date_it_looks_at_the_days_before_the_databases_today(
    connection: Connection, settings: Settings
) -> None:
    (today,) = connection.execute("SELECT (now() AT TIME ZONE 'UTC')::date").fetchone() or ()
    shift = today - TODAY
    add_aggregates(connection, "c1", {day + shift: {"views": 20} for day in BASELINE})
    add_aggregates(connection, "c1", {day + shift: {"views": 2} for day in WINDOW})
    detect(settings, as_of=None)
    assert signals_in(connection) == [("c1", "falling_engagement")]


def test_detecting_twice_changes_nothing(connection: Connection, settings: Settings) -> None:
    add_course(connection, {"views": 20}, {"views": 5})
    detect(settings)
    before = rows_of(connection, "analytics_signal")
    detect(settings)
    assert rows_of(connection, "analytics_signal") == before


def test_a_signal_that_late_events_undo_is_withdrawn_and_comes_back(
    connection: Connection, settings: Settings
) -> None:
    add_course(connection, {"views": 20}, {"views": 5})
    detect(settings)
    more = """
        UPDATE content_pipeline.analytics_daily_aggregate
           SET views = %(n)s, events = %(n)s, learners = %(n)s WHERE day >= %(day)s
        """
    connection.execute(more, {"n": 20, "day": WINDOW[-1]})
    detect(settings)
    assert signals_in(connection) == []
    connection.execute(more, {"n": 5, "day": WINDOW[-1]})
    detect(settings)
    assert signals_in(connection) == [("c1", "falling_engagement")]
    assert len(rows_of(connection, "analytics_signal")) == 1


def test_detecting_killed_at_commit_and_run_again_gives_the_same_rows(
    connection: Connection, settings: Settings
) -> None:
    add_course(connection, {"views": 20}, {"views": 5})
    with (
        killed_at_commit(connection, "analytics_signal"),
        pytest.raises(psycopg.OperationalError),
    ):
        detect(settings)
    assert signals_in(connection) == []
    detect(settings)
    assert signals_in(connection) == [("c1", "falling_engagement")]


def suggestions_in(connection: Connection) -> list[tuple[Any, ...]]:
    return connection.execute(
        """
        SELECT content_id, kind::text, state, jsonb_array_length(evidence)
          FROM content_pipeline.content_suggestion ORDER BY suggestion_id
        """
    ).fetchall()


def test_signals_become_one_open_suggestion_with_their_evidence(
    connection: Connection, settings: Settings
) -> None:
    add_course(connection, {"views": 20}, {"views": 5})
    detect(settings, TODAY - timedelta(days=1))
    detect(settings)
    suggest(settings)
    assert suggestions_in(connection) == [("c1", "falling_engagement", "open", 2)]
    row = connection.execute(
        "SELECT summary, evidence FROM content_pipeline.content_suggestion"
    ).fetchone()
    assert row is not None
    summary, evidence = row
    assert summary == (
        "falling engagement: 5 in the 7 days up to 2026-11-23, 20 in the 28 days before"
    )
    assert [signal["window_end"] for signal in evidence] == ["2026-11-22", "2026-11-23"]
    assert evidence[1]["observed"] == 5

    before = rows_of(connection, "content_suggestion")
    suggest(settings)
    assert rows_of(connection, "content_suggestion") == before


def test_a_withdrawn_signal_leads_to_nothing(connection: Connection, settings: Settings) -> None:
    add_course(connection, {"views": 20}, {"views": 5})
    detect(settings)
    connection.execute("UPDATE content_pipeline.analytics_signal SET withdrawn_at = now()")
    suggest(settings)
    assert suggestions_in(connection) == []


@pytest.mark.parametrize("decide", ["approve_suggestion", "reject_suggestion"])
def test_a_decided_decline_is_suggested_again_only_after_a_whole_new_window(
    connection: Connection, settings: Settings, decide: str
) -> None:
    add_course(connection, {"views": 20}, {"views": 5})
    detect(settings)
    suggest(settings)
    connection.execute(
        f"SELECT content_pipeline.{decide}(suggestion_id, 'ada', 'seen') FROM content_pipeline.content_suggestion"
    )
    connection.execute(
        "UPDATE content_pipeline.content_suggestion SET decided_at = '2026-11-24 12:00+00'"
    )
    for later in range(1, 9):
        day = TODAY + timedelta(days=later)
        add_aggregates(connection, "c1", {day - timedelta(days=1): {"views": 1}})
        detect(settings, day)
        suggest(settings)
        assert len(suggestions_in(connection)) == (2 if later >= 8 else 1), day


def test_suggesting_killed_at_commit_and_run_again_gives_the_same_rows(
    connection: Connection, settings: Settings
) -> None:
    add_course(connection, {"views": 20}, {"views": 5})
    detect(settings)
    with (
        killed_at_commit(connection, "content_suggestion"),
        pytest.raises(psycopg.OperationalError),
    ):
        suggest(settings)
    assert suggestions_in(connection) == []
    suggest(settings)
    assert suggestions_in(connection) == [("c1", "falling_engagement", "open", 1)]


def test_a_second_open_suggestion_is_refused_by_the_database(
    connection: Connection, settings: Settings
) -> None:
    add_course(connection, {"views": 20}, {"views": 5})
    detect(settings)
    suggest(settings)
    with pytest.raises(psycopg.errors.UniqueViolation):
        connection.execute(
            """
            INSERT INTO content_pipeline.content_suggestion (content_id, kind, summary, evidence)
            SELECT content_id, kind, summary, evidence FROM content_pipeline.content_suggestion
            """
        )
