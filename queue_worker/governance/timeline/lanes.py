"""The bars: a lane for each job, and what their colours mean."""

from __future__ import annotations

from collections.abc import Iterator
from xml.etree import ElementTree as ET

from queue_worker.governance.printable import one_line
from queue_worker.governance.reports import Row
from queue_worker.governance.timeline.axis import Axis
from queue_worker.governance.timeline.elements import add
from queue_worker.governance.timeline.period import Lane, Period
from queue_worker.governance.wording import counted, in_short

_KINDS = {
    "succeeded": "good",
    "failed": "bad",
    "timed_out": "bad",
    "lost": "bad",
    "cancelled": "odd",
    "skipped": "odd",
    "dry_run": "odd",
}
_LEGEND = (
    ("good", "succeeded"),
    ("bad", "failed, timed out, lost"),
    ("odd", "cancelled, skipped, dry run"),
    ("open", "runs now"),
    ("missed", "due, but no run"),
)


def add_legend(body: ET.Element) -> None:
    """What the colours mean."""
    legend = ET.SubElement(body, "ul", {"class": "legend"})
    for kind, words in _LEGEND:
        item = ET.SubElement(legend, "li")
        picture = ET.SubElement(item, "svg", {"class": "sign", "aria-hidden": "true"})
        if kind == "missed":
            ET.SubElement(picture, "circle", {"class": kind, "cx": "50%", "cy": "50%", "r": "3"})
        else:
            ET.SubElement(picture, "rect", {"class": kind, "width": "100%", "height": "100%"})
        picture.tail = f" {words}"


def add_lanes(body: ET.Element, period: Period) -> None:
    """A lane for each job, under a common axis."""
    axis = Axis(period.since, period.until)
    lanes = ET.SubElement(body, "section", {"class": "lanes"})
    add(lanes, "div", "")
    head = ET.SubElement(lanes, "svg", {"class": "axis", "aria-hidden": "true"})
    for place, words in axis.marks:
        add(head, "text", words, {"x": f"{place:.2f}%", "y": "12"})
    for lane in period.lanes:
        _add_lane(lanes, lane, axis)


def _add_lane(lanes: ET.Element, lane: Lane, axis: Axis) -> None:
    name = ET.SubElement(lanes, "div", {"class": "name"})
    add(name, "h2", lane.job)
    add(name, "p", _describe(lane))
    picture = ET.SubElement(lanes, "svg", {"class": "lane", "role": "img"})
    picture.set("aria-label", one_line(f"{lane.job}: {_describe(lane)}"))
    for place, _ in axis.marks:
        x = f"{place:.2f}%"
        ET.SubElement(picture, "line", {"x1": x, "x2": x, "y1": "0", "y2": "100%"})
    for bar in sorted(lane.bars, key=lambda bar: bar["is_failure"]):
        _add_bar(picture, bar, axis)
    for run in lane.open_runs:
        x, width = axis.stretch(run["claimed_at"], axis.until)
        rect = ET.SubElement(picture, "rect", {"class": "open", "x": x, "width": width})
        add(rect, "title", f"{run['run_id']} runs since {run['claimed_at']:%H:%M:%S}")
    for miss in lane.misses:
        x = f"{axis.place(miss['due_at']):.2f}%"
        circle = ET.SubElement(
            picture, "circle", {"class": "missed", "cx": x, "cy": "23", "r": "3"}
        )
        many = f" and {miss['ticks'] - 1:,} more" if miss["ticks"] > 1 else ""
        add(circle, "title", f"{miss['state']}: {miss['due_at']:%H:%M:%S}{many}, {miss['reason']}")


def _add_bar(picture: ET.Element, bar: Row, axis: Axis) -> None:
    x, width = axis.stretch(bar["started_at"], bar["finished_at"])
    rect = ET.SubElement(picture, "rect", {"class": _KINDS[bar["outcome"]], "x": x, "width": width})
    add(rect, "title", " ".join(_words(bar)))


def _words(bar: Row) -> Iterator[str]:
    if bar["run_id"]:
        yield f"{bar['run_id']} {bar['outcome']},"
        yield in_short((bar["finished_at"] - bar["started_at"]).total_seconds())
    else:
        yield f"{bar['runs']:,} runs, {'failed' if bar['is_failure'] else 'not failed'}"
    yield f"from {bar['started_at']:%H:%M:%S}"
    if bar["error_class"]:
        yield f"({bar['error_class']})"


def _describe(lane: Lane) -> str:
    parts = [counted(lane.runs, "run") if lane.runs else "no run has ended"]
    if lane.failures:
        parts.append(f"{lane.failures:,} failed")
    misses = sum(row["ticks"] for row in lane.misses)
    if misses:
        parts.append(f"{counted(misses, 'tick')} without a run")
    if lane.percentiles:
        half, most, nearly_all = map(in_short, lane.percentiles)
        parts.append(f"p50 {half}, p95 {most}, p99 {nearly_all}, longest {in_short(lane.longest)}")
    return "; ".join(parts)
