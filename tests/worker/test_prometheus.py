"""A real Prometheus scrapes two real workers, and our rules fire for what goes wrong."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import psycopg
import pytest
import yaml

from queue_worker import Settings, SyncQueueClient
from tests.support.endpoints import address_of
from tests.support.eventually import eventually
from tests.support.jobs import without_ticker
from tests.support.postgres import free_port
from tests.support.processes import environment, worker_process

MONITORING = Path(__file__).resolve().parents[2] / "docs" / "monitoring"


class Prometheus:
    """What its API says."""

    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/api/v1"

    def ask(self, what: str, **parameters: str) -> Any:
        try:
            with urlopen(f"{self._url}/{what}?{urlencode(parameters)}", timeout=5) as answer:
                return json.load(answer)["data"]
        except OSError:
            return None

    def value(self, expression: str) -> float | None:
        data = self.ask("query", query=expression)
        return float(data["result"][0]["value"][1]) if data and data["result"] else None

    def up(self) -> set[str]:
        data = self.ask("targets") or {"activeTargets": []}
        return {t["labels"]["instance"] for t in data["activeTargets"] if t["health"] == "up"}

    def firing(self) -> set[tuple[str, str]]:
        alerts = (self.ask("alerts") or {"alerts": []})["alerts"]
        return {
            (alert["labels"]["alertname"], alert["labels"].get("job", ""))
            for alert in alerts
            if alert["state"] == "firing"
        }


@contextmanager
def prometheus(folder: Path, targets: list[str]) -> Iterator[Prometheus]:
    """Our own configuration and rules, but in a hurry."""
    program = shutil.which("prometheus")
    if program is None:
        pytest.skip("prometheus is not on this machine")
    configuration = yaml.safe_load((MONITORING / "prometheus.yml").read_text())
    configuration["global"] = {"scrape_interval": "500ms", "evaluation_interval": "500ms",
                               "scrape_timeout": "500ms"}  # fmt: skip
    (scrape,) = configuration["scrape_configs"]
    del scrape["dns_sd_configs"], configuration["alerting"]
    scrape["static_configs"] = [{"targets": targets}]
    (folder / "prometheus.yml").write_text(yaml.safe_dump(configuration))
    rules = (MONITORING / "rules.yml").read_text()
    (folder / "rules.yml").write_text(re.sub(r"for: \w+", "for: 1s", rules))
    port = free_port()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            [program, "--config.file=prometheus.yml", "--storage.tsdb.path=data",
             f"--web.listen-address=127.0.0.1:{port}"],
            cwd=folder, stdout=log, stderr=subprocess.STDOUT,
        )  # fmt: skip
        try:
            yield Prometheus(port)
        finally:
            process.kill()
            process.wait()


@pytest.mark.slow
def test_the_rules_fire_for_a_failing_and_for_a_silent_job_and_for_a_dead_worker(
    database: str,
    settings: Settings,
    connection: psycopg.Connection[Any],
    tmp_path: Path,
) -> None:
    env = environment(
        database, TEST_NOTES=str(tmp_path / "notes"), QUEUE_WORKER_HTTP_PORT=str(free_port())
    )
    with worker_process(env) as first, worker_process(env) as second:
        targets = ["{}:{}".format(*address_of(worker)) for worker in (first, second)]
        with prometheus(tmp_path, targets) as found:
            eventually(lambda: found.up() == set(targets))
            eventually(lambda: found.firing() == set())

            with SyncQueueClient(without_ticker, settings) as client:
                for job in ("boom", "noop", "plain"):
                    client.enqueue(job)
            silent = """INSERT INTO queue_worker.job (name, description, schedule, queue, priority,
                    timeout, max_attempts, restartable, owner, runbook, registry_digest, next_due_at)
                VALUES ('silent', '', 'every 1 hour', 'default', 0, '1 minute', 1, false, '', '', '',
                    now() - interval '1 hour')"""
            connection.execute(silent)
            eventually(
                lambda: {("JobFailing", "boom"), ("JobOverdue", "silent")} <= found.firing(),
                within=40,
            )
            assert not {("JobFailing", "noop"), ("JobFailing", "plain")} & found.firing()
            assert found.value('sum(job_runs_total{job="boom",outcome="failed"})') == 1
            assert found.value("count(queue_worker_ready == 1)") == 2

            second.stop(signal.SIGKILL)
            eventually(lambda: {("WorkerDown", "queue_worker"), ("WorkerLost", "")} <= found.firing(),
                       within=40)  # fmt: skip
