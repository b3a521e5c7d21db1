"""The runs of the last hours as one HTML file that needs nothing else."""

from __future__ import annotations

from queue_worker.governance.timeline.page import render_timeline
from queue_worker.governance.timeline.period import Period, read_period

__all__ = ["Period", "read_period", "render_timeline"]
