"""The example project: its own tests pass, on a server of somebody's and on one of their own."""

from __future__ import annotations

import re
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory

import psycopg
import pytest

from tests.support.processes import REPOSITORY
from tests.testing.conftest import Pytest


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A copy of the example, so that nothing is written into the documentation."""
    copy = tmp_path / "shop"
    shutil.copytree(REPOSITORY / "docs" / "examples" / "shop", copy)
    return copy


def test_the_tests_of_the_example_pass(shop: Path, run_pytest: Pytest, server_dsn: str) -> None:
    before = databases(server_dsn)
    elsewhere = {"JOB_DRY_RUN": "1", "QUEUE_WORKER_DIRECT_URL": "postgresql://nowhere/"}
    assert re.search(r"^6 passed", run_pytest(shop, "-q", **elsewhere), flags=re.MULTILINE)
    assert databases(server_dsn) <= before


def test_they_need_no_server_and_share_one_among_processes(shop: Path, run_pytest: Pytest) -> None:
    with TemporaryDirectory(dir="/tmp") as folder:  # a path that is short enough for a socket
        printed = run_pytest(
            shop, "-q", "-n", "2", "-k", "an_order", DATABASE_URL="", TMPDIR=folder
        )
        assert list(Path(folder).glob("queue-worker-*")) == []
    assert re.search(r"^2 passed", printed, flags=re.MULTILINE)


@pytest.mark.parametrize("guard", ["args=Receipt(order_id=order_id)", "count=0"])
def test_they_fail_when_the_shop_is_broken(shop: Path, run_pytest: Pytest, guard: str) -> None:
    """The job is enqueued for another order, and outside of the transaction."""
    orders = shop / "shop" / "orders.py"
    text = orders.read_text()
    broken = text.replace("order_id=order_id), connection=connection)", "order_id=order_id + 1))")
    assert broken != text
    orders.write_text(broken)
    printed = run_pytest(shop, "-q", "-k", "enqueues", ends_with=1)
    assert "2 failed" in printed
    assert guard in printed


def databases(server_dsn: str) -> set[str]:
    with psycopg.connect(server_dsn) as connection:
        rows = connection.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE 'queue_worker_test_%'"
        ).fetchall()
    return {name for (name,) in rows}
