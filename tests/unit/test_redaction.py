"""Secrets never come through, wherever they stand in a text; ordinary words do."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from queue_worker.observability import redaction
from queue_worker.observability.redaction import (
    HIDDEN,
    names_secret,
    redact,
    redact_end,
    redact_start,
    register_secrets,
)

SECRET = "hunter2-Tr0ub4dor"


@pytest.fixture(autouse=True)
def _forget_known() -> Iterator[None]:
    before = list(redaction._known)
    redaction._known.clear()
    yield
    redaction._known[:] = before


@pytest.mark.parametrize(
    "text",
    [
        f"postgresql://me:{SECRET}@host:5432/app",
        f"could not connect to postgres://me:a/b@c:{SECRET}@host/app?x=1 at once",
        f"https://user:{SECRET}@hooks.example.com/x",
        f"host=db password={SECRET} dbname=app",
        f"host=db password = '{SECRET} and more' dbname=app",
        f"PGPASSWORD={SECRET} psql",
        f'{{"api_key": "{SECRET}"}}',
        f"{{'client_secret': '{SECRET}'}}",
        f'said "{{\\"access_token\\": \\"{SECRET}\\"}}"',
        f"Authorization: Bearer {SECRET}",
        f"sent bearer {SECRET}",
        f"Cookie: {SECRET}",
        f"?token={SECRET}&page=2",
        f"signing_key=>{SECRET}",
        f'password="{SECRET}',
        f'password="a\\"{SECRET}"',
        f"-----BEGIN RSA PRIVATE KEY-----\nMIIE{SECRET}\n-----END RSA PRIVATE KEY-----",
        f"-----BEGIN PRIVATE KEY-----\n{SECRET}",
        f"xoxb-1234-{SECRET}",
        f"https://hooks.slack.com/services/T0/B0/{SECRET}",
        f"eyJhbGciOiJIUzI1.eyJzdWIiOiIx.{SECRET}",
    ],
)
def test_what_looks_like_a_secret_is_hidden(text: str) -> None:
    found = redact(text)
    assert SECRET not in found
    assert HIDDEN in found


@pytest.mark.parametrize(
    "text",
    [
        "",
        'password authentication failed for user "me"',
        "invalid literal for int() with base 10: 'x'",
        "no such job: token.refresh",
        "http://127.0.0.1:9464/metrics answered 503",
        "3 tests passed: all of them",
        "lock key 'reports' is held by worker 7",
        "postgresql://me@host:5432/app",
        "Größe 漢 🐘",
    ],
)
def test_what_is_no_secret_is_left_as_it_is(text: str) -> None:
    assert redact(text) == text


def test_a_secret_that_is_known_is_hidden_in_every_form() -> None:
    register_secrets(["p@ss/wörd", "p@ss/wörd and more", "abc"])
    assert redact("p@ss/wörd p%40ss%2Fw%C3%B6rd p@ss/wörd and more") == "*** *** ***"
    assert redact("abc") == "abc", "so short a secret would hide every word"


@given(before=st.text(), after=st.text())
def test_a_known_secret_never_comes_through(before: str, after: str) -> None:
    redaction._known.clear()
    register_secrets([SECRET])
    assert SECRET not in redact(before + SECRET + after)


@given(
    key=st.sampled_from(["password", "API_KEY", "db_password", "client-secret", "X-Auth-Token"]),
    separator=st.sampled_from(["=", ": ", " = ", '": "', "=>", "': '"]),
    before=st.text(max_size=50),
    value=st.from_regex(r"[A-Za-z0-9+/_.-]{6,40}", fullmatch=True),
)
def test_what_is_called_a_secret_never_comes_through(
    key: str, separator: str, before: str, value: str
) -> None:
    found = redact(f"{before}\n{key}{separator}{value}")
    assert found.endswith(HIDDEN)
    assert value not in found.removeprefix(before)


@given(st.text())
def test_any_text_can_be_redacted_twice_and_that_changes_nothing(text: str) -> None:
    once = redact(text)
    assert redact(once) == once


@pytest.mark.parametrize("near", [0, 1_950, 2_950, 3_950])
@pytest.mark.parametrize("cut", [redact_start, redact_end])
def test_no_part_of_a_secret_is_left_at_a_cut(
    cut: Callable[[str, int], tuple[str, bool]], near: int
) -> None:
    for filler in range(near, near + 100):
        dsn = f"postgresql://me:{SECRET}@host/app"
        parts = ["x" * filler, dsn, "y" * 10_000]
        found, _ = cut(" ".join(parts if cut is redact_start else reversed(parts)), 2_000)
        assert len(found) > 2_000
        assert SECRET[:6] not in found
        assert SECRET[-6:] not in found


@pytest.mark.parametrize(
    "unit", ["a", "://a:", "password", "token=", "eyJaaaaaaaaa.", "-----BEGIN PRIVATE KEY-----",
             'password="\\', "secret     ", "x bearer ", "'", "\x00", "🐘"],
)  # fmt: skip
def test_ten_megabytes_are_cut_before_they_are_looked_at(unit: str) -> None:
    text = unit * (10_000_000 // len(unit))
    began = time.process_time()
    found, is_all = redact_start(text, 2_000)
    assert not is_all
    assert len(found) <= 4_000
    assert time.process_time() - began < 1.0


def test_a_name_tells_that_what_it_names_is_secret() -> None:
    assert all(map(names_secret, ["password", "api_key", "DB_PASSWORD", "authorization"]))
    assert not any(map(names_secret, ["job", "run_id", "lock_key", "queue_job_ids", "reason"]))
