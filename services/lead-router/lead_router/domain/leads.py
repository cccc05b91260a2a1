"""The lead and its offers, as lead-router knows them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from lead_router.domain.lifecycle import OfferState, is_final
from outdial_contracts.events import (
    Address,
    BlockReason,
    CampaignDocument,
    CampaignState,
    Consent,
    Context,
    DispositionCode,
    LeadState,
    LeadStatus,
    LineType,
    Relation,
    Segment,
)

SEGMENT_WEIGHT: Mapping[Segment, float] = {
    Segment.COLD: 1.0,
    Segment.COLLECTIONS: 1.0,
    Segment.CUSTOMER: 1.1,
    Segment.WARM: 1.2,
    Segment.RENEWAL: 1.2,
}
"""POLICY: among leads of one score the warmer goes first."""
SCORE_BAND_TENTHS = 2


@dataclass(frozen=True, kw_only=True)
class LeadPhone:
    """One number of a lead."""

    number: str = field(repr=False)
    """E.164."""
    token: str
    """callee_token under the newest key at admission."""
    line_type: LineType


@dataclass(frozen=True, kw_only=True)
class Lead:
    """A person to be called for one campaign."""

    lead_id: str
    source: str
    external_id: str
    campaign_id: str
    person_id: str = field(repr=False)
    person_token: str
    consumer: bool
    address: Address
    segment: Segment
    score: float
    phones: tuple[LeadPhone, ...]
    """In the order to try; at least one."""
    status: LeadStatus
    due_at: datetime
    """Not offered before; meaningful while NEW, WAITING or CALLBACK."""
    changed_at: datetime
    consents: tuple[Consent, ...] = ()
    relations: tuple[Relation, ...] = ()
    debt_id: str | None = None
    expires_at: datetime | None = None
    external_ref: str | None = None
    email: str | None = field(default=None, repr=False)
    first_name: str | None = field(default=None, repr=False)
    language: str | None = None
    preferred_hours: str | None = None
    list_source: str | None = None
    attributes: Mapping[str, str] = field(default_factory=dict, repr=False)
    phone_no: int = 0
    """Index of the number to call next."""
    offers: int = 0
    """Number of the last offer."""
    attempts: int = 0
    """Redemptions."""
    current_attempt_id: str | None = None
    """The offer or attempt in flight."""
    last_code: DispositionCode | None = None
    block_reasons: tuple[BlockReason, ...] = ()
    revision: int = 1

    @property
    def phone(self) -> LeadPhone:
        """The number to call next."""
        return self.phones[self.phone_no]

    @property
    def has_next_phone(self) -> bool:
        """Whether another number follows."""
        return self.phone_no + 1 < len(self.phones)

    @property
    def priority(self) -> float:
        """Selection order: score times the segment's weight."""
        return self.score * SEGMENT_WEIGHT.get(self.segment, 1.0)


@dataclass(frozen=True, kw_only=True)
class Offer:
    """One lead.ready, and what became of it."""

    attempt_id: str
    lead_id: str
    person_id: str
    offer_no: int
    campaign_id: str
    campaign_version: int
    team_id: str
    epoch: int
    context: Context
    state: OfferState
    offered_at: datetime
    answer_due_at: datetime
    """With no answer by then the offer is taken as lost."""
    redeemed_at: datetime | None = None
    charged: bool = True
    """Counts against the person's budget once redeemed; NOT_DIALLED does not."""
    disposition_revision: int = 0


@dataclass(frozen=True, kw_only=True)
class Campaign:
    """A campaign in the version that runs (or, before it ran, the newest published)."""

    campaign_id: str
    team_id: str
    version: int
    state: CampaignState
    document: CampaignDocument


def score_band(score: float) -> str:
    """Band of width 0.2 that holds the score, for example 0.4-0.6."""
    low = min(int(score * 10 + 1e-9) // SCORE_BAND_TENTHS * SCORE_BAND_TENTHS, 10 - SCORE_BAND_TENTHS)
    return f"{low / 10:.1f}-{(low + SCORE_BAND_TENTHS) / 10:.1f}"


def state_event(lead: Lead) -> LeadState:
    """The public record of where the lead stands."""
    final = is_final(lead.status)
    return LeadState(
        lead_id=lead.lead_id,
        source=lead.source,
        external_id=lead.external_id,
        external_ref=lead.external_ref,
        campaign_id=lead.campaign_id,
        status=lead.status,
        is_final=final,
        attempts=lead.attempts,
        last_code=lead.last_code,
        block_reasons=lead.block_reasons,
        next_due_at=lead.due_at if lead.status in (LeadStatus.WAITING, LeadStatus.CALLBACK) else None,
        revision=lead.revision,
        at=lead.changed_at,
    )
