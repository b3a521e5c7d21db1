"""Results as tables: the median and range of every figure, and ours compared with the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from statistics import median

from tests.benchmarks.samples import Results, Sample

_OURS = "ours"
_BEST = "best pgqueuer of the round"
_Figures = dict[str, dict[int, float]]  # system -> round -> value
_HEAD = ("system", "median", "least to most", "rounds", "ours ÷ it: median (least to most)")


def render(results: Results, *, markdown: bool = False) -> str:
    """Every measurement, case and metric as a table."""
    parts = []
    for (measurement, case, metric), figures in grouped(results.samples).items():
        title = f"{measurement}, {case}: {metric}"
        parts.append(
            _render_table(
                title, list(_rows(figures, is_better_high="per_s" in metric)), markdown=markdown
            )
        )
    return "\n\n".join(parts)


def spread(values: Iterable[float]) -> str:
    """Median, least and most."""
    known = list(values)
    return f"{_number(median(known))} ({_number(min(known))} to {_number(max(known))})"


def grouped(samples: Iterable[Sample]) -> dict[tuple[str, str, str], _Figures]:
    """The figures of each measurement, case and metric."""
    found: dict[tuple[str, str, str], _Figures] = {}
    for sample in samples:
        figures = found.setdefault((sample.measurement, sample.case, sample.metric), {})
        figures.setdefault(sample.system, {})[sample.round] = sample.value
    return found


def _rows(figures: _Figures, *, is_better_high: bool) -> Iterable[Sequence[str]]:
    ours = figures.get(_OURS, {})
    for system, values in figures.items():
        known = list(values.values())
        between = f"{_number(min(known))} to {_number(max(known))}"
        ratio = "" if system == _OURS else _ratio(ours, values)
        yield system, _number(median(known)), between, str(len(known)), ratio
    rivals = [values for system, values in figures.items() if system.startswith("pgqueuer")]
    if len(rivals) > 1 and ours:
        rounds = set.intersection(*(set(values) for values in rivals))
        better = max if is_better_high else min
        best = {number: better(values[number] for values in rivals) for number in rounds}
        yield _BEST, "", "", "", _ratio(ours, best)


def _ratio(ours: dict[int, float], theirs: dict[int, float]) -> str:
    """Ours divided by theirs, within each round that has both."""
    both = [ours[number] / theirs[number] for number in ours.keys() & theirs if theirs[number]]
    return spread(both) if both else ""


def _render_table(title: str, rows: list[Sequence[str]], *, markdown: bool) -> str:
    if markdown:
        lines = [_line(_HEAD), "|---|--:|--:|--:|--:|", *map(_line, rows)]
        return "\n".join([f"**{title}**", "", *lines])
    table = [_HEAD, *rows]
    widths = [max(len(row[column]) for row in table) for column in range(len(_HEAD))]
    lines = ["  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip()
             for row in table]  # fmt: skip
    return "\n".join([title, *(f"  {line}" for line in lines)])


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _number(value: float) -> str:
    """Three digits are more than any of this is good for."""
    if abs(value) >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if abs(value) >= 10 else f"{value:.2f}"
