"""docs/ALERTS.md: its example checks real signatures, and its tables say what the code does."""

from __future__ import annotations

import re
import time
from typing import Any

from queue_worker.housekeeping import deliver_alerts
from queue_worker.observability.alerts.addresses import _KINDS
from queue_worker.observability.alerts.webhook import sign
from queue_worker.statements import sql_root
from queue_worker.worker import lookout
from tests.support.blocks import read_blocks
from tests.support.processes import REPOSITORY

PATH = REPOSITORY / "docs" / "ALERTS.md"
PAGE = PATH.read_text()


def test_the_example_accepts_what_we_sign_and_nothing_else() -> None:
    (example,) = read_blocks(PATH, "python")
    scope: dict[str, Any] = {}
    exec(example.text, scope)
    is_from_us = scope["is_from_us"]
    now = str(int(time.time()))
    headers = {"webhook-id": "7", "webhook-timestamp": now}
    headers["webhook-signature"] = sign(b"0123456789abcdef", "7", now, b"{}")
    secret = "whsec_MDEyMzQ1Njc4OWFiY2RlZg=="
    assert is_from_us(secret, headers, b"{}")
    assert not is_from_us(secret, headers, b"{ }")
    assert not is_from_us("whsec_MDEyMzQ1Njc4OWFiY2RlZf==", headers, b"{}")
    assert not is_from_us(secret, {**headers, "webhook-id": "8"}, b"{}")
    assert not is_from_us(secret, {**headers, "webhook-timestamp": "1000000000"}, b"{}")


def test_every_type_is_explained() -> None:
    migration = (sql_root() / "migrations" / "0005_alerts.sql").read_text()
    (declared,) = re.findall(
        r"CREATE TYPE queue_worker.alert_type AS ENUM \((.*?)\);", migration, re.DOTALL
    )
    explained = re.findall(r"^\| `([A-Z_]+)` \|", PAGE, flags=re.MULTILINE)
    assert sorted(explained) == sorted(re.findall(r"'(\w+)'", declared))


def test_every_kind_of_sink_is_explained() -> None:
    explained = re.findall(r"^\| `(\w+)[:+]", PAGE, flags=re.MULTILINE)
    assert {*explained, "smtps"} == set(_KINDS)


def test_the_numbers_are_those_of_the_code() -> None:
    text = " ".join(PAGE.split())
    waits = [
        min(deliver_alerts.FIRST_WAIT * 2**tries, deliver_alerts.LONGEST_WAIT)
        for tries in range(deliver_alerts.MOST_TRIES - 1)
    ]
    assert deliver_alerts.MOST_TRIES == 20
    assert 55 < sum(waits) / 60 < 65, "about an hour"
    assert "more than ten alerts of one type" in text
    assert lookout.STORM == 10
    assert (lookout.UNKNOWN_AFTER, lookout.LONG_AFTER, lookout.SNAPSHOT_AFTER) == (60, 10, 900)
