"""A disk that fills up: nothing that was committed is lost, and work goes on when there is room."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from queue_worker import EnqueueRequest, Settings, SyncQueueClient
from tests.support.eventually import eventually
from tests.support.jobs import without_ticker
from tests.support.processes import environment, worker_process


@pytest.fixture
def small_disk(connection: Any) -> Iterator[Path]:
    """A disk of 4 MiB that only the ledger of runs is on."""
    folder = Path(tempfile.mkdtemp(prefix="qw-disk-", dir="/tmp"))
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=4m,mode=777", "tmpfs", str(folder)],
        capture_output=True, check=False,
    )  # fmt: skip
    if mounted.returncode:
        folder.rmdir()
        pytest.skip("only root can mount a small disk")
    try:
        data = folder / "data"
        data.mkdir()
        owner = connection.execute("SHOW data_directory").fetchone()[0]
        shutil.chown(data, Path(owner).owner(), Path(owner).group())
        name = f"small_{os.getpid()}"
        connection.execute(f"CREATE TABLESPACE {name} LOCATION '{data}'")
        connection.execute(f"ALTER TABLE queue_worker.run SET TABLESPACE {name}")
        yield folder
        connection.execute("ALTER TABLE queue_worker.run SET TABLESPACE pg_default")
        connection.execute(f"DROP TABLESPACE {name}")
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


@pytest.mark.fault("F44")
def test_a_run_that_ends_on_a_full_disk_is_closed_when_there_is_room(
    database: str, settings: Settings, connection: Any, small_disk: Path, tmp_path: Path
) -> None:
    notes = tmp_path / "notes"
    notes.touch()
    filler = small_disk / "filler"
    subprocess.run(
        ["dd", "if=/dev/zero", f"of={filler}", "bs=64k"], capture_output=True, check=False
    )
    jobs = [EnqueueRequest(job="nap", args={"name": "x" * 50}) for _ in range(200)]
    with (
        SyncQueueClient(without_ticker, settings) as client,
        worker_process(environment(database, TEST_NOTES=str(notes))) as worker,
    ):
        client.enqueue_many(jobs)
        worker.wait_for("database.unavailable", doing="closing runs")
        assert worker.process.poll() is None
        filler.unlink()
        eventually(
            lambda: connection.execute("SELECT count(*) FROM queue_worker.run").fetchone() == (200,)
        )
        assert worker.stop() == 0
    assert connection.execute("SELECT DISTINCT outcome FROM queue_worker.run").fetchall() == [
        ("succeeded",)
    ]
    ran = [line.split()[2] for line in notes.read_text().splitlines() if line.startswith("start")]
    assert len(ran) == len(set(ran)) == 200
