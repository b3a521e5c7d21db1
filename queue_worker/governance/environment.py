"""The settings in writing, for docs/ENVIRONMENT.md and .env.example: from the code, so never stale.

python -m queue_worker.governance.environment > docs/ENVIRONMENT.md
python -m queue_worker.governance.environment --example > .env.example
"""

from __future__ import annotations

import sys
import textwrap
from collections.abc import Iterator
from typing import Any, Literal, get_args, get_origin

from pydantic import SecretStr
from pydantic.fields import FieldInfo

from queue_worker.settings import Settings

EXAMPLE_DSN = "postgresql://user:password@localhost:5432/app"
_WIDTH = 98
_TEXTS = {
    "HOST": "an address",
    "SCHEMA": "a name that SQL takes without quotes",
    "SCHEDULE": "a cron expression or `manual`",
}  # by the end of the name
_SECRETS = {"QUEUE_WORKER_ALERT_SINKS": "URLs", "QUEUE_WORKER_ALERT_SECRET": "a secret"}

_INTRODUCTION = """\
# Environment

<!-- Made from queue_worker/settings.py:
     python -m queue_worker.governance.environment > docs/ENVIRONMENT.md -->

Everything that the environment can say to a process. It is read once, when the process starts, and
checked: what is malformed is refused with exit code 78. An empty variable counts as one that is not
set. The command line wins over the environment.

| variable | default | values | meaning |
|---|---|---|---|
"""

_NOTES = f"""
A DSN is any that libpq takes, such as `{EXAMPLE_DSN}`. What it
leaves out comes from libpq's own variables, such as `PGPASSWORD`. `QUEUE_WORKER_DIRECT_URL` is
needed where `DATABASE_URL` is a pooler that shares sessions (PgBouncer in transaction mode), as
locks need a session of their own: without it a worker refuses to start.

A `.env` file is not read by itself; `.env.example` is one to begin with.
"""

_EXAMPLE_HEAD = """\
# Settings of queue_worker with their defaults; docs/ENVIRONMENT.md explains them. Made from
# queue_worker/settings.py: python -m queue_worker.governance.environment --example > .env.example
#
# In a shell: set -a; . ./.env; set +a
"""


def render_environment() -> str:
    """All settings as a page of Markdown."""
    rows = [
        f"| `{field.alias}` | {_default(field)} | {_values(field)} | {field.description} |"
        for field in _fields()
    ]
    return f"{_INTRODUCTION}{chr(10).join(rows)}\n{_NOTES}"


def render_example() -> str:
    """All settings as a file of variables; those with a default are commented out."""
    return "\n".join([_EXAMPLE_HEAD, *map(_example, _fields())])


def _fields() -> Iterator[FieldInfo]:
    yield from Settings.model_fields.values()


def _default(field: FieldInfo) -> str:
    if field.is_required():
        return "**required**"
    return f"`{_text(field)}`" if _text(field) else "none"


def _values(field: FieldInfo) -> str:
    kind = _without_none(field.annotation)
    if get_origin(kind) is Literal:
        return " or ".join(f"`{choice}`" for choice in get_args(kind))
    if SecretStr in {getattr(part, "__origin__", part) for part in get_args(kind) or [kind]}:
        return _SECRETS.get(str(field.alias), "a DSN")
    if kind is bool:
        return "`0` or `1`"
    if kind in {int, float}:
        return _bounds(field)
    if get_origin(kind) is tuple:
        return "names"
    return _TEXTS.get(str(field.alias).rpartition("_")[2], "`module:name`")


def _without_none(kind: Any) -> Any:  # noqa: ANN401  any annotation
    """The type of a setting that may be left out."""
    parts = [part for part in get_args(kind) if part is not type(None)]
    return parts[0] if type(None) in get_args(kind) and len(parts) == 1 else kind


def _bounds(field: FieldInfo) -> str:
    noun = "a number" if field.annotation is float else "a whole number"
    parts = []
    for limit in field.metadata:
        match limit:
            case object(gt=bound):
                parts.append(f"above {bound:,}")
            case object(ge=bound):
                parts.append(f"from {bound:,}")
            case object(le=bound):
                parts.append(f"up to {bound:,}")
    return " ".join([noun, *parts])


def _text(field: FieldInfo) -> str:
    value: Any = field.default
    match value:
        case None | ():
            return ""
        case SecretStr():  # the default of one is no secret
            return value.get_secret_value()
        case bool():
            return str(int(value))
        case float():
            return f"{value:g}"
    return str(value)


def _example(field: FieldInfo) -> str:
    meaning = textwrap.fill(
        str(field.description), _WIDTH, initial_indent="# ", subsequent_indent="# "
    )
    setting = (
        f"{field.alias}={EXAMPLE_DSN}" if field.is_required() else f"#{field.alias}={_text(field)}"
    )
    return f"{meaning}\n{setting}\n"


if __name__ == "__main__":
    sys.stdout.write(render_example() if "--example" in sys.argv[1:] else render_environment())
