"""What our worker itself costs a job that does nothing, and which part of it."""

from __future__ import annotations

import tempfile
from pathlib import Path

from tests.benchmarks import board as boards
from tests.benchmarks.board import Board
from tests.benchmarks.drain import Drained, calibrate, drain_new
from tests.benchmarks.measuring import Measuring, say
from tests.benchmarks.profiled import profile
from tests.benchmarks.runner_alone import microseconds_per_run
from tests.benchmarks.systems.ours import Ours
from tests.benchmarks.systems.ours_without import PARTS, OursWithout


def measure_overhead(measuring: Measuring) -> None:
    """Ours alone: the runner without a database, whole workers and such that lack parts, a profile."""
    ours = next((system for system in measuring.systems if isinstance(system, Ours)), None)
    if ours is None:
        say("overhead is measured of our own worker only: add `ours` to --systems")
        return
    jobs = calibrate(measuring, ours)
    for number in range(measuring.plan.rounds):
        runner = _runner_alone(measuring.plan.calls)
        drained = drain_new(measuring, ours, jobs=jobs)
        whole = _cpu(drained)
        measuring.add(
            "overhead", "no-op job", ours, number, runner_cpu_us_per_job=runner,
            worker_cpu_us_per_job=drained.per_job(drained.worker_cpu),
            server_cpu_us_per_job=drained.per_job(drained.server_cpu),
            runner_percent_of_whole=None if whole is None else runner / whole * 100,
        )  # fmt: skip
        for parts in (*((part,) for part in PARTS), PARTS):
            rest = _cpu(drain_new(measuring, OursWithout(ours, parts), jobs=jobs))
            if whole is not None and rest is not None:
                measuring.add(
                    "overhead", f"without {', '.join(parts)}", ours, number,
                    cpu_us_less_per_job=whole - rest,
                    percent_less_of_whole=(whole - rest) / whole * 100,
                )  # fmt: skip
    for part, percent in profile(measuring, ours, jobs).items():
        measuring.add("overhead", f"profile: {part}", ours, 0, percent=percent)


def _cpu(drained: Drained) -> float | None:
    """CPU microseconds of worker and server for each job."""
    worker, server = map(drained.per_job, (drained.worker_cpu, drained.server_cpu))
    return None if worker is None or server is None else worker + server


def _runner_alone(calls: int) -> float:
    with tempfile.TemporaryDirectory(prefix="benchmark-") as folder:
        path = Path(folder) / "board"
        Board.create(path).close()
        with boards.given_to_this_process(path):
            return microseconds_per_run(calls)
