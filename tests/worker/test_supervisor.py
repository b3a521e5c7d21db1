"""What systemd hears of a worker, on a real socket as it makes one."""

from __future__ import annotations

import os
import resource
import signal
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from queue_worker import Settings, SyncQueueClient
from queue_worker.worker.supervisor import Supervisor
from tests.support.jobs import without_ticker
from tests.support.processes import WorkerProcess, environment, worker_process


class Ear:
    """The end of systemd."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind(address)
        self.heard: list[str] = []

    def hear(self, within: float = 30) -> str:
        """The next message."""
        self._socket.settimeout(within)
        self.heard.append(self._socket.recv(100).decode())
        return self.heard[-1]

    def hear_until(self, message: str) -> None:
        while self.hear() != message:
            pass

    def drain(self) -> None:
        """Forget what was said so far."""
        while not self.hears_nothing(within=0.01):
            pass

    def hears_nothing(self, within: float) -> bool:
        try:
            self.hear(within)
        except TimeoutError:
            return True
        return False

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["a path", "an abstract name"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return str(tmp_path / "notify") if request.param == "a path" else f"@queue-worker-{os.getpid()}"


@pytest.fixture
def ear(address: str) -> Iterator[Ear]:
    ear = Ear(address.replace("@", "\0"))
    yield ear
    ear.close()


@pytest.fixture
def worker(database: str, tmp_path: Path, address: str, ear: Ear) -> Iterator[WorkerProcess]:
    env = environment(database, TEST_NOTES=str(tmp_path / "notes"), NOTIFY_SOCKET=address)
    with worker_process(env) as worker:
        yield worker


@pytest.fixture
def client(settings: Settings) -> Iterator[SyncQueueClient]:
    with SyncQueueClient(without_ticker, settings) as client:
        yield client


def test_it_is_told_of_start_life_and_stop(worker: WorkerProcess, ear: Ear) -> None:
    ear.hear_until("READY=1")
    ear.hear_until("WATCHDOG=1")
    assert worker.stop() == 0
    ear.hear_until("STOPPING=1")
    assert ear.heard.count("READY=1") == 1


@pytest.mark.parametrize("address", ["a path"], indirect=True)
def test_a_worker_that_is_frozen_is_silent(worker: WorkerProcess, ear: Ear) -> None:
    """Then systemd kills it, after WatchdogSec."""
    ear.hear_until("READY=1")
    worker.process.send_signal(signal.SIGSTOP)
    ear.drain()
    assert ear.hears_nothing(within=3)
    worker.process.send_signal(signal.SIGCONT)
    ear.hear_until("WATCHDOG=1")


@pytest.mark.parametrize("address", ["a path"], indirect=True)
def test_a_job_that_blocks_the_loop_within_its_deadline_is_left_to_the_watchdog(
    worker: WorkerProcess, ear: Ear, client: SyncQueueClient
) -> None:
    """systemd, which knows no deadline, would end the other runs with it."""
    ear.hear_until("READY=1")
    client.enqueue("blocks")
    worker.wait_for("loop.blocked")
    ear.drain()
    assert ear.hear() == "WATCHDOG=1"
    assert not any(line["event"] == "loop.answers_again" for line in worker.lines)


@pytest.mark.parametrize("address", ["a path"], indirect=True)
def test_a_supervisor_that_has_gone_harms_nothing(
    worker: WorkerProcess, ear: Ear, client: SyncQueueClient
) -> None:
    ear.hear_until("READY=1")
    ear.close()
    client.enqueue("noop")
    worker.wait_for("job.succeeded")
    assert worker.stop() == 0


def test_without_a_socket_none_is_opened(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    monkeypatch.setattr(socket, "socket", None)
    Supervisor().ready()


def test_without_a_descriptor_the_watchdog_is_not_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job that leaks them must not take the sign of life with it."""
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere/notify")
    supervisor = Supervisor()
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (0, hard))
    try:
        supervisor.alive()
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_children_do_not_inherit_the_socket(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFY_SOCKET", "/nowhere/notify")
    Supervisor().ready()
    assert "NOTIFY_SOCKET" not in os.environ
