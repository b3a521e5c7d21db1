"""The series that docs/METRICS.md lists."""

from __future__ import annotations

import re
from pathlib import Path

PAGE = Path(__file__).resolve().parents[2] / "docs" / "METRICS.md"


def documented_rows() -> list[tuple[str, str, str, str]]:
    """Of each series its name, type, labels and meaning."""
    return re.findall(
        r"^\| `(\w+)` \| (\w+) \| (.*?) \| (.+) \|$", PAGE.read_text(), flags=re.MULTILINE
    )


def documented_series() -> set[str]:
    return {name for name, *_ in documented_rows()}
