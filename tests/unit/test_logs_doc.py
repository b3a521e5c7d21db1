"""docs/LOGS.md lists every event that the code can say, with its level, and no other."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from queue_worker.execution.outcome import Outcome
from queue_worker.observability.logs import _Handler

ROOT = Path(__file__).resolve().parents[2]
LEVELS = {"debug", "info", "warning", "error", "exception", "critical"}
TICKS = ("enqueued", "skipped", "missed", "backfilled")  # queue_worker.tick.state
# Events that are put together: what their variable part can be.
MADE = {"f'job.{run.outcome}'": tuple(Outcome), "f'tick.{state}'": TICKS}


def said_in(path: Path) -> Iterator[tuple[str, str]]:
    """Each event that this file can say, and its level."""
    tree = ast.parse(path.read_text())
    made = {
        target.id: node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign)
        for target in node.targets
        if isinstance(target, ast.Name) and target.id == "event"
    }
    for call in (node for node in ast.walk(tree) if isinstance(node, ast.Call)):
        level, first = ast.unparse(call.func), call.args[0] if call.args else None
        if level == "_say" and len(call.args) == 2:
            level, first = ast.unparse(call.args[0]), call.args[1]
        match = re.fullmatch(r"(?:ctx\.)?log\.(\w+)", level)
        if not match or match[1] not in LEVELS or first is None:
            continue
        if isinstance(first, ast.Name):
            first = made[first.id]
        said = "error" if match[1] == "exception" else match[1]
        if isinstance(first, ast.Constant):
            yield str(first.value), said
        else:
            prefix = ast.unparse(first)
            for part in MADE[prefix]:
                yield f"{prefix[2:].partition('{')[0]}{part}", said


def documented() -> dict[str, str]:
    rows = re.findall(
        r"^\| `([a-z_]+\.[a-z_]+)` \| (\w+) \| .+ \|.*\|$",
        (ROOT / "docs" / "LOGS.md").read_text(),
        flags=re.MULTILINE,
    )
    assert [event for event, _ in rows] == sorted(event for event, _ in rows)
    assert len(dict(rows)) == len(rows)
    return dict(rows)


def test_the_page_lists_every_event_and_no_other() -> None:
    said = {"log.unreadable": {"error"}}
    for path in sorted((ROOT / "queue_worker").rglob("*.py")):
        if "demo" not in path.parts:
            for event, level in said_in(path):
                said.setdefault(event, set()).add(level)
    page = documented()
    assert set(page) == set(said), "docs/LOGS.md is stale"
    # a run that ended well is told of as info, one that did not as an error, by the same lines
    assert {e: level for e, level in page.items() if level not in said[e]} == {}
    assert _Handler.__doc__


def test_an_event_that_is_not_on_the_page_is_noticed(tmp_path: Path) -> None:
    """The check itself: without it an event could be said and stand nowhere."""
    path = tmp_path / "code.py"
    path.write_text('log.info("new.event", x=1)\nctx.log.exception("other.event")\n')
    assert list(said_in(path)) == [("new.event", "info"), ("other.event", "error")]
