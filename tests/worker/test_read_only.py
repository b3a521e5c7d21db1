"""A worker as its container has it: no rights, and a root file system on which nothing can be written."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from queue_worker import Settings, SyncQueueClient
from tests.support import processes
from tests.support.jobs import without_ticker
from tests.support.processes import environment, worker_process

# In a namespace of its own the root again, read-only, with one folder of memory; as user 10001, for
# good. A Python in the home of root is shown without the rest of it, which is closed to others.
CONFINED = """
python=$1 home=$2 && shift 2
mount --make-rprivate / && mount --rbind / /mnt && mount -o remount,bind,ro /mnt &&
mount -t tmpfs tmpfs /mnt/var/tmp
case $python in
    "$home"/*)
        mkdir /mnt/var/tmp/python && mount --bind "$python" /mnt/var/tmp/python &&
        mount -t tmpfs -o mode=755 tmpfs "/mnt$home" && mkdir -p "/mnt$python" &&
        mount --move /mnt/var/tmp/python "/mnt$python" && rmdir /mnt/var/tmp/python &&
        mount -o remount,ro "/mnt$home"
esac &&
exec chroot /mnt setpriv --reuid=10001 --regid=10001 --clear-groups --no-new-privs \\
    --bounding-set=-all --inh-caps=-all env TMPDIR=/var/tmp HOME=/nonexistent "$@"
"""


def confined(command: list[str]) -> list[str]:
    home = pwd.getpwuid(0).pw_dir
    return ["unshare", "--mount", "sh", "-c", CONFINED, "sh", sys.base_prefix, home, *command]


@pytest.fixture(autouse=True)
def in_a_container(monkeypatch: pytest.MonkeyPatch) -> None:
    if os.geteuid() or not (shutil.which("unshare") and shutil.which("setpriv")):
        pytest.skip("only root on Linux can make one")
    command = processes.command
    python = command()[0]
    tried = subprocess.run(
        confined([python, "-c", "import queue_worker"]), cwd="/", capture_output=True, check=False
    )
    if tried.returncode:
        pytest.skip("there can be none here, or the checkout is closed to other users")
    monkeypatch.setattr(processes, "command", lambda *words: confined(command(*words)))


def test_a_worker_writes_nothing_and_needs_no_rights(
    database: str, settings: Settings, tmp_path: Path
) -> None:
    with pytest.raises(subprocess.CalledProcessError):
        subprocess.run(confined(["touch", str(tmp_path / "x")]), check=True, capture_output=True)
    env = environment(database, TEST_NOTES="/var/tmp/notes")
    with worker_process(env) as worker, SyncQueueClient(without_ticker, settings) as client:
        status = Path(f"/proc/{worker.process.pid}/status").read_text()
        assert "Uid:\t10001\t10001\t10001\t10001" in status
        assert "CapEff:\t0000000000000000" in status
        assert "CapBnd:\t0000000000000000" in status
        for job in ("noop", "plain"):
            client.enqueue(job)
            worker.wait_for("job.succeeded", job=job)
        assert worker.stop() == 0
