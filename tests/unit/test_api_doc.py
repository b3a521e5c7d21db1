"""docs/API.md has all that may be imported, and all of it says what it is."""

from __future__ import annotations

import inspect
import re

import pytest

import queue_worker
import queue_worker.errors
import queue_worker.testing
from tests.support.processes import REPOSITORY

PAGE = (REPOSITORY / "docs" / "API.md").read_text()
FIXTURES = {name for name in queue_worker.testing.__all__ if name.startswith(("queue", "pytest_"))}


@pytest.mark.parametrize("module", [queue_worker, queue_worker.testing])
def test_what_is_public_is_on_the_page(module: object) -> None:
    shown = set(re.findall(r"^\.\. auto(?:class|function):: (\w+)", PAGE, flags=re.MULTILINE))
    public = set(module.__all__) - FIXTURES - set(vars(queue_worker.errors))  # type: ignore[attr-defined]
    assert public - shown == set()


@pytest.mark.parametrize("module", [queue_worker, queue_worker.testing])
def test_what_is_public_says_what_it_is(module: object) -> None:
    silent = [
        f"{name}.{part}" if part else name
        for name in module.__all__  # type: ignore[attr-defined]
        for part, found in [("", getattr(module, name)), *_parts(getattr(module, name))]
        if not name.startswith("pytest_") and not inspect.getdoc(found)
    ]
    assert silent == []


def _parts(thing: object) -> list[tuple[str, object]]:
    """The public methods and properties that a class of ours declares itself."""
    if not inspect.isclass(thing) or not thing.__module__.startswith("queue_worker"):
        return []
    return [
        (name, part)
        for name, part in vars(thing).items()
        if not name.startswith("_") and (inspect.isfunction(part) or isinstance(part, property))
    ]
