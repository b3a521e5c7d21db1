"""What a worker knows of itself, for its endpoints: facts that its loops keep, never a question.

Each probe reads such a fact from another thread, at once: it asks nobody and waits for nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

Probe = Callable[[], str | None]


@dataclass(frozen=True, slots=True)
class Report:
    """What the probes said.

    Attributes:
        problems: for each part, what is wrong with it; None if nothing is.
    """

    problems: Mapping[str, str | None]

    @property
    def ok(self) -> bool:
        """Whether nothing is wrong."""
        return not any(self.problems.values())


class Health:
    """The probes of one process; without one, it has not started yet."""

    def __init__(self) -> None:
        self._live: Mapping[str, Probe] = {}
        self._ready: Mapping[str, Probe] = {"start": lambda: "the worker has not started yet"}

    def watch(self, *, live: Mapping[str, Probe], ready: Mapping[str, Probe]) -> None:
        """From now on these are asked.

        Args:
            live: what only a restart can put right.
            ready: what keeps the worker from taking up jobs.
        """
        self._live, self._ready = live, ready

    def live(self) -> Report:
        """Whether it is of use to let this process go on."""
        return _ask(self._live)

    def ready(self) -> Report:
        """Whether this process takes up jobs now."""
        return _ask(self._ready)


def _ask(probes: Mapping[str, Probe]) -> Report:
    return Report({name: probe() for name, probe in probes.items()})
