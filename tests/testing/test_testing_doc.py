"""docs/TESTING.md as it stands: its files make a project whose tests pass."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from queue_worker.testing import fixtures
from tests.support.blocks import read_blocks, write_files
from tests.support.processes import REPOSITORY
from tests.testing.conftest import Pytest

PAGE = REPOSITORY / "docs" / "TESTING.md"
BLOCKS = read_blocks(PAGE)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    write_files(BLOCKS, tmp_path)
    return tmp_path


def test_the_project_of_the_page_passes_its_tests(project: Path, run_pytest: Pytest) -> None:
    assert re.search(r"^6 passed", run_pytest(project, "-q"), flags=re.MULTILINE)


def test_tables_are_there_where_they_were_asked_for(project: Path, run_pytest: Pytest) -> None:
    (project / "with_tables" / "test_tables.py").write_text(
        "import psycopg\n"
        "def test_tables(queue_database: str) -> None:\n"
        "    with psycopg.connect(queue_database) as connection:\n"
        "        connection.execute('INSERT INTO account VALUES (1)')\n"
    )
    assert "1 passed" in run_pytest(project, "-q", "with_tables")


def test_without_a_registry_it_says_how_to_name_one(project: Path, run_pytest: Pytest) -> None:
    (project / "pyproject.toml").write_text("[tool.pytest.ini_options]\npythonpath = ['.']\n")
    printed = run_pytest(project, "-q", "test_times.py", ends_with=1)
    assert "Set `queue_worker_app = myapp.jobs:registry` in pytest's configuration" in printed


def test_nothing_is_loaded_where_nobody_asks(tmp_path: Path, run_pytest: Pytest) -> None:
    (tmp_path / "test_other.py").write_text(
        "import sys\n"
        "def test_other() -> None:\n"
        "    assert not [name for name in sys.modules if name.startswith('queue_worker')]\n"
    )
    assert "1 passed" in run_pytest(tmp_path, "-q")


def test_every_fixture_is_in_the_table() -> None:
    ours = {name for name in vars(fixtures) if re.fullmatch(r"queue(_\w+)?", name)}
    assert set(re.findall(r"^\| `(\w+)` \|", PAGE.read_text(), flags=re.MULTILINE)) == ours


def test_every_block_names_its_file() -> None:
    assert [block.text for block in BLOCKS if block.file is None] == []
