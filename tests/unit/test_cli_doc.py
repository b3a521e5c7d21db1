"""docs/CLI.md says what the commands say of themselves."""

from __future__ import annotations

from tests.support.cli_page import PAGE, render


def test_the_page_is_that_of_the_commands() -> None:
    assert PAGE.read_text() == render(), "stale: python -m tests.support.cli_page"
