"""What docs/JOBS.md says of each job that the registry knows as well.

python -m tests.support.jobs_page    writes it into the page anew
"""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

from queue_worker import JobDefinition, JobRegistry
from queue_worker.housekeeping import with_housekeeping
from queue_worker.jobs import first_party

PAGE = Path(__file__).resolve().parents[2] / "docs" / "JOBS.md"
BEGIN, END = "<!-- from its definition: begin -->\n", "<!-- from its definition: end -->\n"
_SECTION = re.compile(rf"^## (?P<name>[\w.]+)\n\n{BEGIN}.*?{END}", re.DOTALL | re.MULTILINE)


def documented_jobs() -> JobRegistry:
    """The jobs that the page is about: ours, and those of every worker."""
    return with_housekeeping(first_party)


def render(page: str) -> str:
    """The page with what the definitions say."""
    jobs = documented_jobs()
    return _SECTION.sub(lambda found: _section(jobs.get(found["name"])), page)


def _section(job: JobDefinition[Any]) -> str:
    rows = "\n".join(f"| {what} | {fact} |" for what, fact in _facts(job).items())
    return (
        f"## {job.name}\n\n{BEGIN}{job.description}\n\n| | |\n|---|---|\n{rows}\n\n"
        f"```sh\nqueue-worker run {job.name} --wait\n```\n{END}"
    )


def _facts(job: JobDefinition[Any]) -> dict[str, str]:
    return {
        "owner": job.owner,
        "due": str(job.schedule),
        "may take": f"{_duration(job.timeout)}, then it is ended",
        "one at a time by": f"lock key `{job.lock_key}`",
        "tried again": f"up to {job.retry.attempts} times" if job.retry else "never by itself",
        "cut off by a stop or a death": "run again by itself" if job.restartable else "ends there",
        "ticks without a worker": _catch_up(job),
        "arguments": _arguments(job),
        "works in": "the worker" if job.is_async else "a child process",
        "queue": f"`{job.queue}`",
    }


def _duration(time: timedelta) -> str:
    hours = time / timedelta(hours=1)
    return f"{hours:g} h" if hours >= 1 else f"{time / timedelta(minutes=1):g} min"


def _catch_up(job: JobDefinition[Any]) -> str:
    if not job.is_scheduled:
        return "there are none"
    return {0: "none is run later", 1: "the latest is run later"}.get(
        job.catch_up, f"the latest {job.catch_up} are run later"
    )


def _arguments(job: JobDefinition[Any]) -> str:
    return ", ".join(f"`{name}`" for name in job.args.model_fields) if job.args else "none"


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text()))
