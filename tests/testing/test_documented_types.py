"""What the documentation shows passes a strict type check, against the API as it is published."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.blocks import Block, read_blocks, write_files
from tests.support.pages import PAGES
from tests.support.processes import REPOSITORY

CONFIGURATION = """
[mypy]
strict = true
plugins = pydantic.mypy
explicit_package_bases = true
[mypy-django.*]
ignore_missing_imports = true
[mypy-with_django,shop.models]
disallow_subclassing_any = false
"""

# Kept, as most of the time goes into the libraries.
CACHE = REPOSITORY / ".mypy_cache" / "documented"


def check_types(folder: Path) -> subprocess.CompletedProcess[str]:
    (folder / "mypy.ini").write_text(CONFIGURATION)
    return subprocess.run(
        [sys.executable, "-m", "mypy", "--config-file", "mypy.ini", "--cache-dir", CACHE, "."],
        cwd=folder, capture_output=True, text=True, timeout=110, check=False,
    )  # fmt: skip


def python_of(page: Path) -> list[Block]:
    return [block for block in read_blocks(page) if block.language == "python"]


@pytest.mark.parametrize("page", [*filter(python_of, PAGES)], ids=lambda page: page.name)
def test_the_blocks_of_a_page(page: Path, tmp_path: Path) -> None:
    blocks = python_of(page)
    write_files(blocks, tmp_path)
    for number, block in enumerate(block for block in blocks if block.file is None):
        write_files([Block("python", f"# block_{number}.py\n{block.text}")], tmp_path)
    done = check_types(tmp_path)
    assert done.returncode == 0, done.stdout


def test_the_example(tmp_path: Path) -> None:
    shop = tmp_path / "shop"
    shutil.copytree(REPOSITORY / "docs" / "examples" / "shop", shop)
    done = check_types(shop)
    assert done.returncode == 0, done.stdout


WRONG = {
    "queue.enqueue(greet, Other(size=1))": "Cannot infer value of type parameter",
    "queue.enqueue(greet, Greeting())": 'Missing named argument "name"',
    'queue.enqueue(greet, Greeting(name="Ada"), delay=5)': 'expected "timedelta | None"',
    'queue.enqueue(greet, Greeting(name="Ada"), later=True)': 'Unexpected keyword argument "later"',
    'registry.job("other", args=Other, timeout=timedelta(1))(take_greeting)': "incompatible type",
    "harness.assert_enqueued(greet, args=Other(size=1))": "Cannot infer value of type parameter",
    "harness.clock.advance(5)": 'expected "timedelta"',
}
RIGHT = """
from datetime import timedelta
from pydantic import BaseModel
from queue_worker import JobContext, JobRegistry, SyncQueueClient, load_settings
from queue_worker.testing import QueueHarness

registry = JobRegistry()

class Greeting(BaseModel):
    name: str

class Other(BaseModel):
    size: int

async def take_greeting(ctx: JobContext, args: Greeting) -> None: ...

greet = registry.job("greet", args=Greeting, timeout=timedelta(1))(take_greeting)
queue = SyncQueueClient(registry, load_settings())
harness = QueueHarness(registry, load_settings())
"""


def test_what_is_wrong_is_seen(tmp_path: Path) -> None:
    """The types of the API say something: they are not Any all the way."""
    (tmp_path / "wrong.py").write_text(RIGHT + "\n".join(WRONG))
    done = check_types(tmp_path)
    errors = [line for line in done.stdout.splitlines() if ": error: " in line]
    first = len(RIGHT.splitlines()) + 1
    for number, (wrong, message) in enumerate(WRONG.items(), start=first):
        (found,) = [error for error in errors if error.startswith(f"wrong.py:{number}: ")]
        assert message in found, wrong
    assert len(errors) == len(WRONG)
