"""What follows an outcome: one budget per person over all numbers, leads and campaigns; spacing that doubles.

Numbers here are policy (campaign.yaml `retry`); the caps of the law are the gate's and hold besides.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from lead_router.domain.lifecycle import LeadEvent
from outdial_contracts.events import BlockReason, CampaignDocument
from outdial_contracts.events import DispositionCode as Code

MAX_DOUBLINGS = 6
NEXT_NUMBER_SECONDS = 5
RETURNED_SECONDS = 5
PASSING_SECONDS = 15
"""A block by something that passes (gate degraded, another call to the person open) is tried again after this."""


class RetryCause(StrEnum):
    """The keys of campaign.yaml retry.after."""

    BUSY = "busy"
    NO_ANSWER = "no_answer"
    CONGESTION = "congestion"
    VOICEMAIL = "voicemail"


DEFAULT_SECONDS: Mapping[RetryCause, int] = {
    RetryCause.BUSY: 900,
    RetryCause.NO_ANSWER: 3600,
    RetryCause.CONGESTION: 120,
    RetryCause.VOICEMAIL: 14400,
}
RETRY_CAUSE: Mapping[Code, RetryCause] = {
    Code.BUSY: RetryCause.BUSY,
    Code.NO_ANSWER: RetryCause.NO_ANSWER,
    Code.DEAD_AIR: RetryCause.NO_ANSWER,
    Code.ABANDONED: RetryCause.NO_ANSWER,
    Code.CALLEE_HUNG_UP: RetryCause.NO_ANSWER,
    Code.UNKNOWN: RetryCause.NO_ANSWER,
    Code.MACHINE: RetryCause.VOICEMAIL,
    Code.CONGESTION: RetryCause.CONGESTION,
    Code.NETWORK_FAILED: RetryCause.CONGESTION,
    Code.NOT_DIALLED: RetryCause.CONGESTION,
}
DEAD_NUMBER = frozenset({Code.NOT_IN_SERVICE, Code.FAX})
"""The number is no use: the lead's next number is tried, if it has one."""
# Codes in neither table end the lead: interested, not interested, connected, wrong number, declined.

PASSING = frozenset(
    {
        BlockReason.DEPENDENCY_DOWN,
        BlockReason.OPEN_ATTEMPT,
        BlockReason.CAMPAIGN_PAUSED,
        BlockReason.CAMPAIGN_STOPPED,
        BlockReason.GLOBAL_STOP,
        BlockReason.CLOCK_SKEW,
        BlockReason.OFFER_EXPIRED,
        BlockReason.RESTORE_LOCK,
        BlockReason.APPROVERS_MISSING,
        BlockReason.CLEARANCE_EXPIRED,
    }
)
"""Reasons that name no time and yet pass: the state of our own system, not a fact of the lead."""
NUMBER_BOUND = frozenset(
    {
        BlockReason.INVALID_NUMBER,
        BlockReason.JURISDICTION_UNSUPPORTED,
        BlockReason.TZ_UNKNOWN,
        BlockReason.DNC_LISTED,
    }
)
"""Reasons that concern this number only."""


@dataclass(frozen=True, kw_only=True)
class NextStep:
    """What happens to the lead."""

    event: LeadEvent
    due_at: datetime | None = None
    next_phone: bool = False


def after_disposition(
    *,
    code: Code,
    callback_at: datetime | None,
    document: CampaignDocument,
    charged_at: Sequence[datetime],
    has_next_phone: bool,
    now: datetime,
) -> NextStep:
    """What follows a disposition.

    Args:
        charged_at: times of the person's charged attempts within the campaign's window before `now`, this one included.
    """
    if code is Code.DNC_REQUESTED:
        return NextStep(event=LeadEvent.SUPPRESS)
    if code is Code.CALLBACK:
        return NextStep(event=LeadEvent.CALL_BACK, due_at=_callback_due(callback_at, document, charged_at, now))
    dead_number = code in DEAD_NUMBER
    if code not in RETRY_CAUSE and not (dead_number and has_next_phone):
        return NextStep(event=LeadEvent.FINISH)
    if budget_spent(document, charged_at):
        return NextStep(event=LeadEvent.EXHAUST)
    if dead_number:
        due_at = now + timedelta(seconds=NEXT_NUMBER_SECONDS)
        return NextStep(event=LeadEvent.RETRY, due_at=due_at, next_phone=True)
    return NextStep(event=LeadEvent.RETRY, due_at=now + spacing(document, RETRY_CAUSE[code], len(charged_at)))


def budget_spent(document: CampaignDocument, charged_at: Sequence[datetime]) -> bool:
    """Whether the person's one budget has no attempt left."""
    return len(charged_at) >= document.retry_max_per_person


def window(document: CampaignDocument) -> timedelta:
    """How far back an attempt counts."""
    return timedelta(hours=document.retry_window_hours)


def spacing(document: CampaignDocument, cause: RetryCause, attempts: int) -> timedelta:
    """Time to the next try: the cause's seconds, doubled with each attempt after the first."""
    seconds = document.retry_after_seconds.get(cause.value, DEFAULT_SECONDS[cause])
    return timedelta(seconds=seconds * 2 ** min(max(attempts - 1, 0), MAX_DOUBLINGS))


def after_block(
    reasons: Sequence[BlockReason], next_allowed_at: datetime | None, has_next_phone: bool, now: datetime
) -> NextStep:
    """What follows a block: wait for the named instant, try the next number, wait out our own trouble, or give up."""
    if next_allowed_at is not None:
        return NextStep(event=LeadEvent.POSTPONE, due_at=max(next_allowed_at, now))
    if reasons and PASSING.issuperset(reasons):
        return NextStep(event=LeadEvent.POSTPONE, due_at=now + timedelta(seconds=PASSING_SECONDS))
    if has_next_phone and reasons and NUMBER_BOUND.issuperset(reasons):
        due_at = now + timedelta(seconds=NEXT_NUMBER_SECONDS)
        return NextStep(event=LeadEvent.POSTPONE, due_at=due_at, next_phone=True)
    return NextStep(event=LeadEvent.BLOCK)


def after_return(next_allowed_at: datetime | None, now: datetime) -> NextStep:
    """A refused, lapsed or unanswered offer: due again at the named instant, else soon."""
    soon = now + timedelta(seconds=RETURNED_SECONDS)
    return NextStep(event=LeadEvent.POSTPONE, due_at=max(next_allowed_at, now) if next_allowed_at else soon)


def _callback_due(
    callback_at: datetime | None, document: CampaignDocument, charged_at: Sequence[datetime], now: datetime
) -> datetime:
    """The promised time; later only if the budget has no room before (a promise is kept, the cap too)."""
    due_at = max(callback_at or now + spacing(document, RetryCause.NO_ANSWER, 1), now)
    cap = document.retry_max_per_person
    if len(charged_at) < cap:
        return due_at
    room_at = sorted(charged_at)[len(charged_at) - cap] + window(document)
    return max(due_at, room_at)
