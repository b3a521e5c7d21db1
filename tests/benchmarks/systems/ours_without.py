"""Our worker with parts of it taken out, to see by the difference what they take."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from typing import Any, LiteralString, cast

import psycopg

from queue_worker import session
from queue_worker.execution.deadlines import Deadlines
from queue_worker.observability.observer import RunObserver
from queue_worker.statements import positional_statement
from tests.benchmarks.systems import procrastinate_tables as tables
from tests.benchmarks.systems.ours import Ours
from tests.benchmarks.systems.ours_jobs import registry as registry  # noqa: PLC0414  for the worker

PARTS = ("deadline", "ledger", "metrics")  # a job without a lock key has no lock to take out
_WITHOUT = "BENCHMARK_WITHOUT"
_LEDGER = re.compile(r", written AS \(.*?\n\)(?=\nSELECT)", re.DOTALL)


class OursWithout(Ours):
    """A real worker process that lacks these parts."""

    def __init__(self, whole: Ours, parts: Sequence[str]) -> None:
        super().__init__(whole.concurrency)
        self._parts = parts

    def worker(self, dsn: str, concurrency: int | None) -> tuple[Sequence[str], dict[str, str]]:
        command, env = super().worker(dsn, concurrency)
        without = {"QUEUE_WORKER_APP": f"{__name__}:registry", _WITHOUT: ",".join(self._parts)}
        return command, env | without

    def finished(self, connection: psycopg.Connection[Any]) -> dict[str, int]:
        whole = super().finished(connection)
        return tables.finished(connection) if "ledger" in self._parts else whole


def _take_out(parts: Sequence[str]) -> None:
    """In this process, which is a worker."""
    if "deadline" in parts:
        Deadlines.add = Deadlines.discard = _set_none  # type: ignore[method-assign]
    if "metrics" in parts:
        RunObserver.started = RunObserver.ended = _observe_nothing  # type: ignore[method-assign]
    if "ledger" in parts:
        session.positional_statement = _without_ledger  # type: ignore[assignment]


def _set_none(_deadlines: Deadlines, _execution: object, _timeout: float) -> None: ...


def _observe_nothing(_observer: RunObserver, _run: object) -> None: ...


def _without_ledger(name: str) -> tuple[LiteralString, tuple[str, ...]]:
    text, names = positional_statement(name)
    return (_CUT if name == "close_runs" else text), names


_CUT = cast("LiteralString", _LEDGER.sub("", positional_statement("close_runs")[0]))
assert "queue_worker.run" not in _CUT, (
    "close_runs writes the ledger in a way that is not known here"
)
_take_out(os.environ.get(_WITHOUT, "").split(","))
