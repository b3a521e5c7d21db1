"""Whatever is logged: one line, one JSON object, bounded, without secrets, and safe to look at."""

from __future__ import annotations

import io
import json
import logging
import sys
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import structlog
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from queue_worker.observability import logs, redaction
from queue_worker.observability.guard import LONGEST_STACK, LONGEST_TEXT, MOST_FIELDS
from queue_worker.observability.logs import configure_logs
from queue_worker.settings import load_settings

SECRET = "hunter2-Tr0ub4dor"
DSN = f"postgresql://me:{SECRET}@127.0.0.1:1/app"
Said = Callable[[], str]

# letters of every kind, control characters and lone surrogates too
anything = st.text(
    st.characters(exclude_categories=()) | st.sampled_from("\x1b\r\n\0\x9b\u202e🐘\ud800")
)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | anything | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(anything | st.integers(), inner),
    max_leaves=10,
)
fuzzed = hypothesis_settings(
    max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    root, known = logging.getLogger(), list(redaction._known)
    handlers, level, facts = root.handlers, root.level, logs.process_facts()
    yield
    structlog.reset_defaults()
    root.handlers, root.level = handlers, level
    redaction._known[:] = known
    logs._process.clear()
    logs._process.update(facts)


def begin(monkeypatch: pytest.MonkeyPatch, log_format: str, level: str = "info") -> Said:
    """Configure logs; returns what was said since it was last asked."""
    stream = io.TextIOWrapper(io.BytesIO(), "utf-8", errors="backslashreplace")
    monkeypatch.setattr(sys, "stderr", stream)
    configure_logs(load_settings(database_url=DSN, log_format=log_format, log_level=level))

    def said() -> str:
        stream.flush()
        raw = stream.buffer
        assert isinstance(raw, io.BytesIO)
        text = raw.getvalue().decode()
        raw.seek(0)
        raw.truncate()
        return text

    return said


@pytest.fixture
def as_json(monkeypatch: pytest.MonkeyPatch) -> Said:
    return begin(monkeypatch, "json")


@pytest.fixture
def on_terminal(monkeypatch: pytest.MonkeyPatch) -> Said:
    return begin(monkeypatch, "console")


def _leave_out_pytest() -> None:
    """It keeps every line as it was said, however long, and looks at it again."""
    root = logging.getLogger()
    root.handlers = [handler for handler in root.handlers if isinstance(handler, logs._Handler)]


def log() -> Any:
    _leave_out_pytest()
    return structlog.stdlib.get_logger("test")


def library(name: str = "library") -> logging.Logger:
    _leave_out_pytest()
    return logging.getLogger(name)


def log_failure(message: str, beside: str = "") -> None:
    try:
        raise ValueError(message)  # noqa: TRY301  it needs a traceback
    except ValueError:
        log().exception("it.failed")


def only_line(said: str) -> dict[str, Any]:
    (text,) = said.splitlines()

    def refuse(constant: str) -> None:
        raise AssertionError(f"{constant} is no JSON")

    line: dict[str, Any] = json.loads(text, parse_constant=refuse)
    return line


@given(event=anything, key=anything.filter(lambda k: k not in {"event", "_name"}), value=values)
@fuzzed
def test_whatever_is_logged_is_one_json_object_on_one_line(
    as_json: Said, event: str, key: str, value: Any
) -> None:
    log().info(f"{event}{DSN}", **{key: value, "inner": [value, {"x": f"{event} {SECRET}"}]})
    said = as_json()
    assert only_line(said)["level"] == "info"
    assert said.isascii()
    assert SECRET not in said


@given(event=anything, value=values)
@fuzzed
def test_whatever_is_logged_cannot_steer_a_terminal(
    on_terminal: Said, event: str, value: Any
) -> None:
    log().warning(f"{event}{DSN}", key=value, text=f"{event} {SECRET}")
    library().warning("%s", event)
    said = on_terminal()
    assert SECRET not in said
    assert all(character.isprintable() for character in said.replace("\n", ""))
    assert said.count("\n") == 2, "one line each"


@given(message=anything)
@fuzzed
def test_a_stack_is_bounded_and_safe_too(on_terminal: Said, message: str) -> None:
    log_failure(message + DSN)
    said = on_terminal()
    assert "ValueError" in said
    assert SECRET not in said
    assert all(character.isprintable() for character in said.replace("\n", ""))


@pytest.mark.parametrize("letter", ["x", "ü", "🐘", "\0", "\ud800", "\x1b"])
def test_ten_megabytes_are_cut(as_json: Said, letter: str) -> None:
    huge = letter * (10_000_000 // len(letter.encode(errors="surrogatepass")))
    log().info(huge, huge=huge, many=[huge] * 100)
    line = only_line(as_json())
    assert len(line["huge"]) < LONGEST_TEXT + 50
    assert line["huge"].endswith(f"… ({len(huge):,} characters)")
    assert len(line["many"]) == 50
    library().error("%s", huge)
    assert len(only_line(as_json())["event"]) < LONGEST_TEXT + 50
    log_failure(huge)
    assert len(only_line(as_json())["exception"]) <= LONGEST_STACK + 1


def test_too_many_fields_are_left_out(as_json: Said) -> None:
    log().info("much", **{f"field_{number}": number for number in range(1_000)})
    assert len(only_line(as_json())) == MOST_FIELDS


def test_what_is_called_a_secret_is_hidden_whatever_it_is(as_json: Said) -> None:
    log().info("sent", api_key=12345, headers={"Authorization": ["x"], "Accept": "y"})
    line = only_line(as_json())
    assert line["api_key"] == "***"
    assert line["headers"] == {"Authorization": "***", "Accept": "y"}


class Mute:
    def __repr__(self) -> str:
        raise RuntimeError("no")


def test_what_cannot_be_represented_is_told_of(as_json: Said) -> None:
    log().info("odd", value=Mute(), huge=10**5_000, deep=[[[[[[1]]]]]])
    line = only_line(as_json())
    assert line["value"] == "<__repr__ of this Mute raised RuntimeError>"
    assert line["huge"].endswith("bits>")
    assert line["deep"] == [[[["[[1]]"]]]]


def test_a_call_of_logging_that_does_not_fit_is_a_line_too(as_json: Said) -> None:
    library().warning("%d orders", "no number")
    line = only_line(as_json())
    assert (line["event"], line["logger"], line["problem"]) == (
        "log.unreadable",
        "library",
        "TypeError",
    )


def test_no_variable_stands_beside_a_stack(on_terminal: Said) -> None:
    log_failure("x", beside="4111")
    assert "4111" not in on_terminal()


def test_every_line_of_a_process_carries_its_worker(as_json: Said) -> None:
    logs.bind_process(worker_id=7)
    log().info("ours")
    assert only_line(as_json())["worker_id"] == 7
    library().warning("theirs")
    assert only_line(as_json())["worker_id"] == 7


@pytest.mark.parametrize(("level", "least"), [("debug", "warning"), ("error", "error")])
def test_procrastinate_is_never_heard_below_a_warning(
    monkeypatch: pytest.MonkeyPatch, level: str, least: str
) -> None:
    said = begin(monkeypatch, "json", level)
    theirs = library("procrastinate.worker")
    for number in (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR):
        theirs.log(number, "job x(card=4111)", extra={"job": {"args": {"card": "4111"}}})
    lines = [json.loads(text) for text in said().splitlines()]
    assert lines[0]["level"] == least
    assert "args" not in str(lines)
