"""The measurements by name, and how one call goes through them."""

from __future__ import annotations

from collections.abc import Callable

from tests.benchmarks.drain import measure_drain
from tests.benchmarks.enqueue import measure_enqueue
from tests.benchmarks.fleet import MeasurementError
from tests.benchmarks.growth import measure_growth
from tests.benchmarks.idle import measure_idle
from tests.benchmarks.lock import measure_lock
from tests.benchmarks.measuring import Measuring, say
from tests.benchmarks.overhead import measure_overhead
from tests.benchmarks.pickup import measure_pickup
from tests.benchmarks.plan import CASES, Plan
from tests.benchmarks.samples import Results, machine
from tests.benchmarks.server import BenchmarkServer, CannotMeasureError
from tests.benchmarks.systems.found import find_systems

BY_NAME: dict[str, Callable[[Measuring], None]] = {
    "drain": measure_drain,
    "enqueue": measure_enqueue,
    "pickup": measure_pickup,
    "growth": measure_growth,
    "lock": measure_lock,
    "idle": measure_idle,
    "overhead": measure_overhead,
}


def measure(plan: Plan, server: BenchmarkServer, results: Results) -> None:
    """Take all measurements of the plan; what is known so far stands in the results.

    Raises:
        CannotMeasureError: the plan names something that is not there.
    """
    unknown = [name for name in plan.measurements if name not in BY_NAME]
    if unknown or not set(plan.cases) <= set(CASES):
        raise CannotMeasureError(
            f"Measurements are: {', '.join(BY_NAME)}; --cases of growth are: {', '.join(CASES)}"
        )
    systems, notes = find_systems(plan)
    results.notes.extend(notes)
    for note in notes:
        say(note)
    results.conditions.update(machine())
    results.conditions["server"] = server.conditions()
    results.conditions["settings"] = {system.name: system.settings for system in systems}
    measuring = Measuring(plan, server, systems, results)
    for name in plan.measurements or BY_NAME:
        try:
            BY_NAME[name](measuring)
        except MeasurementError as error:  # the others may still go well
            measuring.note(f"{name} was broken off: {error}")
            results.has_failed = True
