"""README.md as a new user follows it: every block is run, in order, and does what it says."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

import queue_worker.errors
from queue_worker.errors import QueueWorkerError
from tests.support.blocks import read_blocks, write_files
from tests.support.eventually import eventually
from tests.support.pages import PAGES
from tests.support.processes import REPOSITORY, environment

README = (REPOSITORY / "README.md").read_text()
BLOCKS = read_blocks(REPOSITORY / "README.md")
SHELL = [block for block in BLOCKS if block.language == "sh"]
MAKE, PIP, DATABASE, WORKER, TRIAL = SHELL


def as_url(dsn: str) -> str:
    """A DSN of any form as the URL that the README exports."""
    parts = {name: str(value) for name, value in conninfo_to_dict(dsn).items() if value is not None}
    login = quote(parts.pop("user", ""), safe="")
    if "password" in parts:
        login += ":" + quote(parts.pop("password"), safe="")
    database = quote(parts.pop("dbname", ""), safe="")
    return f"postgresql://{login}@/{database}?{urlencode(parts)}"


@pytest.fixture
def user(database: str, tmp_path: Path) -> dict[str, str]:
    """The environment of somebody who has done the README's first steps; its files are written."""
    write_files(BLOCKS, tmp_path)
    programs = Path(sys.executable).parent
    found = environment(
        as_url(database),
        PATH=f"{programs}{os.pathsep}{os.environ['PATH']}",
        COLUMNS="200",
        QUEUE_WORKER_POLL_INTERVAL="0.2",
    )
    del found["QUEUE_WORKER_APP"]
    return found


def shell(script: str, user: dict[str, str], folder: Path) -> str:
    """What these lines print; they must end well."""
    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", script], env=user, cwd=folder, capture_output=True, text=True,
        timeout=60, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert done.returncode == 0, f"{script}\n{done.stdout}\n{done.stderr}"
    assert "Warning" not in done.stderr, done.stderr
    return done.stdout


@contextmanager
def running(line: str, user: dict[str, str], folder: Path) -> Iterator[Path]:
    """A worker, started by this line; it is asked to stop at the end. Hands out its log."""
    log = folder / "worker.log"
    with log.open("w") as output:
        process = subprocess.Popen(
            shlex.split(line), env=user, cwd=folder, stdin=subprocess.DEVNULL, stderr=output
        )
        try:
            yield log
            process.terminate()
            assert process.wait(30) == 0, log.read_text()
        finally:
            process.kill()
            process.wait()


def test_a_new_user_runs_a_job_of_their_own(
    user: dict[str, str], connection: psycopg.Connection[Any], tmp_path: Path
) -> None:
    """From `migrate` to every way of enqueueing, in the README's order, with a real worker."""
    *preparation, start = WORKER.lines
    assert start == "queue-worker --app myapp.jobs:registry worker"
    assert "the database is at the level of this version" in shell(
        "\n".join(preparation), user, tmp_path
    )

    with running(start, user, tmp_path) as log:
        eventually(lambda: "worker.started" in log.read_text())
        printed = shell(TRIAL.text, user, tmp_path)
        assert re.search(r"^Enqueued job greet as \d+\.$", printed, flags=re.MULTILINE)
        assert len(re.findall(r"Run \d+\.1 succeeded after", printed)) == 2
        assert "database.measure" in printed

        printed = shell("python enqueue_async.py", user, tmp_path)
        assert "enqueued: [True, False]" in printed
        shell("python enqueue_sync.py", user, tmp_path)
        (statement,) = [block.text for block in BLOCKS if block.language == "sql"]
        connection.execute(statement)

        greeted = {"Ada", "Grace", "Bob", "Alan", "Barbara", "Edsger", "Tony"}
        eventually(lambda: greeted <= set(re.findall(r"who=(\w+)", log.read_text())))
        eventually(lambda: "database.measured" in log.read_text(), within=15)
        assert "primes=78498" in log.read_text()
    outcomes = connection.execute("SELECT DISTINCT outcome FROM queue_worker.run").fetchall()
    assert outcomes == [("succeeded",)]


def test_the_first_block_and_the_first_party_jobs_are_registries_as_they_stand(
    user: dict[str, str], tmp_path: Path
) -> None:
    first = next(block for block in BLOCKS if block.language == "python")
    (tmp_path / "first.py").write_text(first.text)
    assert "cron 0 6 * * * (Europe/Berlin)" in shell(
        "queue-worker --app first:registry jobs", user, tmp_path
    )
    listed = shell("queue-worker --app myapp.all_jobs:registry jobs", user, tmp_path)
    assert {"greet", "retry_executor"} <= set(re.findall(r"^ (\w+)", listed, flags=re.MULTILINE))


def test_every_block_is_run_or_checked_here() -> None:
    """A block that is added to the README needs a place in these tests."""
    files = {block.file for block in BLOCKS if block.language == "python"}
    assert files == {
        None,
        "myapp/jobs.py",
        "myapp/all_jobs.py",
        "enqueue_async.py",
        "enqueue_sync.py",
    }
    assert [block.language for block in BLOCKS].count("sql") == 1
    assert {block.language for block in BLOCKS} == {"python", "sh", "sql"}


def test_the_two_commands_are_targets_of_make_and_steps_of_ci() -> None:
    assert MAKE.lines == ["make demo", "make test"]
    assert {"demo", "test"} <= set(makefile_recipes())
    steps = (REPOSITORY / ".ci" / "run").read_text()
    assert re.search(r"^step .* make .*\btest$", steps, flags=re.MULTILINE)
    assert "queue-worker demo" in steps


def test_the_lines_without_make_are_those_that_make_runs() -> None:
    recipes = makefile_recipes()
    demo, test = (
        recipes[name][0].replace("$(BIN)/", "").removesuffix(" $(ARGS)")
        for name in ("demo", "test")
    )
    assert PIP.lines[-2:] == [demo, test]
    installed = [
        line.removeprefix("pip install ") for line in PIP.lines if line.startswith("pip install")
    ]
    makefile = (REPOSITORY / "Makefile").read_text()
    assert installed == re.findall(r"@\$\(install\) (.+(?:test\.txt|editable \.))", makefile)
    assert PIP.lines[:2] == ["python -m venv .venv", ". .venv/bin/activate"]


def test_the_database_of_the_trial_is_the_demo_s_server() -> None:
    """Its folder as `make demo` makes it, its role and its way in as the embedded server has them."""
    (url,) = re.findall(r'export DATABASE_URL="(.+)"', DATABASE.text)
    assert conninfo_to_dict(url) == {
        "user": "postgres",
        "dbname": "postgres",
        "host": "$PWD/.demo/postgres",
    }
    assert "mkdir -p myapp" in DATABASE.lines


def makefile_recipes() -> dict[str, list[str]]:
    makefile = (REPOSITORY / "Makefile").read_text()
    found = re.findall(r"^(\w+):.*\n((?:\t.+\n)+)", makefile, flags=re.MULTILINE)
    return {name: [line.strip() for line in lines.splitlines()] for name, lines in found}


def test_every_exit_code_is_in_the_table() -> None:
    page = (REPOSITORY / "docs" / "CLI.md").read_text()
    table = {int(code) for code in re.findall(r"^\| (\d+) \|", page, flags=re.MULTILINE)}
    raised = {
        found.exit_code
        for found in vars(queue_worker.errors).values()
        if isinstance(found, type) and issubclass(found, QueueWorkerError)
    }
    assert table == raised | {0, 2, 70, 130}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_test_that_is_named_is_there(page: Path) -> None:
    text = page.read_text()
    tests = "".join(path.read_text() for path in (REPOSITORY / "tests").rglob("test_*.py"))
    named = re.findall(r"`(test_\w+)`", text)
    assert [name for name in named if f"def {name}(" not in tests] == []


def test_decisions_are_numbered_in_order() -> None:
    notes = sorted((REPOSITORY / "docs" / "decisions").glob("*.md"))
    assert [note.name[:4] for note in notes] == [f"{number:04}" for number in range(len(notes))]
    assert [
        note.name for note in notes if not note.read_text().startswith(f"# {note.name[:4]}: ")
    ] == []
