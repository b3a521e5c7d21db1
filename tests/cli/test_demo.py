"""The demo: its numbers, its server, and what it refuses."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import psycopg
import pytest

from queue_worker.demo.embedded import alone_in, make_database, start_embedded, stop_embedded
from queue_worker.demo.events import DECLINES, sample_events
from queue_worker.demo.worker import running_worker
from queue_worker.errors import QueueWorkerError
from queue_worker.jobs import first_party
from queue_worker.queue.client import SyncQueueClient
from queue_worker.settings import Settings, load_settings
from tests.cli.conftest import Command, contents
from tests.support.content import add_events, aggregates_in, aggregates_of
from tests.support.eventually import eventually
from tests.support.processes import call, environment

NOBODY = 2**22 - 1  # the highest process id there can be; it is not in use
# The columns of a partition are explained at the table that it is a part of.
COMMENTS = """
    SELECT c.oid::regclass || coalesce('.' || a.attname, '')
    FROM pg_class AS c
    LEFT JOIN pg_attribute AS a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p', 'v', 'm')
        AND c.relnamespace IN ('queue_worker'::regnamespace, 'content_pipeline'::regnamespace)
        AND (obj_description(c.oid, 'pg_class') IS NULL
            OR a.attnum IS NOT NULL AND col_description(c.oid, a.attnum) IS NULL)
"""


def without_a_database(**extra: str) -> dict[str, str]:
    found = environment("", **extra)
    return {
        name: value
        for name, value in found.items()
        if name not in {"DATABASE_URL", "QUEUE_WORKER_APP"}
    }


def server_pid(folder: Path) -> int:
    return int((folder / "postgres" / "postmaster.pid").read_text().splitlines()[0])


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def dsn_of(answer: dict[str, Any]) -> str:
    """The DSN in the psql command that the demo suggests."""
    shown = subprocess.run(
        ["sh", "-c", f'set -- {answer["psql"]}; printf %s "$2"'],
        capture_output=True,
        text=True,
        check=True,
    )
    return shown.stdout


class Demo:
    """The demo in a folder, run once for all tests that look at it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.today: date = datetime.now(UTC).date()
        began = time.monotonic()
        self.done = self.again()
        self.seconds = time.monotonic() - began

    def again(self, **extra: str) -> subprocess.CompletedProcess[str]:
        return call(without_a_database(**extra), "demo", "--json", "--folder", str(self.folder))

    @property
    def findings(self) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.done.stdout)
        return found


@pytest.fixture(scope="module")
def home() -> Iterator[Path]:
    """A folder of our own: pytest closes its own to other accounts, whenever a run of it begins.

    For root the server is another account, and pg_control_system() reads a file by its whole path.
    """
    with TemporaryDirectory(prefix="queue-worker-demo-") as name:
        yield Path(name)


@pytest.fixture(scope="module")
def demo(home: Path) -> Iterator[Demo]:
    # A space and a letter that is not ASCII: both are usual in a home folder.
    folder = home / "mein Büro"
    try:
        yield Demo(folder)
    finally:
        stop_embedded(folder / "postgres")


def test_the_demo_ends_well_within_a_minute(demo: Demo) -> None:
    assert demo.done.returncode == 0, demo.done.stderr
    assert demo.done.stdout.count("\n") == 1
    assert demo.seconds < 60


def test_its_numbers_are_those_of_its_events(demo: Demo) -> None:
    """Counted again in plain Python, from the events themselves."""
    if datetime.now(UTC).date() != demo.today:
        pytest.skip("midnight passed since the demo")
    events = list(sample_events(demo.today, seed=1))
    expected = aggregates_of(events)
    findings = demo.findings
    assert findings["events"] == findings["aggregated_events"] == len(events)
    assert findings["aggregates"] == len(expected)
    assert findings["contents"] == len({content_id for content_id, _ in expected})
    assert findings["days"] == len({day for _, day in expected}) == 60
    with psycopg.connect(dsn_of(findings)) as connection:
        assert aggregates_in(connection) == expected


def test_it_signals_the_seeded_declines_and_nothing_else(demo: Demo) -> None:
    findings = demo.findings
    assert {content_id: kind for content_id, kind, *_ in findings["signals"]} == DECLINES
    assert len(findings["signals"]) == len(DECLINES)
    assert {content_id: kind for _, content_id, kind, *_ in findings["suggestions"]} == DECLINES
    assert {state for *_, state in findings["suggestions"]} == {"approved"}


def test_the_signals_say_what_was_before_and_what_is_now(demo: Demo) -> None:
    if datetime.now(UTC).date() != demo.today:
        pytest.skip("midnight passed since the demo")
    visits = {
        (event.occurred_at.date(), event.learner_id)
        for event in sample_events(demo.today, seed=1)
        if event.content_id == "course-falling-engagement"
    }
    ages = [(demo.today - day).days for day, _ in visits]
    before = sum(7 < age <= 35 for age in ages) / 28
    now = sum(age <= 7 for age in ages) / 7
    signal = next(s for s in demo.findings["signals"] if s[0] == "course-falling-engagement")
    assert signal[2:4] == pytest.approx([before, now], abs=1e-3)


def test_everything_of_ours_has_a_comment(demo: Demo) -> None:
    with psycopg.connect(dsn_of(demo.findings)) as connection:
        assert connection.execute(COMMENTS).fetchall() == []


def test_its_runs_stand_in_the_ledger(demo: Demo) -> None:
    with psycopg.connect(dsn_of(demo.findings)) as connection:
        rows = connection.execute(
            "SELECT job, outcome FROM queue_worker.run ORDER BY finished_at"
        ).fetchall()
        assert rows == [
            (job, "succeeded")
            for job in (
                "analytics_aggregator",
                "signal_generator",
                "insight_engine",
                "regeneration_worker",
            )
        ]
        promoted = connection.execute(
            "SELECT count(*) FROM content_pipeline.published_output"
        ).fetchone()
        assert promoted == (len(DECLINES),)


def test_it_runs_again_in_the_same_folder_whatever_the_environment_says(demo: Demo) -> None:
    again = demo.again(
        JOB_DRY_RUN="1",
        QUEUE_WORKER_QUEUES="other",
        QUEUE_WORKER_APP="no.such:registry",
        QUEUE_WORKER_DIRECT_URL="postgresql://127.0.0.1:1/elsewhere",
        PGPORT="1",
        PGDATA="/nonexistent",
    )
    assert again.returncode == 0, again.stderr
    assert json.loads(again.stdout)["signals"] == demo.findings["signals"]


def test_a_second_demo_keeps_out_of_the_folder(demo: Demo, command: Command) -> None:
    with alone_in(demo.folder):
        answer = command("demo", "--folder", str(demo.folder))
    answer.assert_one_error(1, "Another demo runs in ", "--folder")


def test_stop_ends_the_server(demo: Demo, command: Command) -> None:
    start_embedded(demo.folder / "postgres")
    pid = server_pid(demo.folder)
    stopped = command("demo", "--stop", "--folder", str(demo.folder))
    assert (stopped.code, stopped.out) == (0, "Stopped.\n")
    eventually(lambda: is_gone(pid))
    again = command("demo", "--stop", "--folder", str(demo.folder))
    assert again.code == 0
    assert again.out.startswith("No Postgres runs in ")


@pytest.mark.parametrize("name", ["l" * 120, "a,b", 'it\'s $HOME `x` "q" \\'])
def test_any_folder_will_do(home: Path, name: str) -> None:
    """A socket's path may not be long, clients take a comma apart, and pg_ctl asks a shell."""
    folder = home / name / "postgres"
    folder.parent.mkdir()
    try:
        dsn = make_database(start_embedded(folder), "demo")
        with psycopg.connect(dsn) as connection:
            assert connection.info.dbname == "demo"
    finally:
        assert stop_embedded(folder)


def test_what_a_killed_start_or_server_left_behind_is_no_obstacle(home: Path) -> None:
    folder = home / "postgres"
    (home / "postgres.unfinished" / "left-behind").mkdir(parents=True)
    try:
        start_embedded(folder)
        pid_file = folder / "postmaster.pid"
        left_behind = pid_file.read_text().split("\n", 1)[1]
        assert stop_embedded(folder)
        pid_file.write_text(f"{NOBODY}\n{left_behind}")
        assert not stop_embedded(folder)
        with psycopg.connect(start_embedded(folder)) as connection:
            assert connection.execute("SELECT 1").fetchone() == (1,)
    finally:
        stop_embedded(folder)


def test_a_server_that_cannot_start_says_why(command: Command, tmp_path: Path) -> None:
    (tmp_path / "postgres").mkdir()
    (tmp_path / "postgres" / "PG_VERSION").write_text("9.6\n")
    command("demo", "--folder", str(tmp_path)).assert_one_error(
        69, "an embedded Postgres", "pg_ctl"
    )


def test_a_folder_that_cannot_be_used(command: Command, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    answer = command("demo", "--folder", str(tmp_path / "file"))
    answer.assert_one_error(1, "cannot be used", "--folder")


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")
def test_it_needs_no_root(tmp_path: Path) -> None:
    """As another account; the folder is one that only that account can reach."""
    home = Path("/tmp") / f"queue-worker-test-{os.getpid()}"
    home.mkdir(mode=0o700)
    shutil.chown(home, "nobody")
    code = (
        "import sys; from pathlib import Path; from queue_worker.demo.embedded import *\n"
        "import psycopg; folder = Path(sys.argv[1]) / 'demo' / 'postgres'\n"
        "with alone_in(folder.parent):\n"
        "    dsn = make_database(start_embedded(folder), 'x')\n"
        "    print(psycopg.connect(dsn).info.user, folder.stat().st_mode & 0o777, stop_embedded(folder))"
    )
    try:
        done = subprocess.run(
            [sys.executable, "-c", code, str(home)],
            user="nobody",
            group="nogroup",
            extra_groups=[],
            env={"PATH": os.environ["PATH"], "HOME": str(home)},
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout == f"postgres {0o700} True\n", done.stderr
    except PermissionError:
        pytest.skip("this interpreter is one that only root can reach")
    finally:
        shutil.rmtree(home)


def test_a_database_of_ones_own_with_events_is_refused_and_untouched(
    command: Command, database: str, connection: Any, tmp_path: Path
) -> None:
    add_events(connection, [(datetime(2024, 1, 1, tzinfo=UTC), "c", "l", "view", None)])
    connection.execute(
        "DELETE FROM queue_worker.migration WHERE name LIKE 'views/%'"
    )  # and older, too
    before = contents(database)
    answer = command("demo", "--folder", str(tmp_path), DATABASE_URL=database)
    answer.assert_one_error(65, "has events already", "empty database")
    assert contents(database) == before
    assert not (tmp_path / "postgres").exists()


def test_two_demos_do_not_share_a_database(
    command: Command, empty_database: str, tmp_path: Path
) -> None:
    with psycopg.connect(empty_database) as connection:
        connection.execute("SELECT pg_advisory_lock(hashtextextended('queue_worker.demo', 0))")
        answer = command("demo", "--folder", str(tmp_path), DATABASE_URL=empty_database)
    answer.assert_one_error(65, "Another demo uses this database")


def test_an_empty_database_of_ones_own_will_do(empty_database: str, tmp_path: Path) -> None:
    env = environment(empty_database)
    done = call(env, "demo", "--folder", str(tmp_path / "log"))
    assert done.returncode == 0, done.stderr
    assert 'psql "$DATABASE_URL"' in done.stdout
    assert all(content_id in done.stdout for content_id in DECLINES)
    assert "succeeded in" in done.stderr
    assert not (tmp_path / "log" / "postgres").exists()
    second = call(env, "demo", "--folder", str(tmp_path / "log"))
    assert second.returncode == 65
    assert second.stderr.count("Error: ") == 1


def test_a_worker_that_dies_says_where_its_log_is(
    settings: Settings, connection: Any, tmp_path: Path
) -> None:
    log_file = tmp_path / "worker.log"
    blind = load_settings(database_url="postgresql://127.0.0.1:1/nowhere")
    answer = SyncQueueClient(first_party, settings).enqueue("insight_engine", connection=connection)
    with (
        pytest.raises(QueueWorkerError, match=f"died with exit code 69. See {log_file}"),
        running_worker(blind, log_file) as worker,
    ):
        worker.wait_for(connection, answer.queue_job_id)
    assert "No connection to" in log_file.read_text()
