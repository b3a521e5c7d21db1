"""Hardened background jobs for Python on nothing but Postgres."""

from queue_worker.context import JobContext
from queue_worker.definitions import JobDefinition, RetryPolicy
from queue_worker.errors import QueueWorkerError
from queue_worker.queue.client import QueueClient, SyncQueueClient
from queue_worker.queue.requests import EnqueueAnswer, EnqueueRequest
from queue_worker.registry import JobRegistry, load_registry
from queue_worker.schedules import cron, every, manual
from queue_worker.settings import Settings, load_settings

__all__ = [
    "EnqueueAnswer",
    "EnqueueRequest",
    "JobContext",
    "JobDefinition",
    "JobRegistry",
    "QueueClient",
    "QueueWorkerError",
    "RetryPolicy",
    "Settings",
    "SyncQueueClient",
    "cron",
    "every",
    "load_registry",
    "load_settings",
    "manual",
]
