"""What the commands of an operator share: who asks, and why, and how they answer."""

from __future__ import annotations

import getpass
from typing import Annotated

import typer

from queue_worker.cli.output import print_json, say


def _default_actor() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # an account without a name, as in a container
        return ""


Reason = Annotated[
    str, typer.Option("--reason", metavar="TEXT", help="Why; it is kept in the audit log.")
]
Actor = Annotated[
    str,
    typer.Option(
        "--actor",
        metavar="NAME",
        default_factory=_default_actor,
        show_default="your account",
        help="Who asks for it.",
    ),
]
QueueJobId = Annotated[
    int, typer.Argument(metavar="ID", help="The queued job: the number before the dot of its runs.")
]


def print_answer(sentence: str, *, as_json: bool, **facts: object) -> None:
    """One sentence for people, or the facts for programs."""
    if as_json:
        print_json(facts)
    else:
        say(sentence)
