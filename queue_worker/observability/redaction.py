"""Take secrets out of text: those we were given, and what looks like one.

Rather too much than too little: a word that was no secret can be found again, a password that was
printed can't be taken back. It takes a microsecond for most texts, and for none longer than about a
second for a megabyte; cut what has no bounds before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from typing import NamedTuple
from urllib.parse import quote

HIDDEN = "***"
_CUT_IN_TWO = 1_000  # characters; so near to a cut may be a part of a secret, that looks like none
SHORT = 100  # characters
SHORTEST_SECRET = 4  # characters; a shorter one would take the letters out of every word


class _Rule(NamedTuple):
    """Looked for only where one of the signs stands, in small letters: that is much quicker."""

    signs: tuple[str, ...]
    pattern: re.Pattern[str]
    put: str


_RULES = (
    _Rule(  # a password in a URL or DSN, however badly it is escaped
        ("://",), re.compile(r"(://[^\s:/?#@]{0,256}):\S{0,512}@"), rf"\1:{HIDDEN}@"
    ),
    _Rule(  # name=value, name: value, "name": "value"
        ("pass", "pwd", "secret", "token", "credential", "auth", "cookie", "session", "sign", "dsn",
         "key"),
        re.compile(
            r"""(?ix)
            ( pass(?:word|wd|phrase|code) | \bpass\b | pwd | secret | token | credential
            | authorization | cookie | session[_-]?id | signature | dsn
            | (?:api|access|private|secret|signing|encryption|auth|routing|integration)[_-]?key
            )
            ( [\w-]{0,40} \\?["']? \s{0,3} (?: =>? | : ) \s{0,3} )
            (?: \\" (?:[^"\\]|\\[^"])*+ (?:\\")?
            | " (?:[^"\\]|\\[\s\S])*+ "?
            | ' (?:[^'\\]|\\[\s\S])*+ '?
            | (?:bearer|basic|token|digest)\s+[^\s,;"']+
            | [^\s,;&"'(){}\[\]<>]+
            )"""
        ),
        rf"\1\2{HIDDEN}",
    ),
    _Rule(
        ("bearer", "basic"), re.compile(r"(?i)\b(bearer|basic)\s{1,9}[\w.~+/=-]{8,}"),
        rf"\1 {HIDDEN}",
    ),
    _Rule(  # what is a secret by its own shape
        ("-----begin", "eyj", "akia", "asia", "gh", "glpat-", "xox", "hooks.slack", "k_live_",
         "k_test_", "sk-", "aiza"),
        re.compile(
            r"""(?x)
            -----BEGIN\ [A-Z\ ]{0,40}PRIVATE\ KEY-----(?:(?!-----)[\s\S])*+
            | \beyJ[\w-]{8,}+\.[\w-]{4,}+(?:\.[\w-]*+)?
            | \b(?:AKIA|ASIA)[0-9A-Z]{16}\b
            | \bgh[pousr]_\w{20,} | \bgithub_pat_\w{20,} | \bglpat-[\w-]{16,}
            | \bxox[abeoprs]-[\w-]{8,} | hooks\.slack\.com/[\w/-]{8,}
            | \b[rs]k_(?:live|test)_\w{10,} | \bsk-[\w-]{20,} | \bAIza[\w-]{30,}
            """
        ),
        HIDDEN,
    ),
)  # fmt: skip
_MAY_HOLD_ONE = re.compile(r"://|[A-Za-z]{2}")  # each rule has a sign like that
_known: list[str] = []  # the longest first: one may be a part of another


def register_secrets(secrets: Iterable[str]) -> None:
    """From now on these are hidden wherever they stand; ones too short to be told are left out."""
    forms = {form for secret in secrets for form in (secret, quote(secret), quote(secret, safe=""))}
    new = {form for form in forms if len(form) >= SHORTEST_SECRET}
    _known[:] = sorted(new.union(_known), key=len, reverse=True)
    redact_short.cache_clear()


def redact(text: str) -> str:
    """The text without its secrets."""
    for secret in _known:
        text = text.replace(secret, HIDDEN)
    if not _MAY_HOLD_ONE.search(text):
        return text
    small = text.lower()
    for rule in _RULES:
        if any(sign in small for sign in rule.signs):
            text = rule.pattern.sub(rule.put, text)
    return text


def redact_start(text: str, enough: int) -> tuple[str, bool]:
    """The beginning of a text of any length without its secrets, and whether that is all of it.

    Args:
        text: of which no more is looked at than is needed.
        enough: so many characters of it at least, as far as it has no secrets.
    """
    window = enough + 2 * _CUT_IN_TWO
    if len(text) <= window:
        return redact(text), True
    return redact(text[:window])[:-_CUT_IN_TWO], False


def redact_end(text: str, enough: int) -> tuple[str, bool]:
    """The end of a text of any length without its secrets, and whether that is all of it."""
    window = enough + 2 * _CUT_IN_TWO
    if len(text) <= window:
        return redact(text), True
    return redact(text[-window:])[_CUT_IN_TWO:], False


@lru_cache(4_096)
def redact_short(text: str) -> str:
    """The same as `redact`, for what comes again and again: names, levels, events."""
    return redact(text)


@lru_cache(4_096)
def names_secret(name: str) -> bool:
    """Whether what has this name is to be hidden, whatever it is."""
    return redact(f"{name}=x") != f"{name}=x"
