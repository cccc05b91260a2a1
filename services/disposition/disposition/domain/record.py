"""What is known of one attempt. Every fold is idempotent and commutes with the others: inputs come in any order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from outdial_contracts.events import (
    AgentWrapup,
    CallAnswered,
    CallEnded,
    CallProgress,
    ClearanceClosed,
    CloseOutcome,
    Context,
    DispositionCode,
    EndClass,
    Fault,
    NotDialledReason,
    ProgressStage,
    Verdict,
)

NO_NEWS_SECONDS = 30.0
"""A call may be silent so long past its ring time before it is looked after."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """What every event of the attempt says."""

    attempt_id: str
    team_id: str
    campaign_id: str
    campaign_version: int
    context: Context


@dataclass(frozen=True, kw_only=True)
class Redemption:
    """From clearance.closed{redeemed}."""

    redeemed_at: datetime
    gateway_id: str | None
    boot_id: str | None
    ring_timeout_seconds: int
    caller_id: str | None
    route_id: str | None


@dataclass(frozen=True, kw_only=True)
class Wrapup:
    """From agent.wrapup."""

    agent_id: str
    code: DispositionCode
    callback_at: datetime | None
    suppression_id: str | None


@dataclass(frozen=True, kw_only=True)
class End:
    """From call.ended."""

    dialled: bool
    not_dialled_reason: NotDialledReason | None
    end_class: EndClass
    fault: Fault
    sip_status: int | None
    q850_cause: int | None
    verdict: Verdict | None
    caller_id: str | None
    route_id: str | None
    trunk_id: str | None
    gateway_id: str
    boot_id: str
    agent_id: str | None
    invited_at: datetime | None
    alerting_at: datetime | None
    answered_at: datetime | None
    bridged_at: datetime | None
    ended_at: datetime


@dataclass(frozen=True, kw_only=True)
class AttemptRecord:
    """All facts of an attempt, and what was said of it last."""

    head: Head
    redemption: Redemption | None = None
    invited_at: datetime | None = None
    alerting_at: datetime | None = None
    answered_at: datetime | None = None
    bridged_at: datetime | None = None
    gateway_id: str | None = None
    wrapup: Wrapup | None = None
    end: End | None = None
    abandoned_by_gateway_at: datetime | None = None
    """Set when the deadline passed or the gateway's boot is gone."""
    deadline_at: datetime | None = None
    revision: int = 0
    """Of the disposition that was said last; 0 while none was."""
    said_code: DispositionCode | None = None
    disposed_at: datetime | None = None
    cause: str | None = None
    """ce_id of the message that made the newest disposition: its redelivery says the same again."""

    @property
    def open(self) -> bool:
        """It is an attempt: redeemed, or a dialled call event was seen."""
        dialled = self.invited_at is not None or self.answered_at is not None
        return self.redemption is not None or dialled or (self.end is not None and self.end.dialled)


def with_closed(record: AttemptRecord, event: ClearanceClosed) -> AttemptRecord:
    """A redemption opens the attempt and starts its deadline; any other closing is no attempt."""
    if event.outcome is not CloseOutcome.REDEEMED or record.redemption is not None:
        return record
    redemption = Redemption(
        redeemed_at=event.closed_at,
        gateway_id=event.gateway_id,
        boot_id=event.boot_id,
        ring_timeout_seconds=event.ring_timeout_seconds,
        caller_id=event.caller_id,
        route_id=event.route_id,
    )
    patience = timedelta(seconds=event.ring_timeout_seconds + NO_NEWS_SECONDS)
    return replace(record, redemption=redemption, deadline_at=record.deadline_at or event.closed_at + patience)


def with_progress(record: AttemptRecord, event: CallProgress) -> AttemptRecord:
    """Stages tell when; the earliest of each counts."""
    record = _opened(replace(record, gateway_id=event.gateway_id), event.at)
    if event.stage is ProgressStage.INVITED:
        return replace(record, invited_at=record.invited_at or event.at)
    if event.stage is ProgressStage.ALERTING:
        return replace(record, alerting_at=record.alerting_at or event.at)
    if event.stage is ProgressStage.BRIDGED:
        return replace(record, bridged_at=record.bridged_at or event.at)
    return record


def with_answered(record: AttemptRecord, event: CallAnswered) -> AttemptRecord:
    """The 200."""
    record = _opened(replace(record, gateway_id=event.gateway_id), event.answered_at)
    return replace(record, answered_at=record.answered_at or event.answered_at)


def with_ended(record: AttemptRecord, event: CallEnded) -> AttemptRecord:
    """The end; one that says no INVITE left is held and opens nothing by itself."""
    if record.end is not None:
        return record
    end = End(**{name: getattr(event, name) for name in End.__dataclass_fields__})
    return replace(record, end=end, gateway_id=event.gateway_id)


def with_wrapup(record: AttemptRecord, event: AgentWrapup) -> AttemptRecord:
    """The agent's newest word."""
    wrapup = Wrapup(
        agent_id=event.agent_id,
        code=event.code,
        callback_at=event.callback_at,
        suppression_id=event.suppression_id,
    )
    return replace(record, wrapup=wrapup)


def given_up(record: AttemptRecord, now: datetime) -> AttemptRecord:
    """Nobody will say any more what became of it."""
    return replace(record, abandoned_by_gateway_at=record.abandoned_by_gateway_at or now)


def _opened(record: AttemptRecord, at: datetime) -> AttemptRecord:
    return replace(record, deadline_at=record.deadline_at or at + timedelta(seconds=NO_NEWS_SECONDS))
