"""Phases of an attempt as a picture: one row per phase, its service and name above its bar, one time axis.

Places are in percent of the picture's width, so it needs no script and no style to fit a phone.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from console.domain.timeline import Phase
from console.handlers.html import Markup, tag

ROW_PX, TOP_PX, BAR_PX = 34, 26, 9
SHORTEST_PERCENT = 0.4
STEPS = (1, 2, 5)
MOST_TICKS = 5


def gantt(title: str, phases: Sequence[Phase], *, name: str) -> Markup:
    """An SVG; the table beside it tells the same, so for a screen reader it is its title alone."""
    if not phases:
        return Markup("")
    start, end = min(p.start for p in phases), max(p.end for p in phases)
    whole = max((end - start).total_seconds(), 1e-3)
    height = TOP_PX + ROW_PX * len(phases) + 4
    grid = [part for seconds in ticks(whole) for part in _tick(seconds, whole, height)]
    rows = [part for place, phase in enumerate(phases) for part in _row(place, phase, start, whole)]
    drawn = tag(
        "svg",
        tag("title", title, id=f"{name}-title"),
        *grid,
        *rows,
        class_="gantt",
        width="100%",
        height=str(height),
        role="img",
        aria_labelledby=f"{name}-title",
    )
    return tag("div", drawn, class_="panel")


def ticks(whole_seconds: float) -> list[float]:
    """Round times from 0 within `whole_seconds`, at most six."""
    step = 0.001
    while True:
        for factor in STEPS:
            if whole_seconds / (step * factor) <= MOST_TICKS:
                return [step * factor * n for n in range(int(whole_seconds / (step * factor)) + 1)]
        step *= 10


def duration(seconds: float) -> str:
    """With a unit, to the precision that one would say it in."""
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 99.95:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds) // 60} min {int(seconds) % 60} s"
    return f"{int(seconds) // 3600} h {int(seconds) % 3600 // 60} min"


def _tick(seconds: float, whole: float, height: int) -> tuple[Markup, Markup]:
    x = f"{seconds / whole * 100:.3f}%"
    anchor = "start" if seconds == 0 else "end" if seconds / whole > 0.93 else "middle"
    label = "0" if seconds == 0 else duration(seconds).replace(".0 s", " s")
    line = tag("line", x1=x, x2=x, y1=str(TOP_PX - 8), y2=str(height), class_="grid")
    return line, tag("text", label, x=x, y="12", text_anchor=anchor, class_="axis")


def _row(place: int, phase: Phase, start: datetime, whole: float) -> tuple[Markup, ...]:
    left = (phase.start - start).total_seconds() / whole * 100
    width = min(max(phase.seconds / whole * 100, SHORTEST_PERCENT), 100 - left + SHORTEST_PERCENT)
    y = TOP_PX + place * ROW_PX
    words = tag(
        "text",
        tag("tspan", phase.service, class_="who"),
        tag("tspan", phase.doing, dx="8"),
        tag("tspan", duration(phase.seconds), dx="8", class_="long"),
        x="0",
        y=str(y + 12),
    )
    bar = {"x": f"{min(left, 100 - SHORTEST_PERCENT):.3f}%", "y": str(y + 18), "width": f"{width:.3f}%"}
    track = tag("rect", x="0", y=str(y + 18), width="100%", height=str(BAR_PX), class_="track")
    return words, track, tag("rect", **bar, height=str(BAR_PX), rx="2", class_=f"bar {phase.service}")
