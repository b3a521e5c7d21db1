"""docs/TUTORIAL.md as a new user follows it: every block, in order, as it stands.

Its own `pip install` installs the wheel that is built here, into the environment that it has made. What
the wheel needs comes from the environment of the tests, so that no network is needed; .ci/run calls it
once more, with TEST_TUTORIAL_VENV, an environment into which pip has put the pinned requirements of a
wheel and nothing else. Only the port is another.
"""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psycopg
import pytest

from tests.support.blocks import Block, read_blocks, write_files
from tests.support.eventually import eventually
from tests.support.postgres import free_port
from tests.support.processes import REPOSITORY, environment
from tests.support.wheels import build_wheel, link_dependencies

PORT = "8123"
ENVIRONMENT = Path(os.environ.get("TEST_TUTORIAL_VENV", sys.prefix))
BLOCKS = read_blocks(REPOSITORY / "docs" / "TUTORIAL.md")
ENDS = {"queue-worker": 0, "python": -signal.SIGINT}


@pytest.fixture(autouse=True)
def ctrl_c() -> Iterator[None]:
    """A suite that runs in the background ignores Ctrl-C, and so would what it starts."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture
def reader(empty_database: str, tmp_path: Path) -> dict[str, str]:
    """The environment of somebody who has a database, and nothing else."""
    tests = environment(empty_database)
    found = {name: tests[name] for name in tests if name in {"HOME", "LANG", "DATABASE_URL"}}
    python = tmp_path / "bin" / "python3"
    python.parent.mkdir()
    python.symlink_to(Path(sys.base_prefix) / "bin" / "python3")
    return found | {
        "PYTHONPATH": str(link_dependencies(tmp_path / "dependencies", ENVIRONMENT)),
        "PATH": f"{python.parent}:/usr/local/bin:/usr/bin:/bin",
        "PIP_NO_INDEX": "1",
        "COLUMNS": "200",
    }


class Tutorial:
    """The terminals of the reader: each has the folder, the environment and the exports."""

    def __init__(self, env: dict[str, str], folder: Path) -> None:
        self._env = env
        self._folder = folder
        self._before = ""
        port = str(free_port())
        self.blocks = [Block(b.language, b.text.replace(PORT, port)) for b in BLOCKS]
        self._next = iter(self.blocks)

    def take(self, language: str, begins: str) -> Block:
        """The next block of the page."""
        block = next(self._next)
        assert (block.language, block.text[: len(begins)]) == (language, begins)
        return block

    def run(self, begins: str, *, unless: str | None = None) -> str:
        """Carry out the next block, and again where it is refused by this; returns what it prints."""
        script = self.take("sh", begins).text
        done = self._call(script)
        while unless and unless in done.stderr:
            done = self._call(script)
        assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
        return done.stdout

    def run_before_all_others(self, begins: str) -> None:
        """The next block stands in each terminal."""
        self._before += self.take("sh", begins).text

    @property
    def rest(self) -> list[Block]:
        """What was not taken."""
        return list(self._next)

    def enter(self) -> None:
        self._before += "cd tutorial\n. .venv/bin/activate\n"

    def save(self, begins: str) -> None:
        """Save the next block under its name."""
        write_files([self.take("python", begins)], self._folder / "tutorial")

    @contextmanager
    def running(self, line: str) -> Iterator[Path]:
        """What the next block starts; it is ended by Ctrl-C. Hands out what it prints."""
        assert self.take("sh", line).lines == [line]
        program = line.split(maxsplit=1)[0]
        log = self._folder / f"{program}.log"
        with log.open("w") as output:
            process = subprocess.Popen(
                ["bash", "-euc", f"{self._before}exec {line}"], env=self._env, cwd=self._folder,
                stdin=subprocess.DEVNULL, stdout=output, stderr=output,
            )  # fmt: skip
            try:
                yield log
                process.send_signal(signal.SIGINT)
                assert process.wait(30) == ENDS[program], log.read_text()
            finally:
                process.kill()
                process.wait()

    def _call(self, script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self._before + script], env=self._env,
            cwd=self._folder, capture_output=True, text=True, timeout=90, check=False,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip


def failures_of(told: Path) -> str:
    """What the receiver was told of failures; ticks are missed as well where nobody works for a while."""
    lines = told.read_text().splitlines(keepends=True)
    return "".join(line for line in lines if "JOB_MISSED" not in line)


def has_ended(run_id: str, dsn: str) -> bool:
    with psycopg.connect(dsn) as connection:
        found = connection.execute("SELECT FROM queue_worker.runs WHERE run_id = %s", [run_id])
        return found.rowcount == 1


@pytest.mark.timeout(300)  # half a minute, unless the machine has other things to do
def test_a_job_runs_on_a_schedule_fails_alerts_is_fixed_and_retried(
    reader: dict[str, str], tmp_path: Path
) -> None:
    tutorial = Tutorial(reader, tmp_path)
    tutorial.run("mkdir -p tutorial/shop")
    tutorial.enter()
    build_wheel(tmp_path / "tutorial")
    installed = tutorial.run("pip install queue_worker-")
    assert "Successfully installed queue-worker-" in installed
    tutorial.run_before_all_others("export DATABASE_URL")
    tutorial.save("# shop/jobs.py")
    tutorial.run("echo ")
    assert "orders.total" in tutorial.run("queue-worker migrate")

    with ExitStack() as stack:
        worker = stack.enter_context(tutorial.running("queue-worker worker"))
        eventually(lambda: "cents=2050" in worker.read_text(), within=60)
        runs = tutorial.run("queue-worker runs")
        assert re.search(r"orders\.total .*succeeded", runs)

        tutorial.save("# receiver.py")
        with tutorial.running("python receiver.py") as told:
            tutorial.run("echo ")
            raised = tutorial.take("text", "raised").text
            assert eventually(lambda: failures_of(told), within=60) == raised
            failures, alerts = tutorial.run("queue-worker failures").split("Alerts", 1)
            assert "TypeError" in failures
            assert "JOB_FAILED" in alerts

            tutorial.save("# shop/jobs.py")
            stack.close()
            assert worker.read_text().count("worker.stopped") == 1
            with tutorial.running("queue-worker worker"):
                resolved = tutorial.take("text", "resolved").text
                found = eventually(lambda: failures_of(told).removeprefix(raised), within=60)
                assert found == resolved
                retried = tutorial.run("failed=$(", unless="waits already")  # a tick in between
                (job, attempt) = re.findall(r"Job (\d+) waits for run (\S+)\.\n", retried)[0]
                assert attempt == f"{job}.2"
                eventually(lambda: has_ended(attempt, reader["DATABASE_URL"]), within=60)
                runs = tutorial.run("queue-worker runs")
                assert re.search(rf"{job}\.1 .*failed", runs)
                assert re.search(rf"{job}\.2 .*succeeded", runs)
                assert "job.retried" in runs
    assert tutorial.rest == []
