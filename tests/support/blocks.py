"""The code blocks of a page: what a reader would copy.

Whoever reads the blocks of a page here claims them: tests/unit/test_every_block.py finds those that
no test has asked for. A block that cannot be run says why, in the line above it:

    <!-- not run: needs a Docker engine -->
"""

from __future__ import annotations

import ast
import re
import textwrap
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

# What a reader would run, and what only shows something.
RUNNABLE = frozenset({"sh", "bash", "sql", "python", "console"})
SHOWN = frozenset({"text", "json", "yaml", "toml", "ini", "dockerfile", "mermaid"})
_BLOCK = re.compile(
    r"(?:^ *<!-- not run: (?P<why>.+?) -->\n+)?"
    r"^(?P<indent> *)```(?P<language>[^\s`]*)[^\n`]*\n(?P<text>.*?)^(?P=indent)```$",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True)
class Block:
    """A fenced block; one of Python may name its file in its first line."""

    language: str
    text: str
    line: int = 0
    not_run: str | None = None

    @property
    def file(self) -> str | None:
        named = re.match(r"# (\S+\.(?:py|toml|ini))\n", self.text)
        return named[1] if named else None

    @property
    def lines(self) -> list[str]:
        return self.text.splitlines()

    @property
    def statements(self) -> list[str]:
        """Of SQL: what stands between the semicolons."""
        return [part.strip() for part in self.text.split(";") if part.strip()]


def blocks_in(text: str) -> list[Block]:
    """All blocks of a text, in order."""
    return [
        Block(
            found["language"],
            textwrap.dedent(found["text"]),
            text[: found.start("text")].count("\n"),
            found["why"],
        )
        for found in _BLOCK.finditer(text)
    ]


def read_blocks(page: Path, *languages: str) -> list[Block]:
    """Claim the blocks of a page, in order: those of these languages, or all of them."""
    return [
        block
        for block in blocks_in(page.read_text())
        if block.not_run is None and (not languages or block.language in languages)
    ]


def sections_of(text: str, heading: str = r"## (.+)\n") -> dict[str, str]:
    """What stands below each heading, which begins a line and has its name as its only group."""
    parts = re.split(f"^{heading}", text, flags=re.MULTILINE)[1:]
    return dict(zip(parts[::2], parts[1::2], strict=True))


def write_files(blocks: Iterable[Block], folder: Path) -> None:
    """Write those that name their file."""
    for block in blocks:
        if block.file:
            path = folder / block.file
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text)


def claims_in(source: str) -> Iterator[tuple[str, frozenset[str]]]:
    """The pages whose blocks this test reads, as paths in the repository, each with the languages."""
    tree = ast.parse(source)
    named = {
        target.id: node.value
        for node in tree.body
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for call in ast.walk(tree):
        if isinstance(call, ast.Call) and ast.unparse(call.func) == "read_blocks":
            page, *languages = (_texts_of(argument, named) for argument in call.args)
            if page:  # who is handed a page claims nothing
                yield "/".join(page), frozenset(chain(*languages)) or RUNNABLE


def _texts_of(node: ast.AST | None, named: dict[str, ast.expr]) -> list[str]:
    """The texts of an expression such as ROOT / "docs" / "A.md"."""
    match node:
        case ast.BinOp(left=left, right=right):
            return _texts_of(left, named) + _texts_of(right, named)
        case ast.Name(id=name):
            return _texts_of(named.get(name), named)
        case ast.Constant(value=str(text)):
            return [text]
    return []
