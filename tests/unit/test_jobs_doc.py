"""The runbook that a job's definition points at is there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from queue_worker import JobDefinition
from queue_worker.jobs import first_party

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.mark.parametrize("job", list(first_party), ids=lambda job: job.name)
def test_every_first_party_job_has_its_runbook(job: JobDefinition[Any]) -> None:
    path, _, anchor = job.runbook.partition("#")
    text = (REPOSITORY / path).read_text()
    assert f"\n## {anchor}\n" in text
    assert anchor == job.name
