"""An older version of this project, taken out of its history, to work beside this one."""

from __future__ import annotations

import io
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.support.processes import REPOSITORY


def check_out(commit: str, folder: Path) -> Path:
    """The tree of this commit, in this folder; skips the test where the history is not there."""
    done = subprocess.run(
        ["git", "-c", f"safe.directory={REPOSITORY}", "archive", commit, "queue_worker", "sql", "tests"],
        cwd=REPOSITORY, capture_output=True, check=False,
    )  # fmt: skip
    if done.returncode:
        pytest.skip(f"commit {commit} is not in this checkout: a shallow one has no older version")
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder
