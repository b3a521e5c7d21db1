"""`queue-worker migrate`: bring the database to the level of this version."""

from __future__ import annotations

from typing import Annotated

import typer

from queue_worker.cli.invocation import AsJson, Invocation
from queue_worker.cli.output import print_json, say
from queue_worker.database import connect
from queue_worker.governance.migrations import Migration, check_migrations, plan_migrations
from queue_worker.governance.migrations import migrate as apply_migrations
from queue_worker.governance.retention.policies import declared_policies, publish_policies
from queue_worker.governance.roles import make_roles


def migrate(
    context: typer.Context,
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
    as_json: AsJson = False,
) -> None:
    """Bring the database to the level of this version; safe to run again and at once."""
    if roles and (check or plan):
        raise typer.BadParameter("it excludes --check and --plan.", param_hint="--roles")
    invocation: Invocation = context.obj
    settings = invocation.settings()
    with connect(
        settings.direct_dsn, name="queue_worker migrate", connect_timeout=settings.connect_timeout
    ) as connection:
        if check:
            check_migrations(connection)
            files: list[Migration] = []
        elif plan:
            files = plan_migrations(connection)
        else:
            files = apply_migrations(connection, _announce if not as_json else lambda _: None)
            publish_policies(connection, declared_policies(settings))
        names = make_roles(connection) if roles else {}
    if as_json:
        print_json([{"name": m.name, "how": m.how, "checksum": m.checksum} for m in files])
        return
    for migration in files if plan else ():
        _announce(migration)
    for part, name in names.items():
        say(f"granted   {part} is role {name}")
    if not files:
        say("The database is at the level of this version.")


def _announce(migration: Migration) -> None:
    say(f"{migration.how:8}  {migration.name}")
