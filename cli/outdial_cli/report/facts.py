"""What a run left behind, gathered per attempt: topics, the carrier's log, the agents' log, spans."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from outdial_cli.records import Record
from outdial_contracts.base import Event
from outdial_contracts.events import (
    CallAnswered,
    CallDial,
    CallDisposition,
    CallEnded,
    CallProgress,
    ClearanceClosed,
    CloseOutcome,
    ComplianceBlocked,
    ComplianceCleared,
    LeadReady,
)

PATH_TOPICS = (
    "lead.ready",
    "compliance.cleared",
    "compliance.blocked",
    "clearance.closed",
    "call.dial",
    "dial.refused",
    "call.progress",
    "call.answered",
    "call.ended",
    "call.disposition",
)
HUMAN_KINDS = frozenset({"human", "hangup"})


@dataclass(kw_only=True)
class CarrierCall:
    """One Call-ID as the carrier saw it."""

    call_id: str
    attempt_id: str
    kind: str = ""
    invited_at: float = 0.0
    rang: bool = False
    answered_at: float | None = None
    ended_at: float | None = None


@dataclass(kw_only=True)
class Attempt:
    """All that is known of one offer, and of the attempt that it may have become."""

    attempt_id: str
    ready: LeadReady | None = None
    cleared: ComplianceCleared | None = None
    blocked: ComplianceBlocked | None = None
    closed: list[ClearanceClosed] = field(default_factory=list)
    dials: list[CallDial] = field(default_factory=list)
    progress: list[CallProgress] = field(default_factory=list)
    answered: CallAnswered | None = None
    ended: CallEnded | None = None
    dispositions: list[CallDisposition] = field(default_factory=list)
    carrier: list[CarrierCall] = field(default_factory=list)

    @property
    def redeemed(self) -> bool:
        """The gate redeemed it: it is an attempt."""
        return any(c.outcome is CloseOutcome.REDEEMED for c in self.closed)

    @property
    def disposition(self) -> CallDisposition | None:
        """Its newest revision."""
        return max(self.dispositions, key=lambda d: d.revision, default=None)


@dataclass(frozen=True, kw_only=True)
class Kill:
    """A service was away; real time, seconds since 1970."""

    service: str
    at: float
    back_at: float


@dataclass(frozen=True, kw_only=True)
class RunFacts:
    """Everything the report counts."""

    attempts: dict[str, Attempt]
    carrier_calls: list[CarrierCall]
    spans: dict[str, list[dict[str, Any]]]
    """trace_id -> spans of the collector."""
    agent_log: list[dict[str, Any]]
    dead_letters: int
    doubled: dict[str, int]
    """Topic -> records with a ce_id that was seen before (repeats; consumers deduplicate)."""


def gather(records: Mapping[str, list[Record]], carrier_log: Path, agents_log: Path, spans_log: Path) -> RunFacts:
    """Reads the three logs and folds the topics."""
    attempts: dict[str, Attempt] = {}
    doubled = {}
    for topic in PATH_TOPICS:
        unique = {r.ce_id: r for r in records.get(topic, ())}
        doubled[topic] = len(records.get(topic, ())) - len(unique)
        for record in unique.values():
            if record.event is not None:
                _fold(attempts, record.event)
    calls = carrier_calls(_lines(carrier_log))
    for call in calls:
        attempts.setdefault(call.attempt_id, Attempt(attempt_id=call.attempt_id)).carrier.append(call)
    dead = sum(len(found) for topic, found in records.items() if topic.endswith(".dead"))
    return RunFacts(
        attempts=attempts,
        carrier_calls=calls,
        spans=_by_trace(_lines(spans_log)),
        agent_log=list(_lines(agents_log)),
        dead_letters=dead,
        doubled={topic: n for topic, n in doubled.items() if n},
    )


def carrier_calls(lines: Iterable[Mapping[str, Any]]) -> list[CarrierCall]:
    """The calls in a carrier.jsonl: an initial INVITE has no To-tag and a Call-ID not seen before."""
    calls: dict[str, CarrierCall] = {}
    for line in lines:
        call_id = line.get("call_id")
        if not call_id:
            continue
        call = calls.get(call_id)
        if call is None:
            if line.get("method") != "INVITE":
                continue
            call = calls[call_id] = CarrierCall(
                call_id=call_id, attempt_id=call_id.split("@")[0].rpartition(".")[0], invited_at=line["t"]
            )
        _note(call, line)
    return list(calls.values())


def _note(call: CarrierCall, line: Mapping[str, Any]) -> None:
    call.kind = line.get("callee_kind") or call.kind
    status, sent = line.get("status"), line.get("dir") == "out"
    invite = line.get("cseq_method") == "INVITE"
    if sent and invite and status in (180, 183):
        call.rang = True
    if sent and invite and status == 200 and call.answered_at is None:
        call.answered_at = line["t"]
    if line.get("event") == "call_over" and call.ended_at is None:
        call.ended_at = line["t"]


def _fold(attempts: dict[str, Attempt], event: Event) -> None:
    attempt_id: str = getattr(event, "attempt_id", "")
    attempt = attempts.setdefault(attempt_id, Attempt(attempt_id=attempt_id))
    match event:
        case LeadReady():
            attempt.ready = event
        case ComplianceCleared():
            attempt.cleared = event
        case ComplianceBlocked():
            attempt.blocked = event
        case ClearanceClosed():
            attempt.closed.append(event)
        case CallDial():
            attempt.dials.append(event)
        case CallProgress():
            attempt.progress.append(event)
        case CallAnswered():
            attempt.answered = event
        case CallEnded():
            attempt.ended = event
        case CallDisposition():
            attempt.dispositions.append(event)
        case _:
            pass


def _lines(path: Path) -> Iterable[dict[str, Any]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.endswith("\n")]


def _by_trace(spans: Iterable[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    by_trace: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for span in spans:
        by_trace[span["trace_id"]].append(span)
    return dict(by_trace)
