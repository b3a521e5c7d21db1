"""Check the promises from the jobs' own ledger, and say what was found."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

import psycopg

from queue_worker.worker import timing
from tests.support.soak import Fault, Soak

SELF_FENCE = 2.0  # seconds in which a worker that wakes up has ended itself
CLOSE_TIME = 1.0  # seconds from the end of a job to its close
CAUSE_WINDOW = 30.0  # seconds for which a fault may still show in what its process does


@dataclass(frozen=True)
class Span:
    """One run by the account of its job; a killed process's runs end with it."""

    job: str
    run_id: str
    lock_key: str
    pid: int
    start: float
    end: float
    completed: bool

    @property
    def queue_job_id(self) -> int:
        return int(self.run_id.split(".")[0])


@dataclass
class Figures:
    """What the soak has shown."""

    seconds: float = 0.0
    accepted: int = 0
    faults: dict[str, int] = field(default_factory=dict)
    lost: int = 0
    left_doing: int = 0
    fence_violations: int = 0
    overlaps: dict[str, int] = field(default_factory=dict)
    longest_overlap_after_resume: float = 0.0
    ticks_fired_twice: int = 0
    ticks: int = 0
    completed_twice: dict[str, int] = field(default_factory=dict)
    outcomes: dict[str, int] = field(default_factory=dict)
    unexpected_exits: dict[str, int] = field(default_factory=dict)
    kill_to_lost: list[float] = field(default_factory=list)
    hindered_kill_to_lost: list[float] = field(default_factory=list)
    stop_to_lost: list[float] = field(default_factory=list)
    stop_of_all_to_lost: list[float] = field(default_factory=list)
    black_hole_to_lost: list[float] = field(default_factory=list)
    kill_to_rerun: list[float] = field(default_factory=list)
    restart_to_start: list[float] = field(default_factory=list)

    def lines(self) -> list[str]:
        """For people."""
        return [
            f"length                          {self.seconds:.0f} s",
            f"jobs accepted                   {self.accepted}",
            f"faults                          {_counts(self.faults)}",
            f"lost (no recorded outcome)      {self.lost}",
            f"left waiting or doing           {self.left_doing}",
            f"fence violations                {self.fence_violations}",
            f"overlaps of a lock key by cause {_counts(self.overlaps)}",
            f"longest overlap after a resume  {self.longest_overlap_after_resume:.3f} s",
            f"ticks fired / fired twice       {self.ticks} / {self.ticks_fired_twice}",
            f"completed twice by cause        {_counts(self.completed_twice)}",
            f"outcomes                        {_counts(self.outcomes)}",
            f"unexpected process exits        {_counts(self.unexpected_exits)}",
            f"kill to `lost` row              {_spread(self.kill_to_lost)}",
            f"the same, beside a restart or with no sibling {_spread(self.hindered_kill_to_lost)}",
            f"stop to `lost` row              {_spread(self.stop_to_lost)}",
            f"the same, for a time all stood  {_spread(self.stop_of_all_to_lost)}",
            f"black hole to `lost` row        {_spread(self.black_hole_to_lost)}",
            f"kill to the job's next start    {_spread(self.kill_to_rerun)}",
            f"server back to the next start   {_spread(self.restart_to_start)}",
        ]


def examine(soak: Soak) -> Figures:
    """All figures of one soak."""
    spans, ticks = _read(soak)
    faults = soak.record.faults
    figures = Figures(
        seconds=soak.seconds,
        accepted=len(soak.record.accepted),
        faults=dict(Counter(fault.kind for fault in faults)),
        left_doing=soak.left,
        ticks=len(ticks),
        ticks_fired_twice=sum(len(ids) > 1 for ids in ticks.values()),
    )
    with psycopg.connect(soak.dsn) as connection:
        _examine_queue(connection, soak, spans, figures)
        if not soak.plan.plain:
            _examine_runs(connection, soak, spans, figures)
    _examine_overlaps(spans, faults, figures)
    _examine_completions(spans, faults, figures)
    _examine_recovery(spans, faults, figures)
    expected = {("kill", -9), ("drain", 0)}
    figures.unexpected_exits = dict(
        Counter(
            f"{cause} (exit {code})"
            for cause, code in soak.record.exits
            if (cause, code) not in expected
        )
    )
    return figures


def _read(soak: Soak) -> tuple[list[Span], dict[str, set[str]]]:
    starts: dict[tuple[str, str], tuple[str, str, float]] = {}
    ends: dict[tuple[str, str], tuple[float, bool]] = {}
    ticks: dict[str, set[str]] = defaultdict(set)
    for line in soak.ledger.read_text().splitlines():
        what, job, run_id, lock_key, pid, at = line.split()
        if what == "start":
            starts[run_id, pid] = (job, lock_key, float(at))
        elif what.startswith("tick:"):
            ticks[what].add(run_id.split(".")[0])
        else:
            ends[run_id, pid] = (float(at), what == "end")
    deaths = soak.record.deaths
    spans = []
    for (run_id, pid), (job, lock_key, start) in starts.items():
        end, completed = ends.get((run_id, pid), (deaths.get(int(pid), float("inf")), False))
        spans.append(Span(job, run_id, lock_key, int(pid), start, end, completed))
    return sorted(spans, key=lambda span: span.start), ticks


def _examine_queue(
    connection: psycopg.Connection[Any], soak: Soak, spans: list[Span], figures: Figures
) -> None:
    """Everything accepted is in a final state, and what succeeded has really ended."""
    status: dict[int, str] = dict(connection.execute("SELECT id, status FROM procrastinate_jobs"))
    completed = {span.queue_job_id for span in spans if span.completed}
    for accepted in soak.record.accepted:
        state = status.get(accepted)
        if state is None or (state == "succeeded" and accepted not in completed):
            figures.lost += 1
    figures.outcomes = dict(Counter(str(state) for state in status.values()))


def _examine_runs(
    connection: psycopg.Connection[Any], soak: Soak, spans: list[Span], figures: Figures
) -> None:
    """Our ledger against theirs."""
    runs = connection.execute(
        "SELECT r.queue_job_id, r.attempt, r.outcome::text, w.pid,"
        " extract(epoch FROM r.finished_at)::float8, r.error_class FROM queue_worker.run AS r"
        " JOIN queue_worker.worker AS w USING (worker_id)"
    ).fetchall()
    ended = {span.run_id for span in spans if span.completed}
    succeeded = Counter(row[0] for row in runs if row[2] == "succeeded")
    figures.fence_violations = sum(count > 1 for count in succeeded.values()) + sum(
        f"{row[0]}.{row[1]}" not in ended for row in runs if row[2] == "succeeded"
    )
    figures.outcomes = dict(Counter(row[2] for row in runs))
    recorded = {row[0] for row in runs}
    figures.lost += len(soak.record.accepted - recorded)
    rescued = [
        (row[3], row[4] - soak.clock_offset)
        for row in runs
        if row[5] in {"WorkerLost", "Quarantined"}
    ]
    faults = soak.record.faults
    for fault, took in _times_to_rescue("kill", faults, rescued):
        hindered = _nobody_could_look(faults, fault.at, fault.at + took, soak.plan.workers - 1)
        (figures.hindered_kill_to_lost if hindered else figures.kill_to_lost).append(took)
    figures.black_hole_to_lost = [
        took for _, took in _times_to_rescue("black hole", faults, rescued)
    ]
    for fault, took in _times_to_rescue("stop", faults, rescued):
        all_stood = _most_stopped(faults, fault.at, fault.at + took) >= soak.plan.workers
        (figures.stop_of_all_to_lost if all_stood else figures.stop_to_lost).append(took)


def _times_to_rescue(
    kind: str, faults: list[Fault], rescued: list[tuple[int, float]]
) -> list[tuple[Fault, float]]:
    """Each fault of this kind, and how long after it the last run that it cut off was rescued."""
    found = []
    for fault in (fault for fault in faults if fault.kind == kind):
        others = [f.at for f in faults if f.pid in {fault.pid, 0} and f.at > fault.at]
        end = min([*others, fault.until + SELF_FENCE], default=0.0)
        if fault.kind == "kill":
            end = float("inf")  # nothing more can happen to it
        times = [at - fault.at for pid, at in rescued if pid == fault.pid and fault.at < at < end]
        found += [(fault, max(times))] if times else []
    return found


def _nobody_could_look(faults: list[Fault], start: float, end: float, siblings: int) -> bool:
    """Whether the server was away or had just come back, or every sibling was kept from looking."""
    restarted = any(
        f.kind == "restart" and f.at < end and f.until + timing.SETTLE > start for f in faults
    )
    return restarted or _most_stopped(faults, start, end) >= siblings


def _most_stopped(faults: list[Fault], start: float, end: float) -> int:
    """How many workers could not look at one moment of this time, at the most."""
    kept_away = [f for f in faults if f.kind in {"stop", "black hole"}]
    moments = [start, *(f.at for f in kept_away if start < f.at < end)]
    return max(
        len({f.pid for f in kept_away if f.at <= moment <= f.until + SELF_FENCE})
        for moment in moments
    )


def _examine_overlaps(spans: list[Span], faults: list[Fault], figures: Figures) -> None:
    by_key: dict[str, list[Span]] = defaultdict(list)
    for span in spans:
        if span.lock_key != "-":
            by_key[span.lock_key].append(span)
    causes: Counter[str] = Counter()
    for same_key in by_key.values():
        for earlier, later in _overlapping(same_key):
            stop = _fault_of(earlier, faults, {"stop"})
            if stop is not None and stop.at <= later.start:
                length = min(earlier.end, later.end) - max(stop.until, later.start)
                if length <= 0:
                    continue  # it did not move while the other one ran
                figures.longest_overlap_after_resume = max(
                    figures.longest_overlap_after_resume, length
                )
            causes[_cause(earlier, faults)] += 1
    figures.overlaps = dict(causes)


def _overlapping(spans: list[Span]) -> Iterable[tuple[Span, Span]]:
    open_spans: list[Span] = []
    for span in spans:
        open_spans = [other for other in open_spans if other.end > span.start]
        yield from ((other, span) for other in open_spans)
        open_spans.append(span)


def _examine_completions(spans: list[Span], faults: list[Fault], figures: Figures) -> None:
    by_job: dict[int, list[Span]] = defaultdict(list)
    for span in spans:
        if span.completed:
            by_job[span.queue_job_id].append(span)
    figures.completed_twice = dict(
        Counter(_cause(found[0], faults) for found in by_job.values() if len(found) > 1)
    )


def _examine_recovery(spans: list[Span], faults: list[Fault], figures: Figures) -> None:
    for fault in faults:
        if fault.kind == "restart":
            following = [span.start for span in spans if span.start > fault.until]
            figures.restart_to_start += [min(following) - fault.until] if following else []
        elif fault.kind == "kill":
            cut_off = {
                span.queue_job_id
                for span in spans
                if span.pid == fault.pid and span.end == fault.at and span.job != "once"
            }
            for queue_job_id in cut_off:
                again = [
                    span.start
                    for span in spans
                    if span.queue_job_id == queue_job_id and span.start > fault.at
                ]
                figures.kill_to_rerun += [min(again) - fault.at] if again else []


def _fault_of(span: Span, faults: list[Fault], kinds: set[str] | None = None) -> Fault | None:
    """The last fault that hit the process of this run before it was closed; or else the server."""
    hits = [
        fault
        for fault in faults
        if fault.pid in {span.pid, 0}
        and fault.at <= span.end + CLOSE_TIME
        and fault.until + CAUSE_WINDOW >= span.start
        and (kinds is None or fault.kind in kinds)
    ]
    return max(hits, key=lambda fault: (fault.pid, fault.at), default=None)


def _cause(span: Span, faults: list[Fault]) -> str:
    fault = _fault_of(span, faults)
    return fault.kind if fault else "unknown"


def _counts(counts: dict[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(counts.items())) or "0"


def _spread(values: list[float]) -> str:
    if not values:
        return "-"
    ordered = sorted(values)
    p99 = ordered[min(len(ordered) - 1, int(len(ordered) * 0.99))]
    return (
        f"median {statistics.median(ordered):.2f} s, p99 {p99:.2f} s,"
        f" max {ordered[-1]:.2f} s (n = {len(ordered)})"
    )
