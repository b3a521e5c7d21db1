"""The report of the last hours: in a real browser, with nothing, with too much, with evil texts."""

from __future__ import annotations

import random
import re
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest

from queue_worker.governance.timeline.axis import Axis
from queue_worker.governance.timeline.period import MOST_BARS, MOST_JOBS
from tests.cli.conftest import Command
from tests.support.browser import NEEDED, measure, read_dom
from tests.support.ledger import add_job, add_run, add_tick, enqueue

Connection = psycopg.Connection[Any]
EVIL = (
    "</style></title><script>document.title='owned'</script><img src=x onerror=\"document.title='owned'\">"
    "\x1b[31m\x00\x9b &amp; ]]> <!-- ' \" \u202e \U0001f389"
).replace("\x00", "")
LAYOUT = """
  const view = page.documentElement, box = (e) => e.getBoundingClientRect();
  const lanes = [...page.querySelectorAll(".lane")];
  return {
    overflow: view.scrollWidth - view.clientWidth,
    paper: getComputedStyle(page.body).backgroundColor,
    lanes: lanes.map((lane) => Math.round(box(lane).width)),
    stray: lanes.filter((lane) => [...lane.querySelectorAll("rect")].some((bar) =>
      box(bar).width < 0.5 || box(bar).left < box(lane).left - 1 || box(bar).right > box(lane).right + 1)).length,
    foreign: page.querySelectorAll("script, img, iframe, object, link, a, form").length,
    title: page.title,
  };
"""


@pytest.fixture
def on_database(ready: Command, database: str) -> Command:
    return lambda *line, **extra: ready(*line, **{"DATABASE_URL": database, **extra})


@pytest.fixture
def page(tmp_path: Path) -> Path:
    return tmp_path / "page.html"


def draw(on_database: Command, path: Path, *options: str) -> str:
    answer = on_database("timeline", "--output", str(path), *options)
    assert (answer.code, answer.err) == (0, "")
    assert answer.out == f"Written to {path}; open it in a browser.\n"
    return path.read_text(encoding="utf-8")


def seed(connection: Connection) -> None:
    """A day of a few jobs: two hundred runs, five failures, three misses, one run that goes on."""
    add_job(connection, "sales.refresh")
    for number in range(200):
        ago = 60 + number * 420
        outcome = "timed_out" if number % 40 == 0 else "succeeded"
        add_run(connection, number + 1, job="sales.refresh", outcome=outcome, enqueued_at=f"{ago + 31} s", started_at=f"{ago + 30} s", finished_at=f"{ago} s")  # fmt: skip
    for hours in (1, 2, 3):
        add_tick(connection, "sales.refresh", f"{hours} hours", "missed")
    add_run(connection, 500, job="yesterday", started_at="25 hours", finished_at="25 hours")
    enqueue(connection, "mail.send", status="doing", queue_worker_claimed_at="5 minutes")


def test_each_run_failure_and_miss_is_drawn(
    on_database: Command, connection: Connection, page: Path
) -> None:
    seed(connection)
    text = draw(on_database, page)
    assert text.count('<rect class="good" x=') == 195
    assert text.count('<rect class="bad" x=') == 5
    assert text.count('<circle class="missed" cx="') == 3 + 1  # and in the legend
    assert text.count('<rect class="open" x=') == 1
    assert (
        "200 runs; 5 failed; 3 ticks without a run; p50 30 s, p95 30 s, p99 30 s, longest 30 s"
        in text
    )
    assert "<title>missed: " in text
    assert re.search(r"<title>2\.1 succeeded, 30 s from \d\d:\d\d:\d\d</title>", text)
    assert "<code>queue-worker show 1.1</code>" in text
    assert "yesterday" not in text
    assert "yesterday" in draw(on_database, page, "--hours", "26")


def test_it_needs_nothing_else(on_database: Command, connection: Connection, page: Path) -> None:
    seed(connection)
    text = draw(on_database, page)
    for word in ("http:", "https:", "src=", "href=", "url(", "@import", "<script", "<link"):
        assert word not in text


@NEEDED
@pytest.mark.parametrize("width", [360, 768, 1280])
def test_it_fits_every_window(
    on_database: Command, connection: Connection, page: Path, width: int
) -> None:
    seed(connection)
    add_run(connection, 900, job="n" * 300, outcome="failed", error_message="m" * 3000)
    found = measure(draw(on_database, page), LAYOUT, page.parent, width=width)
    assert found["overflow"] == 0
    assert found["stray"] == 0
    assert len(found["lanes"]) == 3
    assert min(found["lanes"]) > (300 if width < 700 else 400)


@NEEDED
def test_it_is_dark_where_the_system_is(
    on_database: Command, connection: Connection, page: Path
) -> None:
    text = draw(on_database, page)
    for scheme, paper in ((1, "rgb(255, 255, 255)"), (0, "rgb(20, 24, 28)")):
        option = f"--blink-settings=preferredColorScheme={scheme}"
        found = measure(text, LAYOUT, page.parent, width=800, options=(option,))
        assert found["paper"] == paper


@NEEDED
def test_with_nothing_to_show(on_database: Command, page: Path) -> None:
    draw(on_database, page)
    dom = read_dom(page)
    assert "Nothing ran, and nothing was due." in dom
    assert "0 jobs, 0 runs, 0 of them failed, 0 ticks without a run." in dom
    assert 'class="lane"' not in dom


@NEEDED
def test_what_jobs_say_is_text_and_nothing_else(
    on_database: Command, connection: Connection, page: Path
) -> None:
    add_job(connection, EVIL)
    add_tick(connection, EVIL, "1 hour", "missed", reason=EVIL)
    add_run(
        connection, 1, job=EVIL, outcome="failed", error_class=EVIL,
        error_message=EVIL + "y" * 10_000_000,
    )  # fmt: skip
    enqueue(connection, EVIL, status="doing", queue_worker_claimed_at="5 minutes")
    text = draw(on_database, page)
    assert len(text) < 100_000
    assert all(c.isprintable() or c == "\n" for c in text)
    found = measure(text, LAYOUT, page.parent, width=800)
    assert found["foreign"] == 0
    assert found["title"].startswith("Runs in ")
    dom = read_dom(page)
    assert "&lt;img src=x onerror=" in dom
    assert "owned'</title>" not in dom
    assert "<title>owned" not in dom


def test_very_many_runs_make_no_endless_page(
    on_database: Command, connection: Connection, page: Path
) -> None:
    """250 jobs and 100,000 runs, of which one in a thousand failed."""
    connection.execute(
        """
        INSERT INTO queue_worker.run (queue_job_id, attempt, job, outcome, queue, enqueued_at,
            enqueued_by, started_at, finished_at, error_class)
        SELECT n, 1, CASE WHEN n % 2 = 0 THEN 'job_many' ELSE 'job_' || n % 250 END,
            (CASE WHEN n % 1000 = 0 THEN 'lost' ELSE 'succeeded' END)::queue_worker.outcome,
            'default', t, 'ada', t, t, CASE WHEN n % 1000 = 0 THEN 'WorkerLost' END
        FROM generate_series(1, 100000) AS n, LATERAL (SELECT now() - n * interval '0.8 s' AS t) AS at
        """
    )
    connection.execute(
        """
        INSERT INTO queue_worker.run (queue_job_id, attempt, job, outcome, queue, enqueued_at,
            enqueued_by, started_at, finished_at)
        SELECT 200000 + n, 1, 'rare_' || n, 'succeeded', 'default', now(), 'ada', now(), now()
        FROM generate_series(1, 200) AS n
        """
    )
    text = draw(on_database, page)
    bars = text.count("<rect class=")
    assert bars <= 2 * MOST_BARS
    assert text.count('class="lane"') == MOST_JOBS
    assert len(text) < 4_000_000
    assert "jobs with the fewest failures and runs are not drawn." in text
    assert "one bar stands for all that ended close together." in text
    assert "The newest 100 of" not in text  # there are exactly a hundred
    named = re.findall(r"<title>([\d,]+) runs?, failed|<title>\d+\.1 lost", text)
    assert sum(int(n.replace(",", "")) if n else 1 for n in named) == 100


def test_a_file_that_cannot_be_written_is_one_clear_error(
    on_database: Command, tmp_path: Path
) -> None:
    for path in (tmp_path, tmp_path / "no" / "folder.html"):
        on_database("timeline", "--output", str(path)).assert_one_error(1, "The system refused")


def test_the_axis_has_few_round_marks() -> None:
    until = datetime(2026, 3, 14, 3, 7, tzinfo=UTC)
    random.seed(5)
    for hours in (
        0.1,
        0.5,
        1,
        3,
        24,
        26,
        168,
        8760,
        *(random.uniform(0.1, 8760) for _ in range(200)),
    ):
        axis = Axis(until - timedelta(hours=hours), until)
        assert 1 <= len(axis.marks) <= 8
        places = [place for place, _ in axis.marks]
        assert places == sorted(places)
    assert [words for _, words in Axis(until - timedelta(hours=24), until).marks] == [
        "06:00", "09:00", "12:00", "15:00", "18:00", "21:00", "00:00",
    ]  # fmt: skip
