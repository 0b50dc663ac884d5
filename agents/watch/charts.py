"""The charts of runs of one task, drawn again when there is something new, and not too often."""

from __future__ import annotations

import time
from collections.abc import Sequence
from threading import Lock

from agents.report.curves import (
    Curve,
    draw_panels,
    draw_success,
    earnings_panels,
    subgoal_panels,
)

KINDS = {
    "success": "Success on held-out levels",
    "earnings": "What an episode of training earns",
    "subgoals": "Subgoals on held-out levels",
}
"""The charts there are, with their titles."""
LEAST_SECONDS = 5.0
"""Between two drawings of the same runs."""
SHARE = 20.0
"""Drawing takes one part in so many of the time, at most."""


class Charts:
    """The charts of some runs, drawn when they are asked for."""

    def __init__(self) -> None:
        self._curves: Sequence[Curve] = ()
        self._stamp: object = None
        self._drawn: dict[str, str] = {}
        self._next = 0.0
        self.version = 0
        """Goes up when there is something new to draw."""
        self._lock = Lock()

    def update(self, stamp: object, curves: Sequence[Curve]) -> None:
        """Takes new curves, unless the last ones are of just now.

        Args:
            stamp: equal for equal curves.
            curves: of the runs.
        """
        with self._lock:
            if stamp != self._stamp and time.monotonic() >= self._next:
                self._stamp, self._curves, self._drawn = stamp, curves, {}
                self._next = time.monotonic() + LEAST_SECONDS
                self.version += 1

    def list(self) -> list[dict[str, str]]:
        """Returns kind, title and a description in words of each chart that has something to
        show."""
        if not any(rows for curve in self._curves for rows in curve.seeds):
            return []
        charts = [{"kind": "success", "title": KINDS["success"], "alt": self._in_words()}]
        for kind, panels in (
            ("earnings", earnings_panels(self._curves)),
            ("subgoals", subgoal_panels(self._curves)),
        ):
            if panels:
                alt = f"A curve each for: {', '.join(panel.title for panel in panels)}"
                charts.append({"kind": kind, "title": KINDS[kind], "alt": alt})
        return charts

    def draw(self, kind: str) -> str | None:
        """Returns a chart as SVG; None where there is nothing to draw."""
        with self._lock:
            if kind not in {chart["kind"] for chart in self.list()}:
                return None
            if kind not in self._drawn:
                start = time.thread_time()  # not the clock's: others may be at work as well
                self._drawn[kind] = _draw(kind, self._curves)
                taken = time.thread_time() - start
                self._next = max(self._next, time.monotonic() + SHARE * taken)
            return self._drawn[kind]

    def _in_words(self) -> str:
        """Returns the last success of each arm."""
        ends = []
        for curve in self._curves:
            lasts = [rows[-1] for rows in curve.seeds if rows]
            if lasts:
                shares = ", ".join(f"{row['success']:.0%}" for row in lasts)
                ends.append(f"{curve.label}: {shares}")
        return f"Success at the last evaluation: {'; '.join(ends)}"


def _draw(kind: str, curves: Sequence[Curve]) -> str:
    if kind == "success":
        return draw_success(curves)
    panels = earnings_panels(curves) if kind == "earnings" else subgoal_panels(curves)
    return draw_panels(curves, panels, kind, share=kind == "subgoals")
