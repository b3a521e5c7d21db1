"""docs/CLI.md: the command line as it describes itself.

python -m tests.support.cli_page    writes the page anew
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

from typer.cli import get_docs_for_click
from typer.main import get_command

from queue_worker.cli.commands import app

PAGE = Path(__file__).resolve().parents[2] / "docs" / "CLI.md"
_HEAD = """\
<!-- Made from queue_worker/cli: python -m tests.support.cli_page -->

# Command line

`queue-worker COMMAND --help` says the same. What the levers of operators do: [Operations](OPERATIONS.md).

## Exit codes

| code | meaning |
|---|---|
| 0 | done; `run`: `succeeded`, `dry_run`, or only enqueued; `worker`: stopped on request |
| 1 | the run ended in another way; or an error without a code of its own |
| 2 | the command line is wrong |
| 64 | no job of this name |
| 65 | the arguments do not fit, or the database refused the job |
| 66 | no run of this id |
| 69 | the database does not answer, or refused; `run --wait`: the job left the queue without a run |
| 70 | the worker ended by itself: restart it |
| 75 | `run`: the lock key is held, try again later |
| 78 | a setting, the registry, a declaration or the migrations are wrong |
| 130 | `run --wait` was interrupted; the job goes on |

Every error is one message on standard error that names the remedy.

"""


def render() -> str:
    """The page."""
    command = get_command(app)
    _say_in_full(command)
    context = command.make_context("queue-worker", [], resilient_parsing=True)
    told = get_docs_for_click(obj=command, ctx=context, indent=1, name="queue-worker")
    return _HEAD + told.replace("```console\n$ ", "```text\n").rstrip() + "\n"


def _say_in_full(command: Any) -> None:
    """The list of commands has their first lines whole; typer would cut them short."""
    command.short_help = command.get_short_help_str(limit=1000)
    for below in getattr(command, "commands", {}).values():
        _say_in_full(below)


if __name__ == "__main__":
    PAGE.write_text(render())
