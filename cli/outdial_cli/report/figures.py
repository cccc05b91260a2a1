"""Figures over time: percentiles, agents' utilisation, lines per agent."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from outdial_cli.report.facts import CarrierCall

FEWEST_SAMPLES = 20
ABSENT = frozenset({"offline", "signed_out", "paused"})


def percentiles(samples: Sequence[float]) -> dict[str, float] | None:
    """{n, p50, p99} in the samples' unit by nearest rank, or None under 20 samples."""
    if len(samples) < FEWEST_SAMPLES:
        return None
    ordered = sorted(samples)
    p50, p99 = (ordered[min(len(ordered) - 1, int(len(ordered) * q))] for q in (0.50, 0.99))
    return {"n": len(ordered), "p50": round(p50, 1), "p99": round(p99, 1)}


def agent_utilisation(log: Iterable[Mapping[str, Any]], window: tuple[float, float]) -> float | None:
    """(talk + wrap) / (signed in - paused) within the window, from the agents' own log; None when nobody signed in."""
    busy = signed_in = 0.0
    for spans in _state_spans(log, window).values():
        for state, seconds in spans:
            busy += seconds if state in ("talking", "wrapup") else 0.0
            signed_in += seconds if state not in ABSENT else 0.0
    return round(busy / signed_in, 4) if signed_in else None


def lines_per_agent(
    calls: Iterable[CarrierCall], log: Iterable[Mapping[str, Any]], window: tuple[float, float]
) -> float | None:
    """Mean live trunk calls over mean agents not paused, within the window (formats.md)."""
    start, end = window
    live = sum(
        max(0.0, min(c.ended_at if c.ended_at is not None else end, end) - max(c.invited_at, start)) for c in calls
    )
    present = sum(
        seconds for spans in _state_spans(log, window).values() for state, seconds in spans if state not in ABSENT
    )
    return round(live / present, 3) if present else None


def _state_spans(log: Iterable[Mapping[str, Any]], window: tuple[float, float]) -> dict[str, list[tuple[str, float]]]:
    """Agent -> (state, seconds) within the window."""
    start, end = window
    changes: dict[str, list[tuple[float, str]]] = {}
    for line in log:
        if line.get("event") == "state":
            changes.setdefault(line["agent_id"], []).append((line["t"], line["state"]))
    spans: dict[str, list[tuple[str, float]]] = {}
    for agent, moments in changes.items():
        ordered = sorted(moments)
        following = [*ordered[1:], (end, "offline")]
        spans[agent] = [
            (state, max(0.0, min(after, end) - max(at, start)))
            for (at, state), (after, _) in zip(ordered, following, strict=True)
        ]
    return spans
