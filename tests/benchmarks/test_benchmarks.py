"""Every measurement still works, in the smallest sizes, and its results have their shape."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from tests.benchmarks.measurements import measure
from tests.benchmarks.plan import MEASUREMENTS, Plan
from tests.benchmarks.plot import draw
from tests.benchmarks.samples import Results, Sample
from tests.benchmarks.server import BenchmarkServer, CannotMeasureError
from tests.benchmarks.systems import procrastinate_tables as tables
from tests.benchmarks.systems.ours import Ours
from tests.benchmarks.tables import render

PLAN = Plan(
    systems=("ours",),
    rounds=1,
    seconds=0.05,
    workers=(1,),
    concurrency=50,
    batch=20,
    samples=5,
    rows=50,
    locked=5,
    churned=20,
    cases=("later", "lock"),
    lock_jobs=5,
    concurrencies=(2,),
    settle=0.3,
    idle_seconds=0.5,
    fleet=2,
    calls=50,
)
EXPECTED = {
    "drain": {"jobs_per_s", "run_jobs_per_s"},
    "enqueue": {"jobs_per_s"},
    "pickup": {"p50_ms", "p95_ms", "p99_ms"},
    "growth": {"jobs_per_s", "empty_jobs_per_s", "times_empty"},
    "lock": {"jobs_per_s", "seconds", "jobs_done"},
    "idle": {"transactions_per_min", "transactions_per_notify"},
    "overhead": {"runner_cpu_us_per_job", "percent"},
}


@pytest.fixture
def server(server_dsn: str) -> Iterator[BenchmarkServer]:
    server = BenchmarkServer(server_dsn)
    yield server
    server.drop_templates()


@pytest.mark.parametrize("measurement", MEASUREMENTS)
def test_each_measurement_gives_its_figures(
    server: BenchmarkServer, measurement: str, tmp_path: Path
) -> None:
    results = Results()
    measure(_only(measurement), server, results)
    assert not results.has_failed, results.notes
    results.write(tmp_path / "figures.json")
    data = json.loads((tmp_path / "figures.json").read_text())
    assert data["format"] == 1
    assert {"cpus", "python", "versions", "server", "settings"} <= data["conditions"].keys()
    assert {sample["metric"] for sample in data["samples"]} >= EXPECTED[measurement]
    assert {sample["measurement"] for sample in data["samples"]} == {measurement}
    assert all(sample["system"] == "ours" for sample in data["samples"])
    assert Results.read(tmp_path / "figures.json").samples == results.samples


def test_beside_finished_jobs_each_job_is_recorded_as_often_as_in_empty_tables(
    server: BenchmarkServer,
) -> None:
    """A fill that switches a trigger on has others do the work of ours again."""
    system = Ours(1)
    with (
        server.database("ours", system.create) as dsn,
        psycopg.connect(dsn, autocommit=True) as connection,
    ):
        system.fill_finished(connection, 3)
        tables.churn(connection, 2)
        assert set(tables.finished(connection).values()) == {5}


def test_what_is_not_there_is_refused_with_a_remedy(server: BenchmarkServer) -> None:
    with pytest.raises(CannotMeasureError, match="Measurements are: drain"):
        measure(Plan(measurements=("dran",)), server, Results())
    with pytest.raises(CannotMeasureError, match="--systems takes: ours"):
        measure(Plan(systems=("celery",)), server, Results())


def test_the_tables_compare_within_a_round() -> None:
    results = Results({"cpus": 2}, [_sample("ours", 0, 10), _sample("ours", 1, 40)])
    results.samples += [_sample("pgqueuer-a", 0, 20), _sample("pgqueuer-a", 1, 10)]
    results.samples += [_sample("pgqueuer-b", 0, 5), _sample("pgqueuer-b", 1, 80)]
    text = render(results, markdown=True)
    assert "| 1 worker | ours | 25.0 | 10.0 to 40.0 | 2 |  |" in text
    assert "| 1 worker | pgqueuer-a | 15.0 | 10.0 to 20.0 | 2 | 2.25 (0.50 to 4.00) |" in text
    assert "| 1 worker | best pgqueuer of the round |  |  |  | 0.50 (0.50 to 0.50) |" in text


def test_the_figures_can_be_drawn(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    results = Results({}, [_sample("ours", 0, 10), _sample("procrastinate", 0, 1)])
    draw(results, tmp_path / "figures.svg")
    assert (tmp_path / "figures.svg").read_text().startswith("<?xml")


def _only(measurement: str) -> Plan:
    return Plan(**{**vars(PLAN), "measurements": (measurement,)})


def _sample(system: str, number: int, value: float) -> Sample:
    return Sample(
        measurement="drain", case="1 worker", system=system, round=number,
        metric="jobs_per_s", value=value,
    )  # fmt: skip
