"""docs/SCALING.md says of large fleets what the model says."""

from __future__ import annotations

from tests.support.fleet_model import large_table
from tests.support.processes import REPOSITORY


def test_the_table_of_large_fleets_is_that_of_the_model() -> None:
    page = (REPOSITORY / "docs" / "SCALING.md").read_text()
    assert "\n".join(large_table()) in page, "\n".join(large_table())
