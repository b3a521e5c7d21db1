"""The rates of all systems as bars, one panel a measurement and case."""

from __future__ import annotations

from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

from tests.benchmarks.samples import Results
from tests.benchmarks.server import CannotMeasureError
from tests.benchmarks.systems.found import REMEDY
from tests.benchmarks.tables import grouped

_COLUMNS = 3
_SIZE = (4.2, 2.4)  # inches of one panel
_DRAWN = {
    "jobs_per_s": "jobs/s",
    "times_empty": "times the rate from empty tables",
    "p50_ms": "p50, ms",
    "p99_ms": "p99, ms",
    "worker_cpu_us_per_job": "worker CPU, µs/job",
}


def require_matplotlib() -> None:
    """Raise CannotMeasureError, before anything is measured, if nothing can be drawn."""
    if find_spec("matplotlib") is None:
        raise CannotMeasureError(f"--plot needs matplotlib. Remedy: {REMEDY}.")


def draw(results: Results, path: Path) -> None:
    """Draw medians with the range of the rounds; the name's ending says as what (svg, png)."""
    import matplotlib as mpl  # noqa: PLC0415  optional

    mpl.use("agg")
    from matplotlib import pyplot as plt  # noqa: PLC0415  after the backend is chosen

    wanted = {key: value for key, value in grouped(results.samples).items() if key[2] in _DRAWN}
    if not wanted:
        return
    rows = -(-len(wanted) // _COLUMNS)
    figure, panels = plt.subplots(
        rows, _COLUMNS, figsize=(_SIZE[0] * _COLUMNS, _SIZE[1] * rows), squeeze=False
    )
    for panel, (key, figures) in zip(panels.flat, wanted.items(), strict=False):
        _draw_panel(panel, key, figures)
    for panel in panels.flat[len(wanted) :]:
        panel.set_visible(False)
    figure.tight_layout()
    figure.savefig(path)
    plt.close(figure)


def _draw_panel(
    panel: Any, key: tuple[str, str, str], figures: dict[str, dict[int, float]]
) -> None:
    measurement, case, metric = key
    names = list(figures)[::-1]
    values = [list(figures[name].values()) for name in names]
    middles = [median(known) for known in values]
    below = [middle - min(known) for middle, known in zip(middles, values, strict=True)]
    above = [max(known) - middle for middle, known in zip(middles, values, strict=True)]
    colors = ["#2f6db5" if name == "ours" else "#b8bec6" for name in names]
    panel.barh(names, middles, xerr=[below, above], color=colors, ecolor="#444444", capsize=2)
    panel.set_title(f"{measurement}, {case}", fontsize=9)
    panel.set_xlabel(_DRAWN[metric], fontsize=8)
    panel.tick_params(labelsize=8)
