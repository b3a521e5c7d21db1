"""The wheel as it is published, and the packages that it needs, for a virtual environment."""

from __future__ import annotations

import site
import subprocess
import sys
from pathlib import Path

from tests.support.processes import REPOSITORY

# What the environment of the tests has, and an empty one has not, or has of its own.
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


def link_dependencies(folder: Path) -> Path:
    """A folder with all that is installed here but queue_worker: as if it had been installed there."""
    folder.mkdir()
    for path in Path(site.getsitepackages()[0]).iterdir():
        if not path.name.startswith((*_OURS, *_PIP)) and path.suffix != ".pth":
            (folder / path.name).symlink_to(path)
    return folder
