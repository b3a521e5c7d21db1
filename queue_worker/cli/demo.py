"""`queue-worker demo`: the main job, from events to promotion, on an embedded Postgres."""

from __future__ import annotations

import os
import shlex
import time
from collections.abc import Iterable
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from queue_worker.cli.invocation import AsJson, Invocation
from queue_worker.cli.output import messages, print_json, print_table, say
from queue_worker.demo.embedded import (
    alone_in,
    find_psql,
    make_database,
    start_embedded,
    stop_embedded,
)
from queue_worker.demo.walkthrough import Findings, Progress, StepBegun, StepEnded, walk_through
from queue_worker.schemas import schema_names

_DATABASE = "queue_worker_demo"
_DATABASE_URL = f"postgresql:///{_DATABASE}"  # until the server is started


def demo(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Option(help="Where the embedded Postgres and the log live.")
    ] = Path(".demo"),
    seed: Annotated[int, typer.Option(help="The same seed gives the same events.")] = 1,
    stop: Annotated[
        bool, typer.Option("--stop", help="Only stop the embedded Postgres of the folder.")
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Run the whole pipeline on sample events through a real worker.

    Uses an embedded Postgres and a database made anew each time. With DATABASE_URL set it uses
    that database instead, which must hold no events yet.
    """
    invocation: Invocation = context.obj
    folder = folder.resolve()
    cluster = folder / "postgres"
    if stop:
        say("Stopped." if stop_embedded(cluster) else f"No Postgres runs in {cluster}.")
        return
    began = time.monotonic()
    own = os.environ.get("DATABASE_URL")
    invocation.settings(database_url=own or _DATABASE_URL)  # refused before a server is started
    with alone_in(folder):
        dsn = own or make_database(start_embedded(cluster), _DATABASE)
        settings = invocation.settings(database_url=dsn, direct_url=None if own else dsn)
        log_file = folder / "worker.log"
        with closing(walk_through(settings, seed=seed, log_file=log_file)) as steps:
            findings = _show_progress(steps, quiet=as_json)
    seconds = time.monotonic() - began
    psql = 'psql "$DATABASE_URL"' if own else f"{find_psql()} {shlex.quote(dsn)}"
    if as_json:
        print_json({**asdict(findings), "seconds": round(seconds, 1), "psql": psql})
        return
    _print_findings(findings)
    say(f"Done in {seconds:.0f} s. The database is yours to look at:\n\n  {psql}\n")
    say(f"There, \\d+ {schema_names().ours}.* explains every table.")
    if not own:
        say(f"`queue-worker demo --stop --folder {shlex.quote(str(folder))}` stops its server.")


def _show_progress(steps: Iterable[Progress], *, quiet: bool) -> Findings:
    console = messages(quiet=quiet)
    with console.status("starting") as display:
        for progress in steps:
            match progress:
                case StepBegun(title):
                    display.update(title)
                case StepEnded(title, result):
                    console.print(f"[green]✓[/green] {title:22} {result}")
                case Findings():
                    findings = progress
    return findings


def _print_findings(findings: Findings) -> None:
    say(
        f"\n{findings.aggregated_events:,} of {findings.events:,} events aggregated into "
        f"{findings.aggregates:,} rows: {findings.contents} contents on {findings.days} days.\n"
    )
    print_table(
        "Signals: what got worse in the last 7 days",
        ("content_id", "kind", "before", "now", "z_score"),
        [
            {
                "content_id": content_id,
                "kind": kind,
                "before": f"{before:.3g}",
                "now": f"{now:.3g}",
                "z_score": z_score and f"{z_score:.1f}",
            }
            for content_id, kind, before, now, z_score in findings.signals
        ],
    )
    print_table(
        "Suggestions: what was suggested, approved, regenerated and promoted",
        ("id", "content_id", "state", "summary"),
        [
            {"id": number, "content_id": content_id, "summary": summary, "state": state}
            for number, content_id, _, summary, state in findings.suggestions
        ],
    )
