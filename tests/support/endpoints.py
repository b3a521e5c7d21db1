"""Ask the endpoints of a worker process."""

from __future__ import annotations

import http.client
from contextlib import closing
from dataclasses import dataclass

from prometheus_client.parser import text_string_to_metric_families

from tests.support.processes import WorkerProcess


@dataclass
class Page:
    status: int
    headers: dict[str, str]
    body: str


def address_of(worker: WorkerProcess) -> tuple[str, int]:
    """Where it listens; it has said so in its log."""
    line = worker.wait_for("endpoints.listening")
    return line["host"], line["port"]


def get(worker: WorkerProcess, path: str, method: str = "GET") -> Page:
    with closing(http.client.HTTPConnection(*address_of(worker), timeout=10)) as connection:
        connection.request(method, path)
        response = connection.getresponse()
        return Page(response.status, dict(response.getheaders()), response.read().decode())


def metrics_of(worker: WorkerProcess) -> dict[str, float]:
    """Its series by name and labels, as `name{label="value"}`."""
    page = get(worker, "/metrics")
    assert page.status == 200, page
    return parse(page.body)


def parse(text: str) -> dict[str, float]:
    return {
        _key(sample.name, sample.labels): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def _key(name: str, labels: dict[str, str]) -> str:
    pairs = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    return f"{name}{{{pairs}}}" if pairs else name
