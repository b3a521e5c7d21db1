"""docs/JOBS.md tells of every job, and says what its definition says; its runbook is there."""

from __future__ import annotations

from typing import Any

import pytest

from queue_worker import JobDefinition
from tests.support.blocks import sections_of
from tests.support.jobs_page import PAGE, documented_jobs, render
from tests.support.pages import anchors_of
from tests.support.processes import REPOSITORY

TEXT = PAGE.read_text()
JOBS = list(documented_jobs())


def test_the_page_says_what_the_definitions_say() -> None:
    assert render(TEXT) == TEXT, "stale: python -m tests.support.jobs_page writes it anew"


def test_it_tells_of_every_job_and_no_other() -> None:
    assert set(sections_of(TEXT)) == {job.name for job in JOBS}
    assert TEXT.count("\nqueue-worker run ") > len(JOBS)


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_each_says_what_for_how_long_and_what_when_it_fails(job: JobDefinition[Any]) -> None:
    text = sections_of(TEXT)[job.name]
    for said in ("What for", "How long", "When it fails"):
        assert f"\n**{said}.**" in text
    assert f"| owner | {job.owner} |" in text
    assert f"\nqueue-worker run {job.name} --wait\n" in text


@pytest.mark.parametrize("job", JOBS, ids=lambda job: job.name)
def test_the_runbook_of_each_is_there(job: JobDefinition[Any]) -> None:
    path, _, anchor = job.runbook.partition("#")
    assert not anchor or anchor in anchors_of(REPOSITORY / path)
