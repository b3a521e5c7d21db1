"""Whatever a text holds: it steers no terminal, and in a page it is text."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser

from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console

from queue_worker.cli.feed import News
from queue_worker.cli.screen import render
from queue_worker.governance.printable import one_line, shortened
from queue_worker.governance.snapshot import Snapshot
from queue_worker.governance.timeline.page import render_timeline
from queue_worker.governance.timeline.period import Lane, Period

NOW = datetime(2026, 3, 14, 3, tzinfo=UTC)
PIECES = st.sampled_from(
    ["<script>", "</title>", "</style>", "<!--", "]]>", "&lt;", "\x1b[2J", "\x1b]0;x\x07", "\x9b31m",
     "\x00", "\r\n", "\u202e", "[bold]", "[/]", "\ud800", "\U0001f389", "\uff21", "'\" onload=x"]
)  # fmt: skip
HOSTILE = st.lists(PIECES | st.text(max_size=20), max_size=12).map("".join)
TAGS = {
    "html", "head", "meta", "title", "style", "body", "h1", "h2", "p", "ul", "li", "svg", "rect",
    "circle", "line", "text", "section", "div", "article", "time", "strong", "code", "span",
}  # fmt: skip


class Reader(HTMLParser):
    """The tags and the texts of a page, as a browser reads them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.texts: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


@settings(deadline=None)  # machines are slow at times
@given(HOSTILE)
def test_in_a_page_it_is_text(text: str) -> None:
    bar = {
        "is_failure": True, "outcome": "failed", "run_id": text, "runs": 1, "error_class": text,
        "started_at": NOW, "finished_at": NOW,
    }  # fmt: skip
    miss = {"due_at": NOW, "ticks": 1, "state": "missed", "reason": text}
    failure = {
        "finished_at": NOW, "job": text, "run_id": text, "outcome": "failed", "error_class": text,
        "error_message": text,
    }  # fmt: skip
    lane = Lane(
        text, 1, 1, (1.0, 1.0, 1.0), 1.0, [bar], [miss], [{"run_id": text, "claimed_at": NOW}]
    )
    page = render_timeline(
        Period(text, NOW - timedelta(hours=24), NOW, [lane], [failure], left_out=0)
    )
    page.encode()
    assert all(c.isprintable() or c == "\n" for c in page)
    read = Reader(page)
    assert read.tags <= TAGS
    assert not any(name.startswith("on") or name in {"src", "href"} for name in read.attributes)
    assert one_line(text) in read.texts or not one_line(text)


@settings(deadline=None)
@given(HOSTILE, st.integers(20, 160), st.integers(3, 60))
def test_on_a_screen_it_stays_in_its_line(text: str, columns: int, lines: int) -> None:
    console = Console(width=columns, height=lines, force_terminal=True, color_system=None)
    worker = {
        "worker_id": 1, "state": "alive", "runs": 1, "concurrency": 1, "host": text, "pid": 1,
        "up_for": 1.0, "queues": [text],
    }  # fmt: skip
    tick = {"job": text, "due_in": 1.0, "schedule": text}
    failure = {
        "job": text, "run_id": text, "ago": 1.0, "outcome": "failed", "error_class": text,
        "error_message": text,
    }  # fmt: skip
    news = News(Snapshot(text, NOW, [worker], [], [], [tick], [failure]), problem=text or None)
    with console.capture() as capture:
        console.print(render(news, console.size))
    shown = capture.get()
    assert all(c.isprintable() or c == "\n" for c in shown)
    assert shown.count("\n") <= max(lines, 12)


@given(st.integers(0, 20_000))
def test_a_long_text_says_how_long_it_was(length: int) -> None:
    text = "y" * length
    assert len(shortened(text)) < 4_050
    assert (shortened(text) == text) == (length <= 4_000)
    assert length <= 4_000 or f"({length:,} characters)" in shortened(text)
