from __future__ import annotations

import random
from datetime import UTC, date, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from queue_worker.definitions import JobDefinition
from queue_worker.demo.events import DAYS, DECLINES, sample_events
from queue_worker.demo.template_generator import generate
from queue_worker.jobs import first_party, registry
from queue_worker.jobs.generator import GenerationRequest, checked_text
from queue_worker.jobs.signal_generator import SignalArgs
from queue_worker.registry import JobRegistry, load_registry

UNTIL = date(2026, 11, 24)


def test_the_default_registry_holds_the_five_jobs() -> None:
    assert load_registry("queue_worker.jobs:registry") is registry
    assert {job.name: str(job.schedule) for job in registry} == {
        "analytics_aggregator": "every 0:05:00",
        "signal_generator": "every 0:15:00",
        "insight_engine": "every 1:00:00",
        "regeneration_worker": "every 0:10:00",
        "retry_executor": "every 0:10:00",
    }


@pytest.mark.parametrize("job", list(first_party), ids=lambda job: job.name)
def test_every_job_says_who_answers_for_it(job: JobDefinition[Any]) -> None:
    assert job.owner == "content-platform"
    assert job.runbook == f"docs/JOBS.md#{job.name}"
    assert job.lock_key == job.name
    assert job.retry is None
    assert job.description


def test_a_registry_of_ones_own_takes_them_in() -> None:
    own = JobRegistry()
    own.include(first_party)
    assert own.names == first_party.names


def test_only_the_generator_runs_in_a_child_process() -> None:
    assert [job.name for job in first_party if not job.is_async] == ["regeneration_worker"]


def test_signal_arguments_refuse_what_they_do_not_know() -> None:
    assert SignalArgs().as_of is None
    with pytest.raises(ValidationError):
        SignalArgs.model_validate({"as_off": "2026-11-24"})


def test_sample_events_are_the_same_for_the_same_seed() -> None:
    events = list(sample_events(UNTIL, 1))
    assert list(sample_events(UNTIL, 1)) == events
    assert list(sample_events(UNTIL, 2)) != events
    assert 45_000 < len(events) < 60_000


def test_sample_events_lie_in_the_sixty_days_before() -> None:
    days = {event.occurred_at.date() for event in sample_events(UNTIL)}
    assert days == {UNTIL - timedelta(days=age) for age in range(1, DAYS + 1)}


def test_sample_events_do_not_touch_the_global_random_numbers() -> None:
    random.seed(1)
    expected = random.random()
    random.seed(1)
    list(sample_events(UNTIL))
    assert random.random() == expected


def test_every_visit_begins_with_a_view_on_its_own_day() -> None:
    views, others = set(), set()
    for event in sample_events(UNTIL):
        visit = event.content_id, event.learner_id, event.occurred_at.astimezone(UTC).date()
        (views if event.event_type == "view" else others).add(visit)
    assert others <= views


@pytest.mark.parametrize("kind", sorted(DECLINES.values()))
def test_the_template_generator_writes_a_text_for_every_kind(kind: str) -> None:
    request = GenerationRequest(
        request_id=1, content_id="c1", kind=kind, summary="it fell", evidence=[]
    )
    text = checked_text(generate(request))
    assert "c1" in text
    assert "it fell" in text
