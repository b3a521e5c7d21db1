"""What all measurements are given: the plan, the server, the systems, and where results go."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.benchmarks.plan import Plan
from tests.benchmarks.samples import Results, Sample
from tests.benchmarks.server import BenchmarkServer
from tests.benchmarks.systems.base import System


@dataclass
class Measuring:
    """One call of the benchmark."""

    plan: Plan
    server: BenchmarkServer
    systems: list[System]
    results: Results
    rates: dict[str, float] = field(default_factory=dict)  # jobs a second, as known so far

    def turns(self) -> Iterator[tuple[int, System]]:
        """Every system once a round; each round begins with another one."""
        for number in range(self.plan.rounds):
            shift = number % len(self.systems)
            for system in self.systems[shift:] + self.systems[:shift]:
                yield number, system

    @contextmanager
    def database(self, system: System) -> Iterator[str]:
        """A new database with the tables of this system."""
        with self.server.database(system.name, system.create) as dsn:
            yield dsn

    def note(self, text: str) -> None:
        """Something that the reader of the results must know."""
        self.results.notes.append(text)
        say(text)

    def add(
        self, measurement: str, case: str, system: System, number: int, **metrics: float | None
    ) -> None:
        """Keep the figures of one measurement; None is what could not be measured."""
        known = {metric: value for metric, value in metrics.items() if value is not None}
        self.results.samples.extend(
            Sample(
                measurement=measurement, case=case, system=system.name, round=number,
                metric=metric, value=value,
            )
            for metric, value in known.items()
        )  # fmt: skip
        figures = ", ".join(f"{metric} {value:,.1f}" for metric, value in known.items())
        say(f"{measurement} {case}, round {number + 1}, {system.name}: {figures}")


def say(text: str) -> None:
    """Tell how far it has come, on standard error."""
    print(text, file=sys.stderr, flush=True)  # noqa: T201  a command
