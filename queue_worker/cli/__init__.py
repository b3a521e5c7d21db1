"""The `queue-worker` command: parse, call, print. No logic."""

from __future__ import annotations

import sys

from queue_worker.cli.commands import app
from queue_worker.cli.output import print_error
from queue_worker.errors import QueueWorkerError


def main() -> None:
    """Run the command; an error of ours becomes one message and its exit code."""
    try:
        app()
    except QueueWorkerError as error:
        print_error(error)
        sys.exit(error.exit_code)


__all__ = ["main"]
