"""What our schemas are called in this database; the SQL files call them by their usual names.

A name is a plain one that SQL takes without quotes. So it can stand wherever the usual one does: as
an identifier, in a string, in the body of a function, in a comment.
"""

from __future__ import annotations

import os
import re
from functools import cache
from typing import NamedTuple

from queue_worker.errors import SettingsError

OURS = "queue_worker"
CONTENT = "content_pipeline"
_VARIABLES = {OURS: "QUEUE_WORKER_SCHEMA", CONTENT: "QUEUE_WORKER_CONTENT_SCHEMA"}
_PLAIN = re.compile(r"[a-z][a-z0-9_]{0,29}")  # with what is put before and after, it must fit in 63
_REMEDY = "See docs/ENVIRONMENT.md."
_OTHERS = {"public", "information_schema"}

# What looks like an object in our schema: parameters of a session, and the names of jobs.
_NO_OBJECTS = "role_prefix|guard_actor|guard_reason|deliver_alerts|make_partitions|validation"
_USUAL_NAME = re.compile(
    rf"(?<![\w.]){OURS}(?=\.(?!(?:{_NO_OBJECTS})\b)(?:[a-z_%]|\Z))"  # before what is in it
    rf"|(?<![\w.]){CONTENT}(?=\.(?:[a-z_%]|\Z))"
    rf"|(?<=')(?:{OURS}|{CONTENT})(?=\.?')"  # a string by itself
    rf"|(?<=SCHEMA )(?:{OURS}|{CONTENT})\b"
    rf"|(?<=SCHEMA IF NOT EXISTS )(?:{OURS}|{CONTENT})\b"
    rf"|\b{OURS}(?=_audit_guards\b)"  # an event trigger: it is in no schema
)


class SchemaNames(NamedTuple):
    """What they are called."""

    ours: str = OURS
    content: str = CONTENT


@cache
def schema_names() -> SchemaNames:
    """What the environment says, unchecked: read once, as a process keeps to one installation."""
    return SchemaNames(*(os.environ.get(v) or usual for usual, v in _VARIABLES.items()))


def check_schema_name(name: str) -> str:
    """The same name.

    Raises:
        ValueError: it can't be the name of a schema of ours.
    """
    if not _PLAIN.fullmatch(name):
        raise ValueError(
            "a schema of ours begins with a letter from a to z; up to 29 such letters, digits or _ "
            "may follow"
        )
    if name in _OTHERS or name.startswith("pg_"):
        raise ValueError("that schema belongs to Postgres, or to everybody")
    return name


def renamed(text: str) -> str:
    """The text of a statement with the names that our schemas have here.

    Raises:
        SettingsError: what the environment says is no name for a schema of ours.
    """
    return rename(text, schema_names())


def rename(text: str, names: SchemaNames) -> str:
    """The same with these names.

    Raises:
        SettingsError: one of them is no name for a schema of ours.
    """
    if names == SchemaNames():
        return text
    here = {usual: _checked(usual, name) for usual, name in zip(_VARIABLES, names, strict=True)}
    if names.ours == names.content:
        problem = "is refused: our two schemas can't be one"
        raise SettingsError(_VARIABLES[CONTENT], problem, _REMEDY)
    text = text.replace("'run '", f"'{run_prefix(names.ours)}'")
    return _USUAL_NAME.sub(lambda found: here[found[0]], text)


def run_prefix(ours: str) -> str:
    """How the application_name of each session that a run opens begins.

    No schema holds it: runs of two installations in one database can have the same id.
    """
    return "run " if ours == OURS else f"{ours} run "


def _checked(usual: str, name: str) -> str:
    try:
        return check_schema_name(name)
    except ValueError as error:
        raise SettingsError(_VARIABLES[usual], f"is refused: {error}", _REMEDY) from None
