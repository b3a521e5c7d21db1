"""What a version makes of files that a later one has applied."""

from __future__ import annotations

import re

import pytest

from queue_worker.governance.newer import Applied, breaking, newer_files
from queue_worker.statements import sql_root

KNOWN = {"migrations/0001_a.sql": "one", "functions/f.sql": "old"}


@pytest.mark.parametrize(
    ("name", "checksum", "version", "newer"),
    [
        ("migrations/0001_a.sql", "one", "0.9.0", False),
        ("migrations/0002_b.sql", "two", "0.1.0", True),
        ("functions/f.sql", "new", "0.2.0", True),
        ("functions/f.sql", "new", "0.10.0", True),
        ("functions/f.sql", "older", "0.1.0", False),
        ("functions/f.sql", "older", "0.0.9", False),
    ],
)
def test_newer_is_what_this_version_does_not_know_or_a_later_one_has_replaced(
    name: str, checksum: str, version: str, newer: bool
) -> None:
    found = newer_files({name: Applied(checksum, version)}, KNOWN, "0.1.0")
    assert found == ([name] if newer else [])


def test_what_breaks_older_workers_is_known_by_its_name() -> None:
    names = [
        "migrations/0042_breaking_drop_it.sql",
        "migrations/0043_add_it.sql",
        "functions/breaking_news.sql",
        "procrastinate/04.00.00_01_pre_add.sql",
        "procrastinate/04.00.00_50_post_drop.sql",
    ]
    assert breaking(names) == [names[0], names[4]]


def test_a_migration_says_in_its_name_what_its_header_says() -> None:
    migrations = sorted((sql_root() / "migrations").glob("*.sql"))
    for path in migrations:
        (said,) = re.findall(r"^-- Breaks older workers: (\w+)", path.read_text(), re.MULTILINE)
        assert said in {"yes", "no"}, path
        assert bool(breaking([f"migrations/{path.name}"])) == (said == "yes"), path
