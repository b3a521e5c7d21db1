"""What went wrong in a run, in a form that is safe to store: bounded, no secrets, never raising."""

from __future__ import annotations

import re
import traceback
from dataclasses import dataclass

from queue_worker.errors import JobFunctionError
from queue_worker.observability.redaction import redact_end, redact_start

MESSAGE_BYTES = 2_000
TRACEBACK_BYTES = 6_000
_CLASS_CHARACTERS = 100


@dataclass(frozen=True, slots=True)
class Failure:
    """One error.

    Attributes:
        error_class: the name of its class, or the reason in one word.
        message: its message, shortened.
        traceback: the end of its traceback, or None.
    """

    error_class: str
    message: str
    traceback: str | None = None


def describe_failure(error: BaseException) -> Failure:
    """The failure that an exception stands for."""
    if isinstance(error, JobFunctionError):
        trace = _shorten_from_left(error.traceback_text)
        return Failure(error.error_class, shorten(str(error)), trace)
    return Failure(
        class_of(error), shorten(message_of(error)), _shorten_from_left(traceback_of(error))
    )


def class_of(error: BaseException) -> str:
    """The name of an exception's class, fit for a label: a class can have any name."""
    return re.sub(r"[^\w.]", "_", type(error).__name__[:_CLASS_CHARACTERS]) or "Exception"


def message_of(error: BaseException) -> str:
    """The message of an exception, even if its __str__ raises."""
    try:
        return str(error)
    except Exception as second:  # noqa: BLE001  whatever a foreign __str__ does
        return f"<__str__ of this {type(error).__name__} raised {type(second).__name__}>"


def traceback_of(error: BaseException) -> str:
    """The traceback of an exception as text, even if it cannot be formatted."""
    try:
        return "".join(traceback.format_exception(error, limit=-30))
    except Exception as second:  # noqa: BLE001  whatever a foreign exception does
        return f"<no traceback: {type(second).__name__}>"


def shorten(text: str) -> str:
    """Text that Postgres can store: the first MESSAGE_BYTES without secrets, and its length."""
    safe, is_all = redact_start(text, MESSAGE_BYTES)
    kept = _encode(safe)[:MESSAGE_BYTES].decode(errors="ignore")
    return kept if is_all and len(kept) == len(safe) else f"{kept}… ({len(text):,} characters)"


def _shorten_from_left(text: str) -> str:
    safe, is_all = redact_end(text, TRACEBACK_BYTES)
    kept = _encode(safe)[-TRACEBACK_BYTES:].decode(errors="ignore")
    return kept if is_all and len(kept) == len(safe) else f"…{kept}"


def _encode(text: str) -> bytes:
    return text.replace("\0", "�").encode(errors="replace")
