"""The pages that people read, and what they link to."""

from __future__ import annotations

import re
from collections import Counter
from itertools import pairwise
from pathlib import Path

from markdown_it import MarkdownIt
from markdown_it.token import Token

from tests.support.processes import REPOSITORY

PAGES = sorted([*REPOSITORY.glob("*.md"), *(REPOSITORY / "docs").rglob("*.md")])
_MARKDOWN = MarkdownIt("commonmark").enable("table")


def links_of(page: Path) -> list[str]:
    """Where its links and images lead to."""
    inline = [part for token in _parse(page) for part in token.children or ()]
    found = [part.attrGet("href") or part.attrGet("src") for part in inline]
    return [str(link) for link in found if link]


def anchors_of(page: Path) -> set[str]:
    """The anchors of its headings, as GitHub and the site name them."""
    tokens = _parse(page)
    texts = [
        "".join(part.content for part in text.children or ())
        for opening, text in pairwise(tokens)
        if opening.type == "heading_open"
    ]
    taken: Counter[str] = Counter()
    anchors = set()
    for slug in map(_slug, texts):
        anchors.add(f"{slug}-{taken[slug]}" if taken[slug] else slug)
        taken[slug] += 1
    return anchors


def _slug(heading: str) -> str:
    return re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-")


def _parse(page: Path) -> list[Token]:
    return _MARKDOWN.parse(page.read_text())
