"""Names of policies are names: they are refused or quoted, whatever is in them."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st
from psycopg import sql

from queue_worker.errors import PolicyRefused, RetentionError
from queue_worker.governance.retention.apply import apply_plan
from queue_worker.governance.retention.policies import publish_policies
from queue_worker.governance.retention.policy import RetentionPolicy
from queue_worker.governance.retention.undo import undo_plan
from tests.support.retention import QUICK, Connection, planned

NASTY = [
    '"; DROP TABLE queue_worker.run; --',
    "'; DELETE FROM queue_worker.run; --",
    "{} {0} %s %(cutoff)s %%",
    'a"."b',
    "$$; SELECT 1; $$",
    "select",
    "deleted at",
    "\\'; --",
]
TEXTS = st.one_of(st.sampled_from(NASTY), st.text(max_size=70))
NAMES = st.one_of(
    st.sampled_from(NASTY),
    st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=15),
).filter(lambda name: name != "deleted_at" and len(name.encode()) <= 63)  # fmt: skip
FEW = how(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def declare(
    connection: Connection, name: str, schema: str | None, table: str, column: str | None
) -> None:
    policy = RetentionPolicy(
        name=name, schema=schema, table=table, column=column, keep=timedelta(days=9)
    )
    publish_policies(connection, [policy])


def tables(connection: Connection) -> list[tuple[Any, ...]]:
    return connection.execute(
        "SELECT oid, relname, relnamespace FROM pg_class WHERE relkind IN ('r', 'p') ORDER BY 1"
    ).fetchall()


@pytest.mark.fault("F39")
@given(name=TEXTS, schema=st.none() | TEXTS, table=TEXTS, column=st.none() | TEXTS)
@FEW
def test_what_does_not_exist_is_refused_and_nothing_else_happens(
    connection: Connection, name: str, schema: str | None, table: str, column: str | None
) -> None:
    before = tables(connection)
    with pytest.raises(PolicyRefused):
        declare(connection, name, schema, table, column)
    assert tables(connection) == before


@pytest.mark.fault("F39")
@given(table=NAMES, column=NAMES, kind=st.sampled_from(["date", "timestamptz"]), reason=TEXTS)
@FEW
def test_what_does_exist_is_quoted(
    connection: Connection, table: str, column: str, kind: str, reason: str
) -> None:
    names = {"table": sql.Identifier("odd", table), "column": sql.Identifier(column)}
    create = sql.SQL("CREATE TABLE {table} ({column} {kind}, deleted_at timestamptz)")
    connection.execute("DROP SCHEMA IF EXISTS odd CASCADE; CREATE SCHEMA odd")
    connection.execute(create.format(kind=sql.SQL(kind), **names))  # type: ignore[arg-type]
    connection.execute(
        sql.SQL("INSERT INTO {table} SELECT now() - i * interval '1 day' FROM generate_series(1, 20) AS i")
        .format(**names)
    )  # fmt: skip
    policy = RetentionPolicy(
        name="odd", schema="odd", table=table, column=column, keep=timedelta(days=10)
    )
    before = tables(connection)
    plan = planned(connection, [policy])
    actor = reason
    try:
        applied = apply_plan(
            connection, plan.number, [policy], actor=actor, reason=reason, pace=QUICK
        )
    except (RetentionError, psycopg.DataError, UnicodeEncodeError):
        assert not reason.strip() or "\0" in reason or not _is_text(reason)
        return
    assert applied.removed == applied.rows == 10
    left = connection.execute(
        sql.SQL("SELECT count(*) FROM {table} WHERE deleted_at IS NULL").format(**names)
    )
    assert left.fetchone() == (10,)
    assert undo_plan(connection, plan.number, actor=actor, reason=reason) == 10
    assert tables(connection) == before


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
