"""Numbers for people."""

from __future__ import annotations

import pytest

from queue_worker.governance.wording import counted, in_short


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "0 ms"), (0.0042, "4 ms"), (0.5, "500 ms"), (1, "1.0 s"), (1.54, "1.5 s"), (10, "10 s"),
        (59.4, "59 s"), (59.6, "1m 00s"), (185, "3m 05s"), (3599.7, "1h 00m"), (7800, "2h 10m"),
        (86_399.9, "1d 00h"), (100 * 86_400, "100d 00h"), (-47, "-47 s"), (-0.1, "-100 ms"),
    ],
)  # fmt: skip
def test_in_short(seconds: float, words: str) -> None:
    assert in_short(seconds) == words


@pytest.mark.parametrize(("number", "words"), [(0, "0 runs"), (1, "1 run"), (2000, "2,000 runs")])
def test_counted(number: int, words: str) -> None:
    assert counted(number, "run") == words
