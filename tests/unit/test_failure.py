"""A failure is always describable: bounded, storable, and never raising itself."""

from __future__ import annotations

from typing import Any

import pytest

from queue_worker.errors import JobFunctionError
from queue_worker.execution.failure import (
    TRACEBACK_BYTES,
    Failure,
    describe_failure,
)


class Mute(Exception):  # noqa: N818  what it is matters here
    def __str__(self) -> str:
        raise RuntimeError("no")


class Numeric(Exception):  # noqa: N818  what it is matters here
    def __str__(self) -> Any:
        return 7  # noqa: PLE0307  the point


class Doubled(Exception):  # noqa: N818  what it is matters here
    def __str__(self) -> str:
        return str(self)

    __repr__ = __str__


def raised(error: BaseException) -> BaseException:
    try:
        raise error  # noqa: TRY301  it needs a traceback
    except BaseException as caught:  # noqa: BLE001  whatever it is
        return caught


def is_storable(failure: Failure) -> bool:
    texts = (failure.error_class, failure.message, failure.traceback or "")
    return all("\0" not in text and text.encode() is not None for text in texts)


def test_an_error_is_its_class_message_and_traceback() -> None:
    failure = describe_failure(raised(ValueError("bad")))
    assert (failure.error_class, failure.message) == ("ValueError", "bad")
    assert failure.traceback
    assert failure.traceback.endswith("ValueError: bad\n")


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (Mute(), "<__str__ of this Mute raised RuntimeError>"),
        (Numeric(), "<__str__ of this Numeric raised TypeError>"),
        (Doubled(), "<__str__ of this Doubled raised RecursionError>"),
        (ValueError("a\0b"), "a�b"),
        (ValueError("a\ud800b"), "a?b"),
        (ValueError(), ""),
        (SystemExit(3), "3"),
        (KeyboardInterrupt(), ""),
    ],
)
def test_whatever_an_error_says_can_be_stored(error: BaseException, message: str) -> None:
    failure = describe_failure(raised(error))
    assert failure.message == message
    assert is_storable(failure)


@pytest.mark.fault("F20")
@pytest.mark.parametrize("letter", ["x", "ü", "漢", "🐘", "\0", "\ud800"])
def test_twenty_megabytes_are_cut_to_eight_kilobytes(letter: str) -> None:
    failure = describe_failure(raised(ValueError(letter * 5_000_000)))
    assert failure.message.startswith(describe_failure(ValueError(letter * 3)).message)
    assert failure.message.endswith("… (5,000,000 characters)")
    assert failure.traceback
    assert len((failure.message + failure.traceback).encode()) <= 8_192
    assert is_storable(failure)


def test_a_recursion_without_end_is_an_error_as_any_other() -> None:
    def again() -> None:
        again()

    with pytest.raises(RecursionError) as caught:
        again()
    failure = describe_failure(caught.value)
    assert failure.error_class == "RecursionError"
    assert failure.traceback
    assert len(failure.traceback) <= TRACEBACK_BYTES + 1


def test_a_chain_without_end_is_cut() -> None:
    error: BaseException = ValueError("first")
    for number in range(3_000):
        following = ValueError(f"number {number}")
        following.__cause__ = error
        error = following
    failure = describe_failure(raised(error))
    assert failure.message == "number 2999"
    assert is_storable(failure)


def test_a_group_is_described_with_its_parts() -> None:
    failure = describe_failure(raised(ExceptionGroup("several", [Mute(), ValueError("a\0\ud800")])))
    assert failure.error_class == "ExceptionGroup"
    assert is_storable(failure)


def test_what_a_child_process_raised_keeps_its_name() -> None:
    failure = describe_failure(JobFunctionError("ZeroDivisionError", "by\0zero", "trace\0" * 5_000))
    assert failure.error_class == "ZeroDivisionError"
    assert failure.message == "by�zero"
    assert failure.traceback
    assert len(failure.traceback) <= TRACEBACK_BYTES + 1
    assert is_storable(failure)
