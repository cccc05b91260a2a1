"""What is known of one attempt. Every fold is idempotent and commutes with the others: inputs come in any order."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any, Protocol

from outdial_contracts.base import Event
from outdial_contracts.events import (
    AgentWrapup,
    CallAnswered,
    CallDisposition,
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
from outdial_contracts.headers import event_id

NO_NEWS_SECONDS = 30.0
"""A call may be silent so long past its ring time before it is looked after."""
WRAPUP_SECONDS = 60.0
"""An agent's word is awaited so long after the call's end."""


@dataclass(frozen=True, kw_only=True)
class Head:
    """What every event of the attempt says."""

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
    at: datetime


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
    safe_harbour_played: bool = False


@dataclass(frozen=True, kw_only=True)
class Said:
    """A revision as it was published: its cause, come again, says exactly this again."""

    cause: str | None
    """None where it was read back from call.disposition."""
    event: CallDisposition
    ce_id: str | None = None
    """Of the record that was read back: it tells the cause."""

    def caused_by(self, cause: str) -> bool:
        """Whether a message with this ce_id made it."""
        if self.ce_id is None:
            return self.cause == cause
        return self.ce_id == event_id(cause, f"{self.event.TOPIC}#0")


@dataclass(frozen=True, kw_only=True)
class AttemptRecord:
    """All facts of an attempt, and all that was said of it."""

    attempt_id: str
    head: Head | None = None
    """None while only an agent's word is here."""
    redemption: Redemption | None = None
    dialled_at: datetime | None = None
    """Earliest call event that proves an INVITE."""
    invited_at: datetime | None = None
    alerting_at: datetime | None = None
    answered_at: datetime | None = None
    bridged_at: datetime | None = None
    heard_from: str | None = None
    """gateway_id of the call events."""
    wrapup: Wrapup | None = None
    end: End | None = None
    alive_until: datetime | None = None
    """Its gateway listed it, so nobody asks before this."""
    given_up_at: datetime | None = None
    """Set when the deadline passed or the gateway's boot is gone."""
    said: tuple[Said, ...] = ()
    """In order of revision: 1, 2, …, with a gap where a restore lost one before it was published."""

    @property
    def next_revision(self) -> int:
        """Greater than any that was published."""
        return self.said[-1].event.revision + 1 if self.said else 1

    @property
    def open(self) -> bool:
        """It is an attempt: redeemed, or a dialled call event was seen."""
        return self.redemption is not None or self.dialled_at is not None or (self.end is not None and self.end.dialled)

    @property
    def suppression_id(self) -> str | None:
        """Of the opt-out that an agent recorded, the console's where it gave one."""
        if self.wrapup is None:
            return None
        return self.wrapup.suppression_id or event_id(f"dnc:{self.attempt_id}", "suppression")

    @property
    def waiting_since(self) -> datetime | None:
        """Since when it waits for its call's end; None when it doesn't."""
        if not self.open or self.end is not None or self.said:
            return None
        return self.redemption.redeemed_at if self.redemption else self.dialled_at

    @property
    def boot(self) -> tuple[str | None, str | None]:
        """(gateway_id, boot_id) that has the call, as far as it is known."""
        if self.redemption is not None and self.redemption.gateway_id is not None:
            return self.redemption.gateway_id, self.redemption.boot_id
        return self.heard_from, None

    @property
    def deadline_at(self) -> datetime | None:
        """When it must be looked after; None when nothing is awaited (never opened, or said)."""
        if not self.open or self.said:
            return None
        if self.end is not None:
            return self.end.ended_at + timedelta(seconds=WRAPUP_SECONDS)
        patience = timedelta(seconds=NO_NEWS_SECONDS)
        times = [self.alive_until, self.dialled_at and self.dialled_at + patience]
        if self.redemption is not None:
            ring = timedelta(seconds=self.redemption.ring_timeout_seconds)
            times.append(self.redemption.redeemed_at + ring + patience)
        return max(time for time in times if time is not None)


class OfCall(Protocol):
    """What clearance.closed and the call events have in common."""

    @property
    def team_id(self) -> str: ...
    @property
    def campaign_id(self) -> str: ...
    @property
    def campaign_version(self) -> int: ...
    @property
    def context(self) -> Context: ...


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
    return replace(record, head=_head(record, event), redemption=redemption)


def with_progress(record: AttemptRecord, event: CallProgress) -> AttemptRecord:
    """Stages tell when; the earliest of each counts."""
    record = _dialled(record, event, event.gateway_id, event.at)
    if event.stage is ProgressStage.INVITED:
        return replace(record, invited_at=_earliest(record.invited_at, event.at))
    if event.stage is ProgressStage.ALERTING:
        return replace(record, alerting_at=_earliest(record.alerting_at, event.at))
    if event.stage is ProgressStage.BRIDGED:
        return replace(record, bridged_at=_earliest(record.bridged_at, event.at))
    return record


def with_answered(record: AttemptRecord, event: CallAnswered) -> AttemptRecord:
    """The 200."""
    record = _dialled(record, event, event.gateway_id, event.answered_at)
    return replace(record, answered_at=_earliest(record.answered_at, event.answered_at))


def with_ended(record: AttemptRecord, event: CallEnded) -> AttemptRecord:
    """The end; one that says no INVITE left is held and opens nothing by itself. A dialled end outweighs such a one."""
    record = replace(record, head=_head(record, event), heard_from=event.gateway_id)
    if record.end is not None and (record.end.dialled, record.end.ended_at) >= (event.dialled, event.ended_at):
        return record
    return replace(record, end=End(**{name: getattr(event, name) for name in End.__dataclass_fields__}))


def with_wrapup(record: AttemptRecord, event: AgentWrapup) -> AttemptRecord:
    """The agent's newest word by the time he said it, not by the time it came."""
    if record.wrapup is not None and (record.wrapup.at, record.wrapup.code) >= (event.at, event.code):
        return record
    wrapup = Wrapup(
        agent_id=event.agent_id,
        code=event.code,
        callback_at=event.callback_at,
        suppression_id=event.suppression_id,
        at=event.at,
    )
    return replace(record, wrapup=wrapup)


def given_up(record: AttemptRecord, now: datetime) -> AttemptRecord:
    """Nobody will say any more what became of it."""
    return replace(record, given_up_at=record.given_up_at or now)


def with_said(record: AttemptRecord, event: CallDisposition, ce_id: str) -> AttemptRecord:
    """A revision as readers have it, which a restored database had forgotten, or had never seen in these words."""
    if any(said.event == event for said in record.said):
        return record
    others = [said for said in record.said if said.event.revision != event.revision]
    said = sorted([*others, Said(cause=None, event=event, ce_id=ce_id)], key=lambda s: s.event.revision)
    given_up_at = record.given_up_at or (event.disposed_at if event.closed_by_deadline else None)
    return replace(record, said=tuple(said), given_up_at=given_up_at)


FOLDS: Mapping[type[Event], Callable[[AttemptRecord, Any], AttemptRecord]] = {
    ClearanceClosed: with_closed,
    CallProgress: with_progress,
    CallAnswered: with_answered,
    CallEnded: with_ended,
    AgentWrapup: with_wrapup,
}
"""What each input adds to its attempt's record."""


def _dialled(record: AttemptRecord, event: OfCall, gateway_id: str, at: datetime) -> AttemptRecord:
    dialled_at = _earliest(record.dialled_at, at)
    return replace(record, head=_head(record, event), heard_from=gateway_id, dialled_at=dialled_at)


def _head(record: AttemptRecord, event: OfCall) -> Head:
    """Events agree in it but for `exposed`, to which whoever applies a varied policy adds; the union is the truth."""
    context = event.context
    if record.head is not None:
        exposed = tuple(sorted({*record.head.context.exposed, *context.exposed}))
        return replace(record.head, context=replace(record.head.context, exposed=exposed))
    return Head(
        team_id=event.team_id,
        campaign_id=event.campaign_id,
        campaign_version=event.campaign_version,
        context=replace(context, exposed=tuple(sorted(context.exposed))),
    )


def _earliest(known: datetime | None, at: datetime) -> datetime:
    return at if known is None else min(known, at)
