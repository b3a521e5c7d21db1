"""`queue-worker migrate`: bring the database to the level of this version."""

from __future__ import annotations

from typing import Annotated, Any

import psycopg
import typer

from queue_worker.cli.invocation import AsJson, Invocation
from queue_worker.cli.output import print_json, say, say_aside
from queue_worker.database import connect
from queue_worker.errors import MigrationsPending
from queue_worker.governance.migrations import (
    Migration,
    check_migrations,
    held_back,
    plan_migrations,
)
from queue_worker.governance.migrations import migrate as apply_migrations
from queue_worker.governance.retention.policies import declared_policies, publish_policies
from queue_worker.governance.roles import make_roles


def migrate(
    context: typer.Context,
    *,
    check: Annotated[
        bool, typer.Option("--check", help="Change nothing; exit with 78 if anything is pending.")
    ] = False,
    plan: Annotated[
        bool, typer.Option("--plan", help="Change nothing; list what is pending.")
    ] = False,
    roles: Annotated[
        bool,
        typer.Option("--roles", help="Make owner, worker, enqueuer and reader as well, and grant."),
    ] = False,
    despite_older_workers: Annotated[
        bool,
        typer.Option(
            "--despite-older-workers",
            help="Apply also what breaks living workers of an older version.",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Bring the database to the level of this version; safe to run again and at once.

    What would break living workers of an older version is held back: run it again when they are
    gone.
    """
    if roles and (check or plan):
        raise typer.BadParameter("it excludes --check and --plan.", param_hint="--roles")
    invocation: Invocation = context.obj
    settings, is_complete = invocation.settings(), True
    with connect(
        settings.direct_dsn, name="queue_worker migrate", connect_timeout=settings.connect_timeout
    ) as connection:
        if check:
            waiting = check_migrations(connection)
            if waiting:
                raise MigrationsPending(waiting)
            files: list[Migration] = []
        elif plan:
            files = plan_migrations(connection)
        else:
            files = apply_migrations(
                connection,
                _announce if not as_json else lambda _: None,
                despite_older_workers=despite_older_workers,
            )
            is_complete = not _tell_held_back(connection)
            publish_policies(connection, declared_policies(settings))
        names = make_roles(connection) if roles else {}
    if as_json:
        print_json([{"name": m.name, "how": m.how, "checksum": m.checksum} for m in files])
        return
    for migration in files if plan else ():
        _announce(migration)
    for part, name in names.items():
        say(f"granted   {part} is role {name}")
    if not files and is_complete:
        say("The database is at the level of this version.")


def _tell_held_back(connection: psycopg.Connection[tuple[Any, ...]]) -> bool:
    found = held_back(connection, plan_migrations(connection))
    for migration, workers in found:
        say_aside(
            f"held back {migration.name}: it, or one before it, breaks these older workers: "
            f"{', '.join(workers)}. Replace or stop them, then run `queue-worker migrate` again."
        )
    return bool(found)


def _announce(migration: Migration) -> None:
    say(f"{migration.how:8}  {migration.name}")
