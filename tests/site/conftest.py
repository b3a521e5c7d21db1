"""The site, built as `make site` builds it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.processes import REPOSITORY

BUILD = "-m sphinx --fail-on-warning --keep-going --quiet --conf-dir docs/site docs"


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of the built site; each of its warnings is an error."""
    pytest.importorskip("sphinx", reason="no Sphinx here: make dev")
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, *BUILD.split(), str(folder)], cwd=REPOSITORY, capture_output=True,
        text=True, check=False, timeout=240,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder
