"""The `queue-worker` command: parse, call, print. No logic."""

from __future__ import annotations

import io
import os
import sys

import psycopg

from queue_worker.cli.commands import app
from queue_worker.cli.output import print_error
from queue_worker.errors import QueueWorkerError
from queue_worker.governance.checks import explain_refusal


def main() -> None:
    """Run the command; an error that has a cause outside becomes one message and its exit code."""
    _print_anything()
    try:
        _refuse_bytes(sys.argv)
        app()
    except QueueWorkerError as error:
        _fail(error)
    except psycopg.Error as error:
        _fail(explain_refusal(error))
    except OSError as error:
        _drop_output()
        _fail(QueueWorkerError(f"The system refused: {error}. Remove the cause and try again."))


def _print_anything() -> None:
    """What a terminal has no letters for becomes a question mark, and no error."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def _refuse_bytes(arguments: list[str]) -> None:
    """Python hands bytes that are no text through as surrogates; no database stores them."""
    try:
        "".join(arguments).encode()
    except UnicodeEncodeError:
        raise QueueWorkerError(
            "The command line holds bytes that are no UTF-8. Give text only."
        ) from None


def _drop_output() -> None:
    """What could not be written must not be tried again, and fail again, at the exit."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _fail(error: QueueWorkerError) -> None:
    print_error(error)
    sys.exit(error.exit_code)


__all__ = ["main"]
