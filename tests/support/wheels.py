"""The wheel as it is published, and the packages that it needs, for a virtual environment."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.support.processes import REPOSITORY

# What a new environment has of its own, or is to get.
_OURS = ("queue_worker", "_editable_impl_queue_worker", "__editable__")
_PIP = ("pip", "setuptools", "distutils-precedence.pth", "_distutils_hack")


def build_wheel(folder: Path) -> Path:
    """Build the wheel into this folder."""
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "--target", "wheel", "--directory", str(folder)],
        cwd=REPOSITORY, check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    (wheel,) = folder.glob("*.whl")
    return wheel


def link_dependencies(folder: Path, environment: Path) -> Path:
    """A folder with all that is installed in an environment but queue_worker itself."""
    folder.mkdir()
    (packages,) = environment.glob("lib/python3*/site-packages")
    for path in packages.iterdir():
        if not path.name.startswith((*_OURS, *_PIP)) and path.suffix != ".pth":
            (folder / path.name).symlink_to(path)
    return folder
