"""/live, /ready and /metrics of a real worker: they answer whatever its event loop does."""

from __future__ import annotations

import http.client
import json
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import psycopg
import pytest

from queue_worker import Settings, SyncQueueClient
from tests.support.blocks import read_blocks
from tests.support.endpoints import Page, address_of, get, metrics_of
from tests.support.eventually import eventually
from tests.support.jobs import without_ticker
from tests.support.postgres import free_port
from tests.support.processes import (
    REPOSITORY,
    WorkerProcess,
    as_worker,
    call,
    environment,
    worker_process,
)
from tests.support.proxy import proxy_to
from tests.support.series import documented_rows


@pytest.fixture
def env(database: str, tmp_path: Path) -> dict[str, str]:
    return environment(
        database, TEST_NOTES=str(tmp_path / "notes"), QUEUE_WORKER_HTTP_PORT=str(free_port())
    )


@pytest.fixture
def worker(env: dict[str, str]) -> Iterator[WorkerProcess]:
    with worker_process(env) as worker:
        yield worker


@pytest.fixture
def client(settings: Settings) -> Iterator[SyncQueueClient]:
    with SyncQueueClient(without_ticker, settings) as client:
        yield client


def ready(worker: WorkerProcess) -> Page:
    return get(worker, "/ready")


def becomes_ready(worker: WorkerProcess) -> None:
    eventually(lambda: ready(worker).status == 200)


def problems(page: Page) -> dict[str, str]:
    checks = json.loads(page.body)["checks"]
    return {name: said for name, said in checks.items() if said != "ok"}


def test_a_worker_is_live_and_ready_and_says_why(worker: WorkerProcess) -> None:
    becomes_ready(worker)
    assert json.loads(ready(worker).body) == {
        "ready": True,
        "checks": dict.fromkeys(
            ["database", "migrations", "lock_session", "listener", "loop", "draining"], "ok"
        ),
    }
    live = get(worker, "/live")
    assert (live.status, json.loads(live.body)) == (
        200,
        {"live": True, "checks": {"watchdog": "ok"}},
    )


@pytest.mark.skipif(shutil.which("curl") is None, reason="curl is not here")
def test_the_page_shows_what_a_probe_is_answered(worker: WorkerProcess) -> None:
    becomes_ready(worker)
    (block,) = read_blocks(REPOSITORY / "docs" / "METRICS.md", "console")
    command, printed = block.lines
    asked = command.removeprefix("$ ").replace(
        "127.0.0.1:9464", "{}:{}".format(*address_of(worker))
    )
    done = subprocess.run(asked.split(), capture_output=True, text=True, check=True, timeout=10)
    assert done.stdout.splitlines() == [printed]


def test_it_listens_on_the_loopback_address_alone(worker: WorkerProcess) -> None:
    assert address_of(worker)[0] == "127.0.0.1"


def test_a_head_has_no_body_and_other_methods_are_refused(worker: WorkerProcess) -> None:
    becomes_ready(worker)
    head, whole = get(worker, "/live", "HEAD"), get(worker, "/live")
    assert (head.status, head.body) == (200, "")
    assert head.headers["Content-Length"] == str(len(whole.body))
    posted = get(worker, "/ready", "POST")
    assert (posted.status, posted.headers["Allow"]) == (405, "GET, HEAD")
    assert get(worker, "/elsewhere").status == 404
    assert get(worker, "/live?verbose=1").status == 200


def test_two_workers_on_one_host_answer_on_two_ports(env: dict[str, str]) -> None:
    with worker_process(env) as first, worker_process(env) as second:
        ports = [address_of(worker)[1] for worker in (first, second)]
        assert ports[0] == int(env["QUEUE_WORKER_HTTP_PORT"])
        assert ports[1] > ports[0]
        becomes_ready(second)


def test_port_0_means_no_endpoints(env: dict[str, str]) -> None:
    with worker_process({**env, "QUEUE_WORKER_HTTP_PORT": "0"}) as worker:
        assert not any(line["event"] == "endpoints.listening" for line in worker.lines)


def test_an_address_of_another_machine_is_refused_in_one_line(env: dict[str, str]) -> None:
    done = call({**as_worker(env), "QUEUE_WORKER_HTTP_HOST": "192.0.2.1"}, "worker")
    assert done.returncode == 78
    (line,) = done.stderr.splitlines()
    assert "QUEUE_WORKER_HTTP_HOST" in line


def test_they_answer_while_a_job_blocks_the_loop(
    worker: WorkerProcess, client: SyncQueueClient
) -> None:
    becomes_ready(worker)
    client.enqueue("blocks")
    worker.wait_for("loop.blocked")
    began = time.monotonic()
    assert problems(ready(worker)) == {"loop": "is blocked by a job"}
    assert get(worker, "/live").status == 200
    assert metrics_of(worker)["queue_worker_ready"] == 0
    assert time.monotonic() - began < 1.5, "the loop answers again: nothing was shown"
    worker.wait_for("loop.answers_again")
    becomes_ready(worker)


def test_a_worker_that_drains_is_live_and_not_ready(
    worker: WorkerProcess, client: SyncQueueClient
) -> None:
    becomes_ready(worker)
    client.enqueue("nap", {"seconds": 2})
    worker.wait_for("job.started")
    worker.process.terminate()
    worker.wait_for("worker.draining")
    page = ready(worker)
    assert page.status == 503
    assert problems(page)["draining"] == "the worker was asked to stop"
    assert get(worker, "/live").status == 200
    assert worker.stop() == 0


def test_a_worker_without_its_database_is_live_and_not_ready(
    database: str, env: dict[str, str]
) -> None:
    with proxy_to(database) as proxy, worker_process({**env, "DATABASE_URL": proxy.dsn}) as worker:
        becomes_ready(worker)
        assert metrics_of(worker)["queue_worker_database_up"] == 1
        proxy.refuse()
        proxy.cut()
        eventually(lambda: {"database", "listener", "lock_session"} <= set(problems(ready(worker))))
        assert get(worker, "/live").status == 200
        proxy.forward()
        becomes_ready(worker)


def test_a_worker_whose_lock_session_is_ended_is_not_ready_until_it_has_another(
    worker: WorkerProcess, connection: psycopg.Connection[Any]
) -> None:
    becomes_ready(worker)
    seen: set[str] = set()

    def misses_it() -> bool:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND application_name = 'queue_worker locks'"
        )
        seen.update(problems(ready(worker)))
        return "lock_session" in seen

    eventually(misses_it)
    becomes_ready(worker)


def test_slow_and_many_clients_keep_nobody_from_an_answer(worker: WorkerProcess) -> None:
    with ExitStack() as stack:
        for number in range(60):
            slow = stack.enter_context(socket.create_connection(address_of(worker), timeout=5))
            slow.sendall(b"GET /live HTTP/1.1\r\nHost: " + bytes([65 + number % 26]))
        eventually(lambda: _answers(worker), within=15)


def _answers(worker: WorkerProcess) -> bool:
    try:
        return get(worker, "/live").status == 200
    except (OSError, http.client.HTTPException):
        return False


@pytest.mark.parametrize(
    ("sent", "status"),
    [
        (b"\x00\xff\xfe nothing\r\n\r\n", b"400"),
        (b"GET /live\r\n\r\n", b"400"),
        (b"GET /../../etc/passwd HTTP/1.1\r\n\r\n", b"404"),
        (b"GET /" + b"a" * 20_000 + b" HTTP/1.1\r\n\r\n", b"431"),
    ],
)
def test_what_is_no_request_is_answered_and_harms_nothing(
    worker: WorkerProcess, sent: bytes, status: bytes
) -> None:
    with socket.create_connection(address_of(worker), timeout=10) as raw:
        raw.sendall(sent)
        assert raw.recv(100).startswith(b"HTTP/1.1 " + status)
    assert get(worker, "/live").status == 200
    assert "Traceback" not in str(worker.lines)


def test_the_page_lists_every_series_and_no_other(worker: WorkerProcess) -> None:
    text = get(worker, "/metrics").body
    meanings = dict(re.findall(r"^# HELP (\w+) (.+)$", text, flags=re.MULTILINE))
    kinds = dict(re.findall(r"^# TYPE (\w+) (.+)$", text, flags=re.MULTILINE))
    found = {
        (name, kinds[name], meaning)
        for name, meaning in meanings.items()
        if not name.startswith("process_")
    }
    assert found == {(name, kind, meaning) for name, kind, _, meaning in documented_rows()}


def test_promtool_has_no_remark_but_the_one_on_the_contracts_own_name(
    worker: WorkerProcess,
) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not on this machine")
    done = subprocess.run(
        [promtool, "check", "metrics"], input=get(worker, "/metrics").body, text=True,
        capture_output=True, check=False, timeout=30,
    )  # fmt: skip
    assert (done.stdout + done.stderr).splitlines() == [
        "job_duration_ms metric names should not contain abbreviated units"
    ]


def test_runs_are_counted_once_closed_those_of_child_processes_too(
    worker: WorkerProcess, client: SyncQueueClient, connection: psycopg.Connection[Any]
) -> None:
    before = metrics_of(worker)
    assert before['job_runs_total{job="boom",outcome="failed"}'] == 0, "no rise can be seen of it"
    for job in ("noop", "boom", "plain", "plain_boom"):
        client.enqueue(job)
    eventually(
        lambda: (
            connection.execute("SELECT count(*) FROM queue_worker.run").fetchone() == (4,)
            and metrics_of(worker)["queue_worker_close_batch_runs_sum"] == 4
        )
    )
    found = metrics_of(worker)
    assert found['job_runs_total{job="noop",outcome="succeeded"}'] == 1
    assert found['job_runs_total{job="plain",outcome="succeeded"}'] == 1
    assert found['job_runs_total{job="plain_boom",outcome="failed"}'] == 1
    assert found['job_failures_total{error="KeyError",job="plain_boom"}'] == 1
    assert found['job_failures_total{error="ValueError",job="boom"}'] == 1
    assert found['job_duration_ms_count{job="plain"}'] == 1
    assert found["queue_worker_claimed_runs_total"] == 4
    assert found["queue_worker_heartbeats_total"] > 0
    assert found["queue_worker_heartbeat_age_seconds"] < 3
