"""What a later version has done to a database: may this one go on working on it?

An older version knows nothing of a later file but its name. So a migration that breaks older
workers says so there: `0042_breaking_drop_this.sql`. Of procrastinate's files those marked `pre` do
not break what was there before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import NamedTuple

_BREAKING = re.compile(r"migrations/\d+_breaking_|procrastinate/(?!.*_pre_)")


class Applied(NamedTuple):
    """What the ledger says of a file.

    Attributes:
        checksum: SHA-256 of the file when it was applied.
        version: the version of queue_worker that applied it.
    """

    checksum: str
    version: str


Ledger = Mapping[str, Applied]


def newer_files(ledger: Ledger, known: Mapping[str, str], version: str) -> list[str]:
    """Those that this version does not know, and those that a later one has replaced.

    Args:
        ledger: of the database.
        known: the files of this version, and their checksums.
        version: this one.
    """
    return sorted(
        name
        for name, applied in ledger.items()
        if name not in known
        or (applied.checksum != known[name] and _release(applied.version) > _release(version))
    )


def breaking(names: Iterable[str]) -> list[str]:
    """Those after which a version that does not know them must not work any more."""
    return [name for name in names if _BREAKING.match(name)]


def _release(version: str) -> tuple[int, ...]:
    return tuple(int(number) for number in re.findall(r"\d+", version)[:3])
