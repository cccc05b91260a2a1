"""One trace per attempt: which edges it must have, and whether what is missing was lost to a kill."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from outdial_cli.report.facts import Attempt, Kill
from outdial_contracts.events import ProgressStage
from outdial_contracts.identity import trace_id

BEFORE_SECONDS, AFTER_SECONDS = 2.0, 12.0
"""A kill touches an attempt that lived between so long before it and so long after the service came back."""
ALWAYS = (
    ("lead-router", "lead.ready publish"),
    ("compliance-gate", "lead.ready process"),
    ("pacer", "compliance.cleared process"),
    ("media-gateway", "call.dial process"),
    ("compliance-gate", "Clearance.Redeem"),
    ("disposition", "clearance.closed process"),
    ("lead-router", "call.disposition process"),
)
DIALLED = (("disposition", "call.ended process"), ("pacer", "call.ended process"))
ASSIGNED = (("pacer", "AgentRouter.Assign"),)


@dataclass(frozen=True, kw_only=True)
class TraceCheck:
    """The result over all attempts."""

    checked: int
    touched: tuple[str, ...]
    """Attempts whose trace is short of a span and that a kill explains."""
    unexplained: dict[str, str]
    """Attempts whose trace is short of a span for no known reason, with what is missing."""


def check_traces(
    attempts: list[Attempt], spans: Mapping[str, list[dict[str, Any]]], kills: Iterable[Kill]
) -> TraceCheck:
    """Looks at the trace of every redeemed attempt."""
    touched, unexplained = [], {}
    for attempt in attempts:
        missing = missing_of(attempt, spans.get(trace_id(attempt.attempt_id), []))
        if not missing:
            continue
        if any(_touches(kill, spans.get(trace_id(attempt.attempt_id), [])) for kill in kills):
            touched.append(attempt.attempt_id)
        else:
            unexplained[attempt.attempt_id] = missing
    return TraceCheck(checked=len(attempts), touched=tuple(touched), unexplained=unexplained)


def missing_of(attempt: Attempt, spans: list[dict[str, Any]]) -> str:
    """The first required edge that the trace lacks, or a span whose parent it lacks; empty when it is complete."""
    present = {(span["service"], span["name"]) for span in spans}
    wanted = list(ALWAYS)
    if attempt.ended is not None and attempt.ended.dialled:
        wanted += DIALLED
    if any(p.stage is ProgressStage.ASSIGNED for p in attempt.progress):
        wanted += ASSIGNED
    for edge in wanted:
        if edge not in present:
            return " ".join(edge)
    known = {span["span_id"] for span in spans}
    orphans = [s["name"] for s in spans if s.get("parent_id") and s["parent_id"] not in known]
    return f"parent of {orphans[0]}" if orphans else ""


def _touches(kill: Kill, spans: list[dict[str, Any]]) -> bool:
    if not spans:
        return True
    first = min(span["start_ns"] for span in spans) / 1e9
    last = max(span["end_ns"] for span in spans) / 1e9
    return bool(first <= kill.back_at + AFTER_SECONDS and last >= kill.at - BEFORE_SECONDS)
