"""Take secrets out of text before it is stored or sent."""

from __future__ import annotations

import re

_PASSWORD_IN_URL = re.compile(
    r"(?P<before>\b[a-z][a-z0-9+.-]*://[^\s/:@]*:)[^\s/@]+(?=@)", re.IGNORECASE
)
_NAMED = re.compile(
    r"(?P<before>\b(?:password|passwd|pwd|secret|token|api[_-]?key|authorization)\b[\"']?\s*[=:]\s*[\"']?"
    r"(?:bearer |basic )?)[^\s\"',;&]+",
    re.IGNORECASE,
)
_HIDDEN = r"\g<before>***"


def redact(text: str) -> str:
    """The text without passwords in URLs, and without what is named as a secret."""
    return _NAMED.sub(_HIDDEN, _PASSWORD_IN_URL.sub(_HIDDEN, text))
