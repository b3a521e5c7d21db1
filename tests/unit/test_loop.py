"""Which event loop a worker gets."""

from __future__ import annotations

from typing import Any

import pytest

from queue_worker import load_settings
from queue_worker.errors import SettingsError
from queue_worker.worker import loop


def module_of(event_loop: str) -> str:
    settings = load_settings(database_url="postgresql://h/d", event_loop=event_loop)
    with loop.new_runner(settings) as runner:
        return type(runner.get_loop()).__module__


def test_asyncio_is_had_for_the_asking() -> None:
    assert module_of("asyncio").startswith("asyncio")


@pytest.mark.parametrize("event_loop", ["auto", "uvloop"])
def test_uvloop_is_taken_where_it_is_installed(event_loop: str) -> None:
    pytest.importorskip("uvloop")
    assert module_of(event_loop).startswith("uvloop")


def without_uvloop(monkeypatch: pytest.MonkeyPatch) -> None:
    def find_spec(_: str) -> Any:
        return None

    monkeypatch.setattr(loop, "find_spec", find_spec)


def test_without_uvloop_auto_takes_asyncio(monkeypatch: pytest.MonkeyPatch) -> None:
    without_uvloop(monkeypatch)
    assert module_of("auto").startswith("asyncio")


def test_uvloop_that_is_not_installed_is_refused_with_the_remedy(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    without_uvloop(monkeypatch)
    with pytest.raises(SettingsError, match=r"queue-worker\[uvloop\]"):
        module_of("uvloop")
