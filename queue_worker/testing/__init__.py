"""A pytest plugin for projects with jobs: a database, what is enqueued, the real runner, a clock.

Switched on in the outermost `conftest.py` by `pytest_plugins = ["queue_worker.testing"]`; nothing
is loaded where nobody asks. docs/TESTING.md shows it at work.

PYTEST_DONT_REWRITE: a conftest may import it before pytest does, and no assertion stands here.
"""

from queue_worker.execution.outcome import Outcome
from queue_worker.execution.run import EndedRun
from queue_worker.observability.alerts.message import AlertMessage
from queue_worker.testing.clock import Clock
from queue_worker.testing.enqueued import EnqueuedJob
from queue_worker.testing.fixtures import (
    queue,
    queue_database,
    queue_prepare_database,
    queue_registry,
    queue_server,
    queue_settings,
    queue_template,
)
from queue_worker.testing.harness import QueueHarness
from queue_worker.testing.server import (
    pytest_addoption,
    pytest_configure_node,
    pytest_unconfigure,
)

__all__ = [
    "AlertMessage",
    "Clock",
    "EndedRun",
    "EnqueuedJob",
    "Outcome",
    "QueueHarness",
    "pytest_addoption",
    "pytest_configure_node",
    "pytest_unconfigure",
    "queue",
    "queue_database",
    "queue_prepare_database",
    "queue_registry",
    "queue_server",
    "queue_settings",
    "queue_template",
]
