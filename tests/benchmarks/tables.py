"""Results as tables: the median and range of every figure, and ours compared with the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from statistics import median

from tests.benchmarks.samples import Results, Sample

_OURS = "ours"
_RIVAL = "pgqueuer"
_BEST = "best pgqueuer of the round"
_HEAD = ("case", "system", "median", "least to most", "rounds", "ours ÷ it (least to most)")
_TO_THE_RIGHT = 2  # the first column that holds numbers
_CONDITIONS = ("what", "value")
Figures = dict[str, dict[int, float]]  # system -> round -> value


def render(results: Results, *, markdown: bool = False) -> str:
    """What the figures depend on, and a table for every measurement and metric."""
    conditions = list(_flattened(results.conditions))
    parts = [_render_table("conditions", [_CONDITIONS, *conditions], markdown=markdown)]
    parts.extend(
        _render_table(f"{measurement}: {metric}", [_HEAD, *rows], markdown=markdown)
        for (measurement, metric), rows in _tables(results.samples).items()
    )
    parts.extend(f"Note: {note}" for note in results.notes)
    return "\n\n".join(parts)


def grouped(samples: Iterable[Sample]) -> dict[tuple[str, str, str], Figures]:
    """The figures of each measurement, case and metric."""
    found: dict[tuple[str, str, str], Figures] = {}
    for sample in samples:
        figures = found.setdefault((sample.measurement, sample.case, sample.metric), {})
        figures.setdefault(sample.system, {})[sample.round] = sample.value
    return found


def _tables(samples: Iterable[Sample]) -> dict[tuple[str, str], list[Sequence[str]]]:
    found: dict[tuple[str, str], list[Sequence[str]]] = {}
    for (measurement, case, metric), figures in grouped(samples).items():
        better = max if "per_s" in metric or metric == "times_empty" else min
        rows = found.setdefault((measurement, metric), [])
        rows.extend((case, *row) for row in _rows(figures, better))
    return found


def _rows(figures: Figures, better: Callable[[Iterable[float]], float]) -> Iterator[Sequence[str]]:
    ours = figures.get(_OURS, {})
    for system, values in figures.items():
        known = list(values.values())
        between = f"{_number(min(known))} to {_number(max(known))}"
        ratio = "" if system == _OURS else _ratio(ours, values)
        yield system, _number(median(known)), between, str(len(known)), ratio
    rivals = [values for system, values in figures.items() if system.startswith(_RIVAL)]
    if len(rivals) > 1 and ours:
        rounds = set.intersection(*(set(values) for values in rivals))
        best = {number: better(values[number] for values in rivals) for number in rounds}
        yield _BEST, "", "", "", _ratio(ours, best)


def _ratio(ours: dict[int, float], theirs: dict[int, float]) -> str:
    """Ours divided by theirs, within each round that has both."""
    both = [ours[number] / theirs[number] for number in ours.keys() & theirs if theirs[number]]
    if not both:
        return ""
    return f"{_number(median(both))} ({_number(min(both))} to {_number(max(both))})"


def _flattened(found: dict[str, object], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in found.items():
        if isinstance(value, dict):
            yield from _flattened(value, f"{prefix}{name}: ")
        else:
            yield f"{prefix}{name}", str(value)


def _render_table(title: str, rows: list[Sequence[str]], *, markdown: bool) -> str:
    if markdown:
        rule = ["--:" if column >= _TO_THE_RIGHT else "---" for column in range(len(rows[0]))]
        lines = [f"| {' | '.join(row)} |" for row in [rows[0], rule, *rows[1:]]]
        return "\n".join([f"**{title}**", "", *lines])
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = (
        "  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
    return "\n".join([title, *(f"  {line}" for line in padded)])


def _number(value: float) -> str:
    """Three digits are more than any of this is good for."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
