"""docs/FAULTS.md: every row has a test that names it, or says plainly that it is not built yet."""

from __future__ import annotations

import pytest

from tests.support.fault_rows import NOT_BUILT, PAGE, find_proofs, render, rows_of

PITFALLS = 35
FAULTS = 54
MISSING: set[str] = set()  # features that do not exist yet


def test_the_rows_are_numbered_without_a_gap() -> None:
    expected = [f"F{n + 1}" for n in range(FAULTS)] + [f"P{n + 1}" for n in range(PITFALLS)]
    assert list(rows_of(PAGE.read_text())) == expected


def test_every_row_has_a_test_that_names_it_or_is_not_built_yet() -> None:
    rows = rows_of(PAGE.read_text())
    proven = {row for proof in find_proofs() for row in proof.rows}
    assert {row for row, tests in rows.items() if tests == NOT_BUILT} == MISSING
    assert set(rows) - proven == MISSING


def test_no_marker_names_a_row_that_does_not_exist() -> None:
    rows = rows_of(PAGE.read_text())
    assert [proof for proof in find_proofs() if not proof.rows or set(proof.rows) - set(rows)] == []


def test_the_page_names_the_tests_that_have_the_marker() -> None:
    page = PAGE.read_text()
    assert page == render(page, find_proofs()), (
        "docs/FAULTS.md is stale. Renew it: python -m tests.support.fault_rows"
    )


def test_a_page_or_a_marker_that_is_wrong_is_noticed() -> None:
    """The check itself: without it a row could lose its test in silence."""
    page, proofs = PAGE.read_text(), find_proofs()
    assert render(page, proofs[1:]) != page
    assert render(page.replace(proofs[0].name, "test_of_another_name"), proofs) == page
    with pytest.raises(ValueError, match="F1 twice"):
        rows_of(page + "\n| F1 | again | nothing | - |\n")
