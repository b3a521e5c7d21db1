"""One message about an alert, in the forms that people and programs read."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from queue_worker.observability.redaction import redact

MOST_CHARACTERS = 1_000  # of one field; the command shows the rest


@dataclass(frozen=True, slots=True, kw_only=True)
class AlertMessage:
    """What is told of one alert; its texts are safe to show.

    Attributes:
        id: the same however often it is delivered.
        kind: raised or resolved.
        type: what it is about, such as JOB_FAILED.
        fingerprint: the alert; its messages have the same one.
        job: the job it is about, or None.
        subject: the job, queue or host it is about.
        summary: what happened last, in one line.
        run_id: the run that shows more, or None.
        at: when the message was written.
        first_seen_at: when it first happened.
        last_seen_at: when it last happened.
        count: how many times it has happened.
        held_back: how many of them came since the message before, and were not told.
        owner: who answers for the job.
        runbook: where it says what to do.
        command: the command that shows more.
    """

    id: str
    kind: str
    type: str
    fingerprint: str
    job: str | None
    subject: str
    summary: str
    run_id: str | None
    at: datetime
    first_seen_at: datetime
    last_seen_at: datetime
    count: int
    held_back: int
    owner: str
    runbook: str
    command: str

    def __post_init__(self) -> None:
        for name in ("fingerprint", "subject", "summary", "owner", "runbook", "command"):
            object.__setattr__(self, name, presentable(getattr(self, name)))

    @property
    def is_resolved(self) -> bool:
        """Whether it tells of a recovery."""
        return self.kind == "resolved"

    @property
    def title(self) -> str:
        """The message in a few words."""
        return f"{'RESOLVED ' if self.is_resolved else ''}{self.type} {self.subject}"

    @property
    def text(self) -> str:
        """The message for people, a fact a line."""
        facts = {
            "Last": self.summary,
            "Count": self._counts,
            "First seen": _moment(self.first_seen_at),
            "Last seen": _moment(self.last_seen_at),
            "Owner": self.owner,
            "Runbook": self.runbook,
            "More": self.command,
            "Id": self.id,
        }
        return "\n".join([self.title, *(f"{name}: {fact}" for name, fact in facts.items() if fact)])

    @property
    def facts(self) -> dict[str, Any]:
        """The message for programs: JSON values, times as ISO 8601."""
        return {
            name: value.isoformat() if isinstance(value, datetime) else value
            for name, value in asdict(self).items()
        }

    @property
    def _counts(self) -> str:
        held_back = f", {self.held_back:,} of them held back since the last message"
        return f"{self.count:,}{held_back if self.held_back else ''}"


def presentable(text: str) -> str:
    """Text without secrets and without what could steer a terminal or break a line, shortened."""
    shortened = text[: 2 * MOST_CHARACTERS].encode(errors="replace").decode()
    line = " ".join(redact(shortened).split())
    clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
    return clean if len(clean) <= MOST_CHARACTERS else f"{clean[:MOST_CHARACTERS]}…"


def _moment(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%d %H:%M:%S %Z")
