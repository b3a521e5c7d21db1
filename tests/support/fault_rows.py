"""Which tests prove which rows of docs/FAULTS.md: the markers say it, and the page repeats it.

python -m tests.support.fault_rows    writes the tests into the page anew
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
PAGE = TESTS.parent / "docs" / "FAULTS.md"
NOT_BUILT = "**not built yet**"
_ROW = re.compile(r"^\| (?P<row>[FP]\d+) \|(?P<facts>.*)\| (?P<tests>[^|]*) \|$")


@dataclass(frozen=True)
class Proof:
    """A test with the marker `fault`."""

    path: Path
    name: str
    rows: tuple[str, ...]

    @property
    def link(self) -> str:
        """The test, for the page."""
        return f"[`{self.name}`](../{self.path.relative_to(TESTS.parent).as_posix()})"


def find_proofs() -> list[Proof]:
    """Every test with the marker, by file and then in the order of the file."""
    return [proof for path in sorted(TESTS.rglob("test_*.py")) for proof in _proofs_in(path)]


def rows_of(page: str) -> dict[str, str]:
    """The rows of the page and what stands in their last column.

    Raises:
        ValueError: a row stands there twice.
    """
    found: dict[str, str] = {}
    for line in page.splitlines():
        if match := _ROW.match(line):
            if match["row"] in found:
                raise ValueError(f"docs/FAULTS.md has the row {match['row']} twice.")
            found[match["row"]] = match["tests"]
    return found


def render(page: str, proofs: list[Proof]) -> str:
    """The page with the tests of each row in its last column; a row without one stays as it is."""
    return "\n".join(_render_line(line, proofs) for line in page.split("\n"))


def _render_line(line: str, proofs: list[Proof]) -> str:
    match = _ROW.match(line)
    links = [proof.link for proof in proofs if match and match["row"] in proof.rows]
    if match is None or not links:
        return line
    return f"| {match['row']} |{match['facts']}| {', '.join(links)} |"


def _proofs_in(path: Path) -> Iterator[Proof]:
    tree = ast.parse(path.read_text())
    used = sum(_is_mark(node) for node in ast.walk(tree))
    for function in tree.body:
        if isinstance(function, ast.FunctionDef | ast.AsyncFunctionDef):
            calls = [
                decorator
                for decorator in function.decorator_list
                if isinstance(decorator, ast.Call) and _is_mark(decorator.func)
            ]
            used -= len(calls)
            if calls:
                yield Proof(path, function.name, tuple(_rows_in(calls, path)))
    if used:
        raise ValueError(f"{path}: put @pytest.mark.fault(...) on test functions and nowhere else.")


def _rows_in(calls: list[ast.Call], path: Path) -> Iterator[str]:
    for call in calls:
        for argument in call.args:
            if not (isinstance(argument, ast.Constant) and isinstance(argument.value, str)):
                raise TypeError(f"{path}:{call.lineno}: name the rows as texts, such as 'F1'.")
            yield argument.value


def _is_mark(node: ast.AST) -> bool:
    return isinstance(node, ast.Attribute) and ast.unparse(node) == "pytest.mark.fault"


if __name__ == "__main__":
    PAGE.write_text(render(PAGE.read_text(), find_proofs()))
