"""The live view in a real terminal: what is on the screen, and how the terminal is left."""

from __future__ import annotations

import signal
import termios
from typing import Any

import psycopg
import pytest

from tests.cli.conftest import Command
from tests.support.eventually import eventually
from tests.support.ledger import add_job, add_run, add_worker, enqueue
from tests.support.processes import environment
from tests.support.proxy import proxy_to
from tests.support.terminal import Terminal, terminal

Connection = psycopg.Connection[Any]
QUICK = ("top", "--interval", "0.2")
LEFT = b"\x1b[?25h\x1b[?1049l"  # the cursor is shown, the screen from before is back


@pytest.fixture
def env(database: str) -> dict[str, str]:
    return environment(database)


@pytest.fixture
def busy(connection: Connection) -> None:
    """More than fits on a small screen."""
    add_worker(connection, 1, started_at="3 days")
    add_job(connection, "sales.refresh", schedule="cron 0 6 * * * (Europe/Berlin)", next_due_at="-3 hours", timeout="10 minutes")  # fmt: skip
    add_job(connection, "database.measure", schedule="every 0:00:05", next_due_at="47 s")
    connection.execute("INSERT INTO procrastinate_workers (id) OVERRIDING SYSTEM VALUE VALUES (1)")
    for number in range(30):
        enqueue(
            connection, "sales.refresh", lock=f"key-{number:02}", status="doing", worker_id=1,
            queue_worker_claimed_at=f"{300 + number} s",
        )  # fmt: skip
        enqueue(connection, "mail.send", queue_name=f"queue-{number:02}", queue_worker_enqueued_at="2 hours")  # fmt: skip
        add_run(connection, 1000 + number, job="mail.send", outcome="failed", started_at="600 s", finished_at=f"{120 + number} s", error_message="connection refused")  # fmt: skip


def assert_restored(top: Terminal) -> None:
    assert top.sent.rstrip().endswith(LEFT)
    assert top.mode() == top.mode_before


@pytest.mark.parametrize(("columns", "lines"), [(80, 24), (120, 40)])
def test_all_sections_are_there_in_any_size(
    env: dict[str, str], busy: None, columns: int, lines: int
) -> None:
    with terminal(env, *QUICK, columns=columns, lines=lines) as top:
        screen = top.wait_for("connection refused")
        rows = screen.split("\n")
        assert rows[0].startswith("queue-worker top  ")
        assert rows[1] == "1 worker, 30 running, 30 due, 1 overdue"
        heads = ["WORKER", "QUEUE (30)", "RUNNING (30)", "NEXT TICK", "FAILED (30)"]
        places = [next(n for n, row in enumerate(rows) if row.startswith(head)) for head in heads]
        assert places == sorted(places)
        assert "1       cut off  30/10  web-1  4711  3d 00h  all" in rows
        assert any(row.startswith("queue-00    1    0      2h 00m") for row in rows)
        assert any(row.startswith("sales.refresh  59.1  5m ") and "10m 00s  1       key-29" in row for row in rows)  # fmt: skip
        assert any(row.startswith("database.measure  -") and "every 0:00:05" in row for row in rows)
        assert any(row.startswith("mail.send    1000.1  2m ") and "failed" in row for row in rows)
        top.press(b"q")
        assert top.end() == 0
        assert_restored(top)


def test_with_nothing_to_show(env: dict[str, str]) -> None:
    with terminal(env, *QUICK) as top:
        screen = top.wait_for("FAILED")
        assert screen.count("\nnone") == 5
        assert "0 workers, 0 running, 0 due\n" in screen
        top.press(b"Q")
        assert top.end() == 0


def test_it_shows_what_changes(env: dict[str, str], connection: Connection) -> None:
    with terminal(env, *QUICK) as top:
        top.wait_for("0 running")
        enqueue(connection, "sales.refresh", status="doing", queue_worker_claimed_at="65 s")
        top.wait_for("1 running", "sales.refresh  1.1  1m 0")


def test_it_follows_the_size_of_the_terminal(env: dict[str, str], busy: None) -> None:
    with terminal(env, *QUICK, columns=120, lines=40) as top:
        top.wait_for("queue-05", "connection refused")
        top.resize(60, 14)
        eventually(lambda: "queue-05" not in top.screen and "FAILED" in top.screen)
        screen = top.wait_for("mail.send")
        assert max(map(len, screen.split("\n"))) <= 60
        top.resize(20, 5)
        eventually(lambda: "…" in top.screen)
        top.resize(120, 40)
        top.wait_for("queue-05", "connection refused")
        top.press(b"q")
        assert top.end() == 0


@pytest.mark.parametrize(
    ("how", "code"),
    [(b"q", 0), (b"\x03", 0), (signal.SIGTERM, 143), (signal.SIGHUP, 129)],
    ids=["q", "Ctrl-C", "SIGTERM", "SIGHUP"],
)
def test_however_it_ends_the_terminal_is_as_before(
    env: dict[str, str], how: bytes | signal.Signals, code: int
) -> None:
    with terminal(env, *QUICK) as top:
        top.wait_for("FAILED")
        assert top.mode() != top.mode_before
        if isinstance(how, bytes):
            top.press(how)
        else:
            top.process.send_signal(how)
        assert top.end() == code
        assert_restored(top)
        assert b"Traceback" not in top.sent
        assert b"Aborted" not in top.sent


def test_ctrl_z_does_not_leave_the_terminal_half_way(env: dict[str, str]) -> None:
    """No shell is here that could be left with it: the key itself must be switched off."""
    with terminal(env, *QUICK) as top:
        top.wait_for("FAILED")
        keys = 6
        assert top.mode_before[keys][termios.VSUSP] == b"\x1a"
        assert top.mode()[keys][termios.VSUSP] == b"\0"


def test_while_the_database_is_away_it_says_so_and_recovers(
    database: str, connection: Connection
) -> None:
    with proxy_to(database) as proxy, terminal(environment(proxy.dsn), *QUICK) as top:
        top.wait_for("0 workers")
        proxy.refuse()
        proxy.cut()
        screen = top.wait_for("No connection to 127.0.0.1:")
        assert "FAILED" in screen
        add_worker(connection)
        proxy.forward()
        top.wait_for("1 worker, ", "web-1")
        proxy.refuse()
        proxy.cut()
        top.wait_for("No connection to")
        top.press(b"q")
        assert top.end(within=3) == 0
        assert_restored(top)


def test_while_the_database_says_nothing_it_says_that(database: str) -> None:
    with proxy_to(database) as proxy, terminal(environment(proxy.dsn), *QUICK) as top:
        top.wait_for("0 workers")
        proxy.swallow()
        top.wait_for("No answer from the database since ")
        top.press(b"\x03")
        assert top.end(within=3) == 0


def test_what_jobs_say_cannot_steer_the_terminal(
    env: dict[str, str], connection: Connection
) -> None:
    evil = "\x1b[2J\x1b]0;owned\x07\x9b31m\r\n\x08[red]x[/red] \u202e 🎉 " + "y" * 10_000_000
    add_run(connection, 1, outcome="failed", job="[bold]j\x1b[5m", error_message=evil)
    add_worker(connection, host="\x1b[2Jhost", queues=["\x1b[2J"])
    with terminal(env, *QUICK) as top:
        screen = top.wait_for("[bold]j�[5m", "�[2J�]0;own")
        assert len(screen.split("\n")) == 24
        for sequence in (b"\x1b[2Jhost", b"\x1b]0;", b"\x1b[5m", b"\xc2\x9b", "\u202e".encode()):
            assert sequence not in top.sent
        assert len(top.sent) < 100_000
        top.press(b"q")
        assert top.end() == 0


def test_without_a_terminal_it_is_printed_once(
    ready: Command, connection: Connection, database: str
) -> None:
    add_job(connection, "j" * 150, next_due_at="-1 hour -10 s")
    for options in ((), ("--once",)):
        answer = ready("top", *options, DATABASE_URL=database)
        assert (answer.code, answer.err) == (0, "")
        assert "\x1b" not in answer.out
        assert f"{'j' * 150}  1h 00m" in answer.out
