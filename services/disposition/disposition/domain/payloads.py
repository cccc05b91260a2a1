"""What a CRM is told, as JSON: of an attempt, of where a lead stands, of a suppression. Never a phone number.

Every payload is made from a list of its own fields, so that a field added to an event is told only once somebody
decides so. schemas/webhooks/ holds the JSON Schema of the bodies, docs/webhooks.md the words around them.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec

from outdial_contracts.events import (
    BlockReason,
    CallDisposition,
    DispositionCode,
    EndClass,
    Fault,
    LeadState,
    LeadStatus,
    Segment,
    SuppressionChanged,
    SuppressionSource,
    Verdict,
)
from outdial_contracts.headers import event_id

PASSING = frozenset({LeadStatus.UNKNOWN, LeadStatus.NEW, LeadStatus.OFFERED, LeadStatus.ATTEMPTING})
"""Where a lead stays for seconds, or where its CRM just put it: no news. Every other status is told."""
BULK = frozenset({SuppressionSource.IMPORT})
"""Lists that an operator loads hold millions and are no person's word: not told one by one."""
MOST_KEY_CHARACTERS = 300
Moment = Annotated[datetime, msgspec.Meta(tz=True)]
"""Aware UTC; RFC 3339 with Z in JSON."""


@dataclass(frozen=True, kw_only=True)
class AttemptData:
    """One revision of an attempt's disposition; a higher revision replaces a lower one."""

    attempt_id: str
    lead_id: str
    campaign_id: str
    campaign_version: int
    attempt_no: int
    """How many redemptions the lead had before, plus one."""
    revision: int
    code: DispositionCode
    final: bool
    """The code ends the lead; whether the lead really ended is `is_final` of lead.state."""
    reached: bool
    human_answer: bool
    connected: bool
    abandoned: bool
    conversation: bool
    right_party: bool
    conversion: bool
    dnc: bool
    """The person asked not to be called."""
    suppression_id: str | None
    """With dnc: the suppression that it made."""
    callback_at: Moment | None
    charged: bool
    end_class: EndClass
    fault: Fault
    verdict: Verdict | None
    agent_id: str | None
    segment: Segment
    list_source: str | None
    region: str | None
    local_zone: str | None
    redeemed_at: Moment | None
    invited_at: Moment | None
    alerting_at: Moment | None
    answered_at: Moment | None
    bridged_at: Moment | None
    ended_at: Moment | None
    talk_seconds: float | None
    closed_by_deadline: bool
    disposed_at: Moment


@dataclass(frozen=True, kw_only=True)
class LeadData:
    """Where a lead stands; a higher revision replaces a lower one."""

    lead_id: str
    source: str
    external_id: str
    """The id that the CRM gave it."""
    external_ref: str | None
    campaign_id: str
    status: LeadStatus
    is_final: bool
    """Nothing more will happen by itself."""
    attempt_no: int
    """Redemptions so far."""
    last_code: DispositionCode | None
    block_reasons: tuple[BlockReason, ...]
    next_due_at: Moment | None
    revision: int
    at: Moment


@dataclass(frozen=True, kw_only=True)
class SuppressionData:
    """A suppression is in force. Whom it concerns is told by lead.state SUPPRESSED of each of his leads."""

    suppression_id: str
    """The CRM's own where it submitted it; that of the disposition where an agent recorded it."""
    seller_id: str
    """Seller it binds; * for all."""
    source: SuppressionSource
    requested_at: Moment
    changed_at: Moment


@dataclass(frozen=True, kw_only=True)
class AttemptWebhook:
    """The body that tells of an attempt; `timestamp` is when it was disposed of, not when it was sent."""

    type: Literal["call.disposition"]
    timestamp: Moment
    data: AttemptData


@dataclass(frozen=True, kw_only=True)
class LeadWebhook:
    """The body that tells of a lead; `timestamp` is when it changed."""

    type: Literal["lead.state"]
    timestamp: Moment
    data: LeadData


@dataclass(frozen=True, kw_only=True)
class SuppressionWebhook:
    """The body that tells of a suppression; `timestamp` is when it came into force."""

    type: Literal["suppression.changed"]
    timestamp: Moment
    data: SuppressionData


BODIES = (AttemptWebhook, LeadWebhook, SuppressionWebhook)
"""`type` is the topic that says the same; the shape is the one that Standard Webhooks recommends."""


@dataclass(frozen=True, kw_only=True)
class Webhook:
    """One thing to be told to one campaign's endpoint."""

    webhook_id: str
    """UUIDv5 of what it tells, so that a repeat has the same."""
    campaign_id: str
    type: str
    subject: str
    """lead_id or suppression_id: webhooks of one campaign and subject are sent in the order they were queued."""
    body: str
    """What is signed and sent, word for word, at every try."""

    @property
    def storable(self) -> bool:
        """Whether a database can hold and index it; what exists has ids far shorter than that."""
        return is_key(self.campaign_id) and is_key(self.subject)


def is_key(text: str) -> bool:
    """No NUL, and short enough for an index."""
    return "\x00" not in text and len(text) <= MOST_KEY_CHARACTERS


def of_disposition(event: CallDisposition, suppression_id: str | None) -> Webhook:
    """One per revision."""
    data = AttemptData(
        **_same(AttemptData, event),
        attempt_no=event.context.attempt_no,
        segment=event.context.segment,
        list_source=event.context.list_source,
        region=event.context.region,
        local_zone=event.context.local_zone,
        suppression_id=suppression_id if event.dnc else None,
    )
    return Webhook(
        webhook_id=event_id(f"disposition:{event.attempt_id}", "webhook", event.revision),
        campaign_id=event.campaign_id,
        type=event.TOPIC,
        subject=event.lead_id,
        body=_body(AttemptWebhook(type="call.disposition", timestamp=event.disposed_at, data=data)),
    )


def of_lead(event: LeadState) -> Webhook | None:
    """One per revision; None for a status that is no news."""
    if event.status in PASSING:
        return None
    data = LeadData(**_same(LeadData, event), attempt_no=event.attempts)
    return Webhook(
        webhook_id=event_id(f"lead:{event.lead_id}", "webhook", event.revision),
        campaign_id=event.campaign_id,
        type=event.TOPIC,
        subject=event.lead_id,
        body=_body(LeadWebhook(type="lead.state", timestamp=event.at, data=data)),
    )


def of_suppression(event: SuppressionChanged, campaign_id: str, url: str) -> Webhook | None:
    """One per endpoint, whose campaign_id it is sent for; None for a bulk list."""
    if event.source in BULK:
        return None
    data = SuppressionData(**_same(SuppressionData, event))
    return Webhook(
        webhook_id=event_id(f"suppression:{event.suppression_id}", f"webhook:{url}"),
        campaign_id=campaign_id,
        type=event.TOPIC,
        subject=event.suppression_id,
        body=_body(SuppressionWebhook(type="suppression.changed", timestamp=event.changed_at, data=data)),
    )


def _same(kind: type[Any], event: Any) -> dict[str, Any]:
    """The fields that payload and event have under one name."""
    return {f.name: getattr(event, f.name) for f in fields(kind) if hasattr(event, f.name)}


def _body(body: AttemptWebhook | LeadWebhook | SuppressionWebhook) -> str:
    return msgspec.json.encode(body).decode()
