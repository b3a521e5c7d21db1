"""The systems that are installed here, in the order in which they are named."""

from __future__ import annotations

from collections.abc import Sequence
from importlib.util import find_spec

from tests.benchmarks.plan import SYSTEMS, Plan
from tests.benchmarks.server import CannotMeasureError
from tests.benchmarks.systems.base import System
from tests.benchmarks.systems.ours import Ours
from tests.benchmarks.systems.plain import Plain

_NEEDED = ("pgqueuer", "asyncpg", "uvloop")
REMEDY = "pip install --require-hashes -r requirements/benchmark.txt (or: make benchmark)"


def find_systems(plan: Plan) -> tuple[list[System], list[str]]:
    """The wanted systems, and a note on each that is not installed.

    Raises:
        CannotMeasureError: a system is not known, or none of the wanted ones is here.
    """
    known, notes = _known(plan)
    for wanted in plan.systems:
        if not wanted or not any(name.startswith(wanted) for name in (*SYSTEMS, *known)):
            raise CannotMeasureError(
                f"No system is called {wanted!r}; --systems takes: {', '.join(SYSTEMS)}"
            )
    found = [known[name] for name in known if name.startswith(tuple(plan.systems))]
    if not found:
        raise CannotMeasureError(f"Nothing to measure: {' '.join(notes)}")
    return found, notes


def _known(plan: Plan) -> tuple[dict[str, System], list[str]]:
    systems: Sequence[System] = [Ours(plan.concurrency), Plain()]
    notes = []
    if any(wanted.startswith("pgqueuer") for wanted in plan.systems):
        missing = [package for package in _NEEDED if find_spec(package) is None]
        if missing:
            notes.append(
                f"pgqueuer is left out: {', '.join(missing)} not installed. Remedy: {REMEDY}."
            )
        else:
            from tests.benchmarks.systems.pgqueuer import Pgqueuer  # noqa: PLC0415  optional

            systems = [*systems, Pgqueuer("psycopg", 5, 100), Pgqueuer("asyncpg", 1, 500)]
    return {system.name: system for system in systems}, notes
