"""Pytest itself in a process of its own, on a project of somebody's."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.processes import environment

Pytest = Callable[..., str]


@pytest.fixture
def run_pytest(server_dsn: str) -> Pytest:
    """Runs the tests of a folder on our server; they must end well. Returns what was printed."""

    def run(folder: Path, *options: str, ends_with: int = 0, **more: str) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-W", "error",
             "-o", "asyncio_default_fixture_loop_scope=function", *options],
            env=environment(server_dsn, PYTHONDONTWRITEBYTECODE="1", **more), cwd=folder,
            capture_output=True, text=True, timeout=100, check=False, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        assert done.returncode == ends_with, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    return run
