"""The story of an attempt, or of a whole run where no attempt is named: one line per event, in order of time."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from outdial_contracts.events import LeadReady, SuppressionChanged
from outdial_world.history import History, Invite, ProcessChange, Rpc, TopicRecord

AROUND = timedelta(seconds=2)
HIDDEN = frozenset({"context", "token", "payload", "phone", "campaign_id", "campaign_version", "team_id", "attempt_id"})
LONGEST_VALUE = 60
NOISE = frozenset({"agent.leg", "gateway.capacity", "pacing.journal", "connect-rate.window", "abandon.budget"})
Line = tuple[datetime, int, str]


def story(history: History, attempt_id: str) -> list[str]:
    """What happened to the attempt and its person, and what went wrong around it."""
    told = sorted(_of_attempt(history, attempt_id) if attempt_id else _of_run(history), key=lambda line: line[:2])
    if not told:
        return ["nothing in this history names it"]
    first, last = told[0][0] - AROUND, told[-1][0] + AROUND
    around = [line for line in _troubles(history) if first <= line[0] <= last]
    return [f"{at:%H:%M:%S}.{at.microsecond // 1000:03d}  {text}" for at, _, text in sorted(told + around)]


def _of_attempt(history: History, attempt_id: str) -> Iterator[Line] | list[Line]:
    ready = next((e for e in history.events(LeadReady) if e.attempt_id == attempt_id), None)
    person = ready.person_id if ready else ""
    lead = ready.context.lead_id if ready else ""
    tokens = _tokens(history, attempt_id)
    lines = [
        (r.at, r.seq, _record(r)) for r in history.records if _concerns(r, attempt_id, lead, tokens) and not r.dead
    ]
    lines += [line for i in history.invites if i.attempt_id == attempt_id for line in _invite(i)]
    lines += [line for r in history.rpcs if _names(r, attempt_id) for line in _rpc(r)]
    for p in history.people:
        if p.attempt_id == attempt_id or (person and p.person_id == person):
            lines.append((p.at, p.seq, f"{p.who}: {p.what}"))
    return lines


def _of_run(history: History) -> list[Line]:
    return [(p.at, p.seq, f"{p.who}: {p.what}") for p in history.people if p.who == "ops"]


def _troubles(history: History) -> list[Line]:
    lines = [(f.at, f.seq, f"** fault {f.number}: {f.kind} {f.target} {f.detail}") for f in history.faults]
    lines += [
        (p.at, p.seq, f"** {p.instance} {p.change} {p.detail}".rstrip())
        for p in history.processes
        if p.change is not ProcessChange.STARTED
    ]
    return lines


def _tokens(history: History, attempt_id: str) -> frozenset[str]:
    for record in history.records:
        event: Any = record.event
        if getattr(event, "attempt_id", None) == attempt_id and getattr(event, "person_token", None):
            return frozenset({event.person_token, event.callee_token})
    return frozenset()


def _concerns(record: TopicRecord, attempt_id: str, lead_id: str, tokens: frozenset[str]) -> bool:
    event: Any = record.event
    if isinstance(event, SuppressionChanged):
        return bool(tokens & {*event.person_tokens, *event.callee_tokens})
    if record.topic in NOISE:
        return False
    return getattr(event, "attempt_id", None) == attempt_id or (
        bool(lead_id) and record.topic == "lead.state" and event.lead_id == lead_id
    )


def _record(record: TopicRecord) -> str:
    fields = []
    for name, value in vars_of(record.event).items():
        text = getattr(value, "value", value)
        if name not in HIDDEN and text not in (None, "", (), 0, False) and len(str(text)) <= LONGEST_VALUE:
            fields.append(f"{name}={_short(text)}")
    return f"{record.source:<16} -> {record.topic}@{record.partition}:{record.offset} {' '.join(fields)}"


def vars_of(event: Any) -> dict[str, Any]:
    """The fields of an event."""
    return {name: getattr(event, name) for name in type(event).__dataclass_fields__}


def _short(value: Any) -> str:
    return f"{value:%H:%M:%S.%f}"[:-3] if isinstance(value, datetime) else str(value)


def _invite(invite: Invite) -> list[Line]:
    moments = [
        (invite.at, f"INVITE by {invite.gateway} boot {invite.boot_id[:8]} ({invite.behaviour})"),
        (invite.rang_at, "the phone rings"),
        (invite.cancelled_at, "CANCEL reaches the carrier"),
        (invite.answered_at, "answered"),
        (invite.heard_at, "the callee hears somebody"),
        (invite.orphaned_at, "its gateway died"),
        (invite.ended_at, f"the call is over ({invite.end})"),
    ]
    return [(at, invite.seq, f"{'carrier':<16}    {what}") for at, what in moments if at is not None]


def _names(rpc: Rpc, attempt_id: str) -> bool:
    body = rpc.request
    named = body.get("attempt_id") if isinstance(body, dict) else getattr(body, "attempt_id", "")
    return named == attempt_id


def _rpc(rpc: Rpc) -> list[Line]:
    lines = [(rpc.asked_at, rpc.seq, f"{rpc.caller:<16} ?? {rpc.method} at {rpc.callee}")]
    if rpc.answered_at is not None:
        lines.append((rpc.answered_at, rpc.seq, f"{rpc.callee:<16} !! {rpc.method}: {_said(rpc.reply)}"))
    if rpc.error:
        lines.append((rpc.received_at or rpc.asked_at, rpc.seq, f"{rpc.caller:<16} xx {rpc.method}: {rpc.error}"))
    return lines


def _said(reply: Any) -> str:
    if hasattr(reply, "WhichOneof"):
        chosen = reply.WhichOneof("result") if "result" in reply.DESCRIPTOR.oneofs_by_name else ""
        return str(chosen or "done")
    return str(getattr(reply, "status", "done"))
