"""What was measured, as one flat list: easy to write, to read and to compare."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

FORMAT = 1
_PACKAGES = ("queue-worker", "procrastinate", "pgqueuer", "psycopg", "asyncpg", "uvloop")


@dataclass(frozen=True, kw_only=True)
class Sample:
    """One figure of one round.

    Attributes:
        measurement: which kind, such as `drain`.
        case: what varies within it, such as `1 worker`.
        system: whose figure it is.
        round: figures of one round were taken close together and may be compared.
        metric: what was measured, its unit last, such as `jobs_per_s`.
        value: how much.
    """

    measurement: str
    case: str
    system: str
    round: int
    metric: str
    value: float


@dataclass
class Results:
    """All samples of one call, and what they depend on."""

    conditions: dict[str, object] = field(default_factory=dict)
    samples: list[Sample] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    has_failed: bool = False

    def write(self, path: Path) -> None:
        """Write everything as JSON."""
        data = {
            "format": FORMAT,
            "conditions": self.conditions,
            "notes": self.notes,
            "samples": [asdict(sample) for sample in self.samples],
        }
        path.write_text(json.dumps(data, indent=1) + "\n")

    @classmethod
    def read(cls, path: Path) -> Results:
        """What `write` has written."""
        data = json.loads(path.read_text())
        return cls(data["conditions"], [Sample(**item) for item in data["samples"]], data["notes"])


def machine() -> dict[str, object]:
    """The machine, the time, and the versions of what is compared."""
    return {
        "taken_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "cpus": os.cpu_count(),
        "load_before": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "kernel": platform.release(),
        "versions": dict(_installed(_PACKAGES)),
    }


def _installed(packages: Iterable[str]) -> Iterable[tuple[str, str]]:
    for package in packages:
        try:
            yield package, version(package)
        except PackageNotFoundError:
            continue
