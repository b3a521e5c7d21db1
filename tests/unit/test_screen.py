"""The lines of a screen, shared out between its sections."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from queue_worker.cli.screen import share


def test_who_wants_little_gets_it_and_the_others_get_the_same() -> None:
    assert share([1, 20, 2, 20], 13) == [1, 5, 2, 5]


def test_on_the_smallest_screen_everybody_keeps_a_line() -> None:
    assert share([9, 9, 9], 1) == [1, 1, 1]


@given(st.lists(st.integers(1, 50), min_size=1, max_size=8), st.integers(-5, 100))
def test_lines_are_shared_fairly(wanted: list[int], available: int) -> None:
    given_lines = share(wanted, available)
    assert sum(given_lines) == max(len(wanted), min(available, sum(wanted)))
    assert all(1 <= g <= w for g, w in zip(given_lines, wanted, strict=True))
    unmet = [g for g, w in zip(given_lines, wanted, strict=True) if g < w]
    assert all(g >= max(given_lines) - 1 for g in unmet)
