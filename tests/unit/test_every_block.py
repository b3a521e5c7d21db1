"""Every block of the documentation is run by some test, or says why it is not."""

from __future__ import annotations

from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

from tests.support.blocks import RUNNABLE, SHOWN, blocks_in, claims_in
from tests.support.processes import REPOSITORY

PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
REMEDY = (
    "read it in a test by tests.support.blocks.read_blocks and run it there,"
    " or put <!-- not run: the reason --> in the line above it"
)


@cache
def claims() -> dict[str, set[str]]:
    """The languages that tests run, by page."""
    found: dict[str, set[str]] = defaultdict(set)
    for path in (REPOSITORY / "tests").rglob("*.py"):
        for page, languages in claims_in(path.read_text()):
            found[page] |= languages
    return found


def unclaimed(text: str, languages: set[str]) -> list[str]:
    """The blocks that a reader would run and no test does; a {directive} is none."""
    return [
        f"line {block.line}: {block.language or 'no language'}"
        for block in blocks_in(text)
        if block.not_run is None
        and block.language not in SHOWN | languages
        and not block.language.startswith("{")
    ]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_every_block_is_run_or_says_why_not(page: Path) -> None:
    languages = claims()[page.relative_to(REPOSITORY).as_posix()]
    assert unclaimed(page.read_text(), languages) == [], REMEDY


def test_a_claim_is_about_a_page_and_a_language_that_are_there() -> None:
    """One that is not has lost its page, and runs nothing."""
    for page, languages in claims().items():
        assert page.endswith(".md"), page
        there = {block.language for block in blocks_in((REPOSITORY / page).read_text())}
        assert languages == RUNNABLE or languages <= there, page


def test_fences_are_whole() -> None:
    """A fence that is not closed would hide what stands in it."""
    for page in PAGES:
        text = page.read_text()
        fences = sum(line.lstrip().startswith("```") for line in text.splitlines())
        assert fences == 2 * len(blocks_in(text)), page


def test_the_check_sees_what_nobody_claims() -> None:
    text = (
        "```sh\nls\n```\n\n<!-- not run: needs a moon -->\n```sql\nSELECT 1;\n```\n\n```\nx\n```\n"
    )
    assert unclaimed(text, {"sql"}) == [
        "line 1: sh",
        "line 10: no language",
    ]
    assert unclaimed(text, {"sh"}) == ["line 10: no language"]


def test_the_check_reads_claims_as_they_are_written() -> None:
    source = (
        'DOCS = REPOSITORY / "docs"\nPAGE = DOCS / "A.md"\nread_blocks(PAGE, "sql", "sh")\n'
        'def test(page):\n    return read_blocks(REPOSITORY / "README.md"), read_blocks(page)\n'
    )
    assert dict(claims_in(source)) == {"docs/A.md": {"sql", "sh"}, "README.md": RUNNABLE}


def test_a_block_may_be_indented_or_a_directive() -> None:
    text = (
        "- so:\n\n  ```sh\n  ls\n    -l\n  ```\n\n```{toctree}\nA\n```\n```python title=x\nx\n```\n"
    )
    assert [(block.language, block.text, block.line) for block in blocks_in(text)] == [
        ("sh", "ls\n  -l\n", 3),
        ("{toctree}", "A\n", 8),
        ("python", "x\n", 11),
    ]
