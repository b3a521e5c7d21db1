"""Whatever an error says, what is told of it is one short line without secrets."""

from __future__ import annotations

import json
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queue_worker.observability.alerts.message import MOST_CHARACTERS, presentable
from tests.support.alerts import message


def test_the_text_has_all_that_one_needs() -> None:
    assert message().text.splitlines() == [
        "JOB_FAILED a",
        "Last: boom",
        "Count: 12,000, 9,999 of them held back since the last message",
        "First seen: 2026-01-01 00:00:00 UTC",
        "Last seen: 2026-01-01 00:00:00 UTC",
        "Owner: ada",
        "Runbook: docs/a.md",
        "More: queue-worker show 7.1",
        "Id: 00000000-0000-0000-0000-000000000001",
    ]
    assert message(kind="resolved").title == "RESOLVED JOB_FAILED a"


@given(st.text() | st.text(alphabet=st.characters(categories=["Cc", "Cf", "Cs", "Zl", "Zp", "So"])))
def test_no_text_breaks_a_line_or_steers_a_terminal(text: str) -> None:
    told = message(summary=text, subject=text, owner=text)
    assert len(told.text.splitlines()) == len(message().text.splitlines()) - (not told.owner) - (
        not told.summary
    )
    assert all(c.isprintable() for c in told.summary + told.subject + told.owner)
    assert json.loads(json.dumps(told.facts).encode())["summary"] == told.summary
    told.text.encode()


@given(
    st.text(alphabet=st.characters(exclude_characters="/@ '\",;&", exclude_categories=["Z", "C"]),
            min_size=6),
    st.sampled_from(
        ["postgresql://ada:{}@db/app", "token={}", "password: {}", '"api_key": "{}"',
         "Authorization: Bearer {}", "SECRET={} and more"]
    ),
    st.text(),
)  # fmt: skip
def test_no_secret_is_told(secret: str, form: str, around: str) -> None:
    secret = f"S3{secret}"
    told = presentable(f"{form.format(secret)} {around.replace(secret, '')}")
    assert secret not in told


def test_ten_megabytes_are_shortened_at_once() -> None:
    began = time.perf_counter()
    told = message(summary="\N{PILE OF POO}\x1b[2J " * 2_500_000)
    assert time.perf_counter() - began < 0.5
    assert len(told.summary) <= MOST_CHARACTERS + 1


@pytest.mark.parametrize("text", [b"\xff\xfe\x00bytes".decode(errors="surrogateescape"), "\ud800"])
def test_what_is_no_text_becomes_text(text: str) -> None:
    replace(message(), summary=text).text.encode()
