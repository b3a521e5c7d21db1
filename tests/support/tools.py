"""Programs that tests use where they are: the development tools, and those of the machine."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def tool(name: str) -> str:
    """Where this program is; the test is skipped without it."""
    found = shutil.which(name, path=str(Path(sys.executable).parent)) or shutil.which(name)
    if found is None:
        pytest.skip(f"{name} is not on this machine")
    return found


def accepts(name: str, *arguments: object) -> str:
    """What a program prints that has nothing to object."""
    done = subprocess.run(
        [tool(name), *map(str, arguments)], capture_output=True, text=True, cwd=ROOT, timeout=60,
        check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said
