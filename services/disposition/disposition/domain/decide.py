"""Whether an attempt has its disposition, and which."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from disposition.domain.codes import CODE_OF_CLASS, FINAL, RIGHT_PARTY, WRAPUP_CODES, rule_outcomes
from disposition.domain.record import WRAPUP_SECONDS, AttemptRecord, Said
from outdial_contracts.events import CallDisposition, DispositionCode, EndClass, Fault, RuleOutcome, Verdict

CONVERSATION_SECONDS = 20.0
PERSON = frozenset({Verdict.HUMAN, Verdict.SCREENER})
MATERIAL = ("code", "rule_outcomes", "charged", "callback_at", "dnc")
"""What a consumer acts upon: a later fact that changes one of these is a new revision; any other is not."""


@dataclass(frozen=True, kw_only=True)
class Ruling:
    """The record as it is to be kept, and the revision to say, if any."""

    record: AttemptRecord
    event: CallDisposition | None


def decide(record: AttemptRecord, now: datetime, cause: str) -> Ruling:
    """Says the first disposition once it is known, and a revision when a later fact changes what matters of it."""
    code = code_of(record, now)
    if code is None:
        return Ruling(record=record, event=None)
    event = _disposition(record, code, now)
    if record.said and all(getattr(record.said[-1].event, name) == getattr(event, name) for name in MATERIAL):
        return Ruling(record=record, event=None)
    return Ruling(record=replace(record, said=(*record.said, Said(cause=cause, event=event))), event=event)


def code_of(record: AttemptRecord, now: datetime) -> DispositionCode | None:
    """The code, or None while it is not open, its call goes on, or it waits for the agent's word."""
    if not record.open:
        return None
    end = record.end
    word = record.wrapup.code if record.wrapup and record.wrapup.code in WRAPUP_CODES else None
    if end is None:
        lost = word if word and record.bridged_at else DispositionCode.UNKNOWN
        return lost if record.given_up_at else None
    if not end.dialled:
        return DispositionCode.UNKNOWN if record.dialled_at else DispositionCode.NOT_DIALLED
    if _agent_had_it(record):
        if word is not None:
            return word
        if not record.said and now < end.ended_at + timedelta(seconds=WRAPUP_SECONDS):
            return None
    return CODE_OF_CLASS[end.end_class]


def _disposition(record: AttemptRecord, code: DispositionCode, now: datetime) -> CallDisposition:
    if record.head is None:
        raise ValueError(f"attempt {record.attempt_id} is open without a head")
    end, redemption, wrapup = record.end, record.redemption, record.wrapup
    answered_at = record.answered_at or (end.answered_at if end else None)
    bridged_at = record.bridged_at or (end.bridged_at if end else None)
    alerting_at = record.alerting_at or (end.alerting_at if end else None)
    connected = _connected(record, code)
    talk_seconds = (end.ended_at - bridged_at).total_seconds() if end and bridged_at else None
    outcomes = _outcomes(record, code, answered=answered_at is not None)
    return CallDisposition(
        attempt_id=record.attempt_id,
        team_id=record.head.team_id,
        campaign_id=record.head.campaign_id,
        campaign_version=record.head.campaign_version,
        context=record.head.context,
        lead_id=record.head.context.lead_id,
        revision=record.next_revision,
        code=code,
        final=code in FINAL,
        reached=answered_at is not None or alerting_at is not None,
        human_answer=connected or (end is not None and end.verdict in PERSON),
        connected=connected,
        abandoned=RuleOutcome.ABANDONED in outcomes,
        conversation=connected and (talk_seconds or 0.0) >= CONVERSATION_SECONDS,
        right_party=code in RIGHT_PARTY,
        conversion=code is DispositionCode.INTERESTED,
        dnc=wrapup is not None and wrapup.code is DispositionCode.DNC_REQUESTED,
        callback_at=wrapup.callback_at if wrapup else None,
        rule_outcomes=outcomes,
        charged=code is not DispositionCode.NOT_DIALLED,
        end_class=end.end_class if end else EndClass.UNKNOWN,
        fault=end.fault if end else Fault.UNKNOWN,
        sip_status=end.sip_status if end else None,
        q850_cause=end.q850_cause if end else None,
        verdict=end.verdict if end else None,
        caller_id=(end.caller_id if end else None) or (redemption.caller_id if redemption else None),
        route_id=(end.route_id if end else None) or (redemption.route_id if redemption else None),
        trunk_id=end.trunk_id if end else None,
        gateway_id=end.gateway_id if end else record.boot[0],
        agent_id=wrapup.agent_id if wrapup else end.agent_id if end else None,
        redeemed_at=redemption.redeemed_at if redemption else None,
        invited_at=record.invited_at or (end.invited_at if end else None),
        alerting_at=alerting_at,
        answered_at=answered_at,
        bridged_at=bridged_at,
        ended_at=end.ended_at if end else None,
        talk_seconds=talk_seconds,
        closed_by_deadline=end is None,
        safe_harbour_played=end is not None and end.safe_harbour_played,
        disposed_at=now,
    )


def _agent_had_it(record: AttemptRecord) -> bool:
    """An agent talked to the person, in time (CONNECTED) or too late (ABANDONED all the same): his word is awaited."""
    end = record.end
    if end is None:
        return False
    bridged = record.bridged_at is not None or end.bridged_at is not None
    return end.end_class is EndClass.CONNECTED or (end.end_class is EndClass.ABANDONED and bridged)


def _outcomes(record: AttemptRecord, code: DispositionCode, *, answered: bool) -> tuple[RuleOutcome, ...]:
    """What the code counts as; a person bridged too late counts as abandoned whatever the agent says."""
    outcomes = rule_outcomes(code, answered=answered)
    late = record.end is not None and record.end.end_class is EndClass.ABANDONED
    return (RuleOutcome.ABANDONED, *outcomes) if late and RuleOutcome.ABANDONED not in outcomes else outcomes


def _connected(record: AttemptRecord, code: DispositionCode) -> bool:
    """By the gateway's word; where it died in the conversation, by the agent's word on a call that was bridged."""
    if record.end is not None:
        return record.end.end_class is EndClass.CONNECTED
    return code is not DispositionCode.UNKNOWN
