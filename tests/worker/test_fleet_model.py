"""The model of what a fleet costs agrees with real workers."""

from __future__ import annotations

import pytest

from tests.support.fleet_model import measure, predict

POLL_INTERVAL = 2.0  # the default


@pytest.mark.slow
def test_two_idle_workers_cost_what_the_model_says(database: str) -> None:
    model, real = predict(2, POLL_INTERVAL), measure(database, 2, 8)
    assert real.connections == model.connections
    assert real.advisory_locks == model.advisory_locks
    # A machine with much to do makes every loop late: less is said, never more.
    for said, expected in (
        (real.transactions, model.transactions),
        (real.busy_transactions, model.busy_transactions),
    ):
        assert 0.6 < said / expected < 1.15, (real, model)
