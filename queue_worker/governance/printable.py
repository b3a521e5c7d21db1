"""Text that somebody else wrote, so that it can be shown: it steers nothing and is not endless."""

from __future__ import annotations

_LONGEST = 4_000


def printable(text: str) -> str:
    """Without the control and format characters that could steer a terminal or turn a line."""
    return "".join(c if c.isprintable() or c == "\n" else "\N{REPLACEMENT CHARACTER}" for c in text)


def shortened(text: str) -> str:
    """The beginning of a text that is longer than anybody reads, and how long it was."""
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}… ({len(text):,} characters)"


def one_line(text: str) -> str:
    """Both, and on one line."""
    return printable(" ".join(shortened(text).split()))
