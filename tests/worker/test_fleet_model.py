"""The model of what a fleet costs agrees with real workers."""

from __future__ import annotations

import pytest

from tests.support.fleet_model import measure, predict

POLL_INTERVAL = 2.0  # the default


@pytest.mark.slow
def test_two_idle_workers_cost_what_the_model_says(database: str) -> None:
    model = predict(2, POLL_INTERVAL)
    found = []
    for _ in range(3):  # a worker that a busy machine holds up is suspected, and that costs looks
        real = measure(database, 2, 8)
        assert real.connections == model.connections
        found.append(real)
        if (
            real.advisory_locks == model.advisory_locks  # one more while a worker is suspected
            and _agree(real.transactions, model.transactions)
            and _agree(real.busy_transactions, model.busy_transactions)
        ):
            return
    raise AssertionError(f"{found} is not as the model says: {model}")


def _agree(real: float, expected: float) -> bool:
    """A machine with much to do makes every loop late: less is said."""
    return 0.6 < real / expected < 1.15
