"""A policy is checked when it is declared."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from queue_worker.errors import DefinitionError, PolicyRefused, RetentionStopped, SettingsError
from queue_worker.governance.retention.plan import Step, out_of_bounds
from queue_worker.governance.retention.policies import EVENTS, LEDGER, SIGNALS, declared_policies
from queue_worker.governance.retention.policy import FOREVER, KEPT_FOREVER, RetentionPolicy
from queue_worker.housekeeping import load_jobs, with_housekeeping
from queue_worker.jobs import first_party, retention
from queue_worker.registry import JobRegistry
from queue_worker.settings import Settings, load_settings

DSN = "postgresql:///app"


def settings(**given: Any) -> Settings:
    return load_settings(database_url=DSN, **given)


def test_the_policies_are_those_of_the_table() -> None:
    kept = {policy.name: (policy.keep, policy.how) for policy in declared_policies(settings())}
    days = {name: keep and keep.days for name, (keep, _) in kept.items()}
    assert days == {
        "analytics_event": 90,
        "analytics_daily_aggregate": 731,
        "analytics_signal": 366,
        "finished_queue_rows.succeeded": 7,
        "finished_queue_rows.others": 30,
        "run_ledger": FOREVER,
        "content_suggestion": FOREVER,
        "regeneration_output": FOREVER,
        "published_output": FOREVER,
        "audit_log": FOREVER,
    }
    assert {kept[name][1] for name in ("content_suggestion", "audit_log")} == {"never"}
    assert not any(policy.is_active for policy in declared_policies(settings())[5:])


@pytest.mark.fault("F39")
@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"name": "a b"}, "name"),
        ({"name": "x'; --"}, "name"),
        ({"table": ""}, "table or column"),
        ({"table": "t" * 64}, "table or column"),
        ({"table": "t\0"}, "table or column"),
        ({"column": "\ud800"}, "table or column"),
        ({"column": None}, "column"),
        ({"keep": timedelta(days=89)}, "keeps less than 90 days"),
        ({"keep": timedelta(days=40_000)}, "100 years"),
        ({"least": timedelta(0)}, "keeps less"),
        ({"how": "hard_delete"}, "for good"),
        ({"how": "never"}, "removes nothing"),
        ({"max_rows": -1}, "bounds"),
        ({"max_share": Decimal("1.1")}, "bounds"),
    ],
)
def test_a_wrong_policy_is_refused(change: dict[str, Any], word: str) -> None:
    with pytest.raises(PolicyRefused, match=word) as refused:
        replace(SIGNALS, **change)
    assert refused.value.exit_code == 78


@pytest.mark.parametrize("table", sorted(KEPT_FOREVER))
def test_no_policy_is_about_what_is_kept_for_ever(table: tuple[str, str]) -> None:
    with pytest.raises(PolicyRefused, match="kept for ever"):
        RetentionPolicy(
            name="mine", schema=table[0], table=table[1], column="at", keep=timedelta(days=9000)
        )


def test_the_ledger_is_kept_for_longer_than_the_rows_that_ask_it() -> None:
    assert declared_policies(settings(keep_runs_days=90, keep_finished_days=89))
    with pytest.raises(PolicyRefused, match="no longer than"):
        declared_policies(settings(keep_runs_days=90, keep_finished_days=90))
    with pytest.raises(SettingsError, match="RETENTION_LEDGER_DAYS"):
        settings(keep_runs_days=89)


def step(rows: int, of_rows: int) -> Step:
    return Step(
        policy="p", table="t", cutoff=None, seen=None, rows=rows, of_rows=of_rows, oldest=None,  # type: ignore[arg-type]
        newest=None, bytes=0, upto_id=None, partitions=[], referenced_by=[],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "of_rows", "word"),
    [
        (9_999, 9_999, None),
        (10_000, 40_000, None),
        (10_001, 40_000, "max_share"),
        (10_000_000, 10**9, None),
        (10_000_001, 10**9, "max_rows"),
    ],
)
def test_bounds(rows: int, of_rows: int, word: str | None) -> None:
    problem = out_of_bounds(step(rows, of_rows), EVENTS)
    assert problem is None if word is None else problem and word in problem


def test_every_worker_knows_the_job_and_a_setting_schedules_it() -> None:
    assert str(load_jobs("queue_worker.jobs:registry", ()).get("retention").schedule) == "manual"
    scheduled = with_housekeeping(first_party, settings(retention_schedule="30 3 * * *"))
    assert str(scheduled.get("retention").schedule) == "cron 30 3 * * * (UTC)"
    assert with_housekeeping(scheduled).names == scheduled.names
    with pytest.raises(SettingsError, match="RETENTION_SCHEDULE is refused: it has a bad cron"):
        with_housekeeping(first_party, settings(retention_schedule="every day"))


def test_a_job_of_theirs_with_our_name_is_refused() -> None:
    theirs = JobRegistry([first_party.get("insight_engine").replace(name="retention")])
    with pytest.raises(DefinitionError, match=r"of the queue itself.* Rename yours"):
        with_housekeeping(theirs)


def test_what_stopped_a_run_is_said_by_plan_and_policy() -> None:
    stopped = RetentionStopped({3: {"analytics_event": "too many"}, 4: {"analytics_signal": "x"}})
    assert "Plan 3 was not carried out in full: analytics_event: too many." in str(stopped)
    assert "`queue-worker retention apply 4`" in str(stopped)


def test_the_job_goes_on_after_one_part_was_stopped() -> None:
    def stopped() -> int:
        raise RetentionStopped({1: {"analytics_event": "too many"}})

    done: list[int] = []
    with pytest.raises(RetentionStopped, match="too many"):
        retention._all_of(stopped, lambda: done.append(1) or 1)  # type: ignore[func-returns-value]
    assert done == [1]
    assert retention._all_of(lambda: 2, lambda: 3) == 5


def test_the_ledger_policy_is_off_until_a_setting_says_how_long() -> None:
    assert not LEDGER.is_active
    assert LEDGER.keeping(timedelta(days=400)).is_active
