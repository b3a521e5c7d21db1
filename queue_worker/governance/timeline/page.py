"""The page itself. It is built as a tree, so that no text can be anything but text in it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

from queue_worker.governance.reports import error_of
from queue_worker.governance.timeline.elements import add
from queue_worker.governance.timeline.lanes import add_lanes, add_legend
from queue_worker.governance.timeline.period import Period
from queue_worker.governance.wording import counted

# Nothing is loaded and nothing is run, whatever a browser finds in the page.
_POLICY = "default-src 'none'; style-src 'unsafe-inline'"
_STYLE = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")


def render_timeline(period: Period) -> str:
    """The period as HTML: one file that opens without a network."""
    html = ET.Element("html", lang="en")
    _add_head(html, period)
    body = ET.SubElement(html, "body")
    _add_summary(body, period)
    if period.lanes:
        add_legend(body)
        add_lanes(body, period)
    else:
        add(body, "p", "Nothing ran, and nothing was due.", {"class": "nothing"})
    if period.failures:
        _add_failures(body, period)
    return "<!DOCTYPE html>\n" + ET.tostring(html, encoding="unicode", method="html") + "\n"


def _add_head(html: ET.Element, period: Period) -> None:
    head = ET.SubElement(html, "head")
    ET.SubElement(head, "meta", charset="utf-8")
    ET.SubElement(head, "meta", {"http-equiv": "Content-Security-Policy", "content": _POLICY})
    ET.SubElement(head, "meta", name="viewport", content="width=device-width, initial-scale=1")
    add(head, "title", f"Runs in {period.database} until {period.until:%Y-%m-%d %H:%M} UTC")
    ET.SubElement(head, "style").text = _STYLE


def _add_summary(body: ET.Element, period: Period) -> None:
    add(body, "h1", f"Runs in {period.database}")
    since, until = (f"{t:%Y-%m-%d %H:%M}" for t in (period.since, period.until))
    add(body, "p", f"From {since} until {until} UTC.")
    runs = sum(lane.runs for lane in period.lanes)
    failures = sum(lane.failures for lane in period.lanes)
    misses = sum(row["ticks"] for lane in period.lanes for row in lane.misses)
    facts = (
        f"{counted(len(period.lanes), 'job')}, {counted(runs, 'run')}, "
        f"{failures:,} of them failed, {counted(misses, 'tick')} without a run."
    )
    add(body, "p", facts)
    for note in _notes(period):
        add(body, "p", note, {"class": "note"})


def _notes(period: Period) -> Iterator[str]:
    """What the page does not show."""
    if period.left_out:
        yield f"{period.left_out:,} jobs with the fewest failures and runs are not drawn."
    if any(lane.is_condensed for lane in period.lanes):
        yield "Of jobs with very many runs, one bar stands for all that ended close together."


def _add_failures(body: ET.Element, period: Period) -> None:
    section = ET.SubElement(body, "section", {"class": "failures"})
    total = sum(lane.failures for lane in period.lanes)
    shown = len(period.failures)
    add(section, "h2", f"The newest {shown} of {total:,} failures" if shown < total else "Failures")
    for run in period.failures:
        article = ET.SubElement(section, "article")
        head = ET.SubElement(article, "p")
        add(head, "time", f"{run['finished_at']:%Y-%m-%d %H:%M:%S}")
        add(head, "strong", run["job"])
        add(head, "code", f"queue-worker show {run['run_id']}")
        add(head, "span", run["outcome"], {"class": "bad"})
        add(article, "p", error_of(run) or "", {"class": "error"})
