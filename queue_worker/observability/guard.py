"""Make a log line safe to write: no secrets, bounded, and nothing that could steer a terminal."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, MutableMapping
from typing import Any

from queue_worker.observability.redaction import (
    HIDDEN,
    SHORT,
    names_secret,
    redact_end,
    redact_short,
    redact_start,
)

LONGEST_TEXT = 4_000  # characters of one value
LONGEST_STACK = 8_000
MOST_FIELDS = 64
_MOST_ITEMS = 50
_DEEPEST = 4
_LARGEST_INTEGER = 2**64
_TRUSTED = frozenset({"timestamp", "level", "logger"})  # ours, whatever the caller has said
_STACKS = frozenset({"exception", "stack"})

Line = MutableMapping[str, Any]


def guard(_: object, __: str, line: Line) -> Line:
    """A processor of structlog: the line as it may be written."""
    fields = line.items() if len(line) <= MOST_FIELDS else _first(line, MOST_FIELDS)
    return {
        _text(name): value if name in _TRUSTED else _field(name, value) for name, value in fields
    }


def guard_terminal(_: object, __: str, line: Line) -> Line:
    """The same for a line that is read as it is: what can't be seen is spelled out."""
    return {_escape(name): _as_seen(name, value) for name, value in line.items()}


def _first(line: Line, fields: int) -> list[tuple[str, Any]]:
    return list(itertools.islice(line.items(), fields))


def _field(name: str, value: object) -> object:
    if name in _STACKS:
        kept, is_all = redact_end(str(value), LONGEST_STACK)
        return kept if is_all and len(kept) <= LONGEST_STACK else f"…{kept[-LONGEST_STACK:]}"
    return _named(name, value, 0)


def _named(name: str, value: object, depth: int) -> object:
    return HIDDEN if names_secret(name) else _safe(value, depth)


def _safe(value: object, depth: int) -> object:
    match value:
        case str():
            return _text(value)
        case None | bool():
            return value
        case int():
            return value if abs(value) < _LARGEST_INTEGER else f"<{value.bit_length()} bits>"
        case float():
            return value if math.isfinite(value) else str(value)
    return _several(value, depth + 1) if depth < _DEEPEST else _text(_represent(value))


def _several(value: object, depth: int) -> object:
    match value:
        case Mapping():
            named = ((_text(_represent(name)), part) for name, part in value.items())
            return {
                name: _named(name, part, depth)
                for name, part in itertools.islice(named, _MOST_ITEMS)
            }
        case list() | tuple() | set() | frozenset():
            return [_safe(part, depth) for part in itertools.islice(value, _MOST_ITEMS)]
    return _text(_represent(value))


def _represent(value: object) -> str:
    if isinstance(value, str):
        return value
    try:
        return repr(value)
    except Exception as error:  # noqa: BLE001  whatever a foreign __repr__ does
        return f"<__repr__ of this {type(value).__name__} raised {type(error).__name__}>"


def _text(text: str) -> str:
    if len(text) <= SHORT:
        return redact_short(text)
    kept, is_all = redact_start(text, LONGEST_TEXT)
    if is_all and len(kept) <= LONGEST_TEXT:
        return kept
    return f"{kept[:LONGEST_TEXT]}… ({len(text):,} characters)"


def _as_seen(name: str, value: object) -> object:
    if not isinstance(value, str):
        return value
    return "\n".join(map(_escape, value.split("\n"))) if name in _STACKS else _escape(value)


def _escape(text: str) -> str:
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
