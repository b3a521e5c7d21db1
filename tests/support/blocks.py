"""The code blocks of a page: what a reader would copy."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Block:
    """A fenced block; one of Python may name its file in its first line."""

    language: str
    text: str

    @property
    def file(self) -> str | None:
        named = re.match(r"# (\S+\.(?:py|toml|ini))\n", self.text)
        return named[1] if named else None

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()


def read_blocks(page: Path) -> list[Block]:
    """Its blocks, in order."""
    found = re.findall(r"```(\w+)\n(.*?)```", page.read_text(), flags=re.DOTALL)
    return [Block(*block) for block in found]


def write_files(blocks: Iterable[Block], folder: Path) -> None:
    """Write those that name their file."""
    for block in blocks:
        if block.file:
            path = folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)
