"""Every link of every page leads somewhere: to a file that is there, and a heading that is in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.pages import PAGES, anchors_of, links_of
from tests.support.processes import REPOSITORY

NAMES = [page.relative_to(REPOSITORY).as_posix() for page in PAGES]


@pytest.mark.parametrize("page", PAGES, ids=NAMES)
def test_every_link_leads_somewhere(page: Path) -> None:
    assert [link for link in links_of(page) if not leads_somewhere(link, page)] == []


def leads_somewhere(link: str, page: Path) -> bool:
    if "://" in link:
        return link.startswith("https://")
    path, _, anchor = link.partition("#")
    target = page.parent / path if path else page
    if not target.exists() or REPOSITORY not in target.resolve().parents:
        return False
    return not anchor or anchor in anchors_of(target)


@pytest.mark.parametrize(
    ("link", "leads"),
    [
        ("docs/CLI.md", True),
        ("docs/CLI.md#exit-codes", True),
        ("docs/INTEGRATIONS.md#jobs-and-alert-sinks-of-other-packages", True),
        ("docs/CLI.md#exit-code", False),
        ("docs/NOWHERE.md", False),
        ("#try-it", True),
        ("#tried", False),
        ("../elsewhere", False),
        ("http://example.com", False),
    ],
)
def test_a_dead_link_is_seen(link: str, leads: bool) -> None:
    assert leads_somewhere(link, REPOSITORY / "README.md") is leads
