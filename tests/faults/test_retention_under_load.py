"""The trial of retention, small; `make retention-trial` is the same with ten million events."""

from __future__ import annotations

import os
from datetime import UTC, datetime

import pytest

from tests.support.retention_trial import Events, Trial

EVENTS = int(os.environ.get("TEST_EVENTS", "60000"))


@pytest.mark.fault("F39")
@pytest.mark.slow
@pytest.mark.parametrize(("partitioned", "kills"), [(False, 2), (True, 0)])
def test_beside_a_writer_exactly_the_right_events_go(
    database: str, partitioned: bool, kills: int
) -> None:
    events = Events(EVENTS, datetime.now(UTC).replace(microsecond=0))
    facts = Trial(database, events, partitioned, kills, quiet_seconds=2).run()
    # Other tests share the machine, so that only a writer who waits for us is told apart here.
    assert facts["writer_p99_ms_meanwhile"] < 2 * facts["writer_p99_ms_quiet"] + 100
