"""Whether an attempt has its disposition, and which."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from disposition.domain.codes import CODE_OF_CLASS, FINAL, RIGHT_PARTY, WRAPUP_CODES, rule_outcomes
from disposition.domain.record import AttemptRecord
from outdial_contracts.events import CallDisposition, DispositionCode, EndClass, Fault, Verdict

WRAPUP_SECONDS = 60.0
"""An agent's word is awaited so long after the call's end."""
CONVERSATION_SECONDS = 20.0
PERSON = frozenset({Verdict.HUMAN, Verdict.SCREENER})


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """The record as it is to be kept, and whether a disposition (a new revision) is to be said."""

    record: AttemptRecord
    speak: bool


def decide(record: AttemptRecord, now: datetime, cause: str) -> Ruling:
    """Says the first disposition once it is known, and a revision when a later fact changes its code."""
    code = code_of(record, now)
    if code is None:
        return Ruling(record=_waiting(record), speak=False)
    if code is record.said_code:
        return Ruling(record=record, speak=False)
    said = replace(record, said_code=code, revision=record.revision + 1, disposed_at=now, cause=cause, deadline_at=None)
    return Ruling(record=said, speak=True)


def code_of(record: AttemptRecord, now: datetime) -> DispositionCode | None:
    """The code, or None while it is open, held, or waits for the agent's word."""
    if not record.open:
        return None
    end = record.end
    if end is None:
        return DispositionCode.UNKNOWN if record.abandoned_by_gateway_at else None
    if end.end_class is EndClass.CONNECTED:
        if record.wrapup is not None and record.wrapup.code in WRAPUP_CODES:
            return record.wrapup.code
        if now < end.ended_at + timedelta(seconds=WRAPUP_SECONDS) and record.said_code is None:
            return None
    return CODE_OF_CLASS[end.end_class]


def disposition_of(record: AttemptRecord) -> CallDisposition:
    """The event for a record that a Ruling said to speak of. Raises ValueError for one without a disposition."""
    code, disposed_at = record.said_code, record.disposed_at
    if code is None or disposed_at is None:
        raise ValueError(f"attempt {record.head.attempt_id} has no disposition yet")
    end, redemption, wrapup = record.end, record.redemption, record.wrapup
    answered_at = record.answered_at or (end.answered_at if end else None)
    bridged_at = record.bridged_at or (end.bridged_at if end else None)
    connected = end is not None and end.end_class is EndClass.CONNECTED
    talk_seconds = (end.ended_at - bridged_at).total_seconds() if end and bridged_at else None
    return CallDisposition(
        attempt_id=record.head.attempt_id,
        team_id=record.head.team_id,
        campaign_id=record.head.campaign_id,
        campaign_version=record.head.campaign_version,
        context=record.head.context,
        lead_id=record.head.context.lead_id,
        revision=record.revision,
        code=code,
        final=code in FINAL,
        reached=_reached(record, answered_at is not None),
        human_answer=connected or (end is not None and end.verdict in PERSON),
        connected=connected,
        abandoned=code is DispositionCode.ABANDONED,
        conversation=connected and (talk_seconds or 0.0) >= CONVERSATION_SECONDS,
        right_party=code in RIGHT_PARTY,
        conversion=code is DispositionCode.INTERESTED,
        dnc=code is DispositionCode.DNC_REQUESTED,
        callback_at=wrapup.callback_at if wrapup else None,
        rule_outcomes=rule_outcomes(code, answered=answered_at is not None),
        charged=code is not DispositionCode.NOT_DIALLED,
        end_class=end.end_class if end else EndClass.UNKNOWN,
        fault=end.fault if end else Fault.UNKNOWN,
        sip_status=end.sip_status if end else None,
        q850_cause=end.q850_cause if end else None,
        verdict=end.verdict if end else None,
        caller_id=(end.caller_id if end else None) or (redemption.caller_id if redemption else None),
        route_id=(end.route_id if end else None) or (redemption.route_id if redemption else None),
        trunk_id=end.trunk_id if end else None,
        gateway_id=record.gateway_id or (redemption.gateway_id if redemption else None),
        agent_id=wrapup.agent_id if wrapup else end.agent_id if end else None,
        redeemed_at=redemption.redeemed_at if redemption else None,
        invited_at=record.invited_at or (end.invited_at if end else None),
        alerting_at=record.alerting_at or (end.alerting_at if end else None),
        answered_at=answered_at,
        bridged_at=bridged_at,
        ended_at=end.ended_at if end else None,
        talk_seconds=talk_seconds,
        closed_by_deadline=end is None,
        disposed_at=disposed_at,
    )


def _reached(record: AttemptRecord, answered: bool) -> bool:
    return answered or record.alerting_at is not None or (record.end is not None and record.end.alerting_at is not None)


def _waiting(record: AttemptRecord) -> AttemptRecord:
    """A connected call's deadline is the agent's; a held end has none."""
    if record.end is None or not record.open:
        return record
    return replace(record, deadline_at=record.end.ended_at + timedelta(seconds=WRAPUP_SECONDS))
