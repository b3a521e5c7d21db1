"""A process whose wall clock is wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

LIBRARIES = list(Path("/usr/lib").glob("*/faketime/libfaketime.so.1"))
needs_faketime = pytest.mark.skipif(not LIBRARIES, reason="libfaketime is not installed")


def with_clock(env: dict[str, str], offset: str | Path) -> dict[str, str]:
    """The environment of a process whose wall clock is wrong; its monotonic clock is not.

    The offset may stand in a file: written anew, it makes the clock jump.
    """
    is_file = isinstance(offset, Path)
    return env | {
        "LD_PRELOAD": str(LIBRARIES[0]),
        "FAKETIME_TIMESTAMP_FILE" if is_file else "FAKETIME": str(offset),
        "FAKETIME_NO_CACHE": "1",
        "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        "DONT_FAKE_MONOTONIC": "1",
    }
