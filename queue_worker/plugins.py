"""What other packages ship for us, by the entry points that they declare; only what is named runs.

`queue_worker.jobs`: each refers to a JobRegistry. `queue_worker.alert_sinks`: each refers to a
callable that makes a sink of alerts; see docs/INTEGRATIONS.md.
"""

from __future__ import annotations

from collections.abc import Callable
from difflib import get_close_matches
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from queue_worker.errors import PluginError
from queue_worker.registry import JobRegistry

JOBS = "queue_worker.jobs"
ALERT_SINKS = "queue_worker.alert_sinks"


def load_plugin(name: str) -> tuple[str, JobRegistry]:
    """Where the jobs of this plugin come from, as package and version; and the jobs.

    Raises:
        PluginError: no installed package has it, or it refers to no registry with a job in it.
    """
    entry = _find(JOBS, name)
    found = _load(entry)
    if not isinstance(found, JobRegistry) or not len(found):
        problem = "holds no job" if isinstance(found, JobRegistry) else "is no JobRegistry"
        raise PluginError(
            JOBS, name, f"of {_package(entry)} refers to {entry.value}, which {problem}", _REPAIR
        )
    return _package(entry), found


def load_alert_sink(name: str) -> Callable[..., Any]:
    """The callable by which a package offers the alert sink of this name.

    Raises:
        PluginError: no installed package has it, or it cannot be called.
    """
    entry = _find(ALERT_SINKS, name)
    found = _load(entry)
    if not callable(found):
        raise PluginError(
            ALERT_SINKS,
            name,
            f"of {_package(entry)} refers to {entry.value}, which cannot be called",
            _REPAIR,
        )
    factory: Callable[..., Any] = found
    return factory


_REPAIR = "Ask its author, or leave it out."


def _find(group: str, name: str) -> EntryPoint:
    found = list(entry_points(group=group, name=name))
    if not found:
        known = sorted(entry.name for entry in entry_points(group=group))
        near = get_close_matches(name, known, n=1)
        hint = f"Did you mean {near[0]!r}? " if near else ""
        raise PluginError(
            group,
            name,
            "is offered by no package that is installed",
            f"{hint}Install the package, or name one of these: {', '.join(known) or 'none'}.",
        )
    if len(found) > 1:
        packages = " and ".join(sorted(map(_package, found)))
        raise PluginError(
            group, name, f"is offered by {packages}", "Uninstall all but one of these packages."
        )
    return found[0]


def _load(entry: EntryPoint) -> object:
    try:
        return entry.load()
    except (Exception, SystemExit) as error:
        raise PluginError(
            entry.group,
            entry.name,
            f"of {_package(entry)} does not import ({type(error).__name__}: {error})",
            _REPAIR,
        ) from error


def _package(entry: EntryPoint) -> str:
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "an unknown package"
