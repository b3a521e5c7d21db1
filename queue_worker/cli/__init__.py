"""The `queue-worker` command: parse, call, print. No logic."""

from __future__ import annotations

import sys

import psycopg

from queue_worker.cli.commands import app
from queue_worker.cli.output import print_error
from queue_worker.errors import QueueWorkerError
from queue_worker.governance.checks import explain_refusal


def main() -> None:
    """Run the command; an error of ours or of the database becomes one message and its code."""
    try:
        app()
    except QueueWorkerError as error:
        _fail(error)
    except psycopg.Error as error:
        _fail(explain_refusal(error))


def _fail(error: QueueWorkerError) -> None:
    print_error(error)
    sys.exit(error.exit_code)


__all__ = ["main"]
