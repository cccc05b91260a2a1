"""Making an offer of a due lead, and moving a lead by what it led to."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from lead_router.domain.leads import Campaign, Lead, Offer, score_band
from lead_router.domain.lifecycle import LeadEvent, OfferState, next_status
from lead_router.domain.retry import NextStep
from outdial_contracts.events import CallMode, Context, DialMode, LeadReady
from outdial_contracts.identity import attempt_id

UNANSWERED_GRACE = timedelta(seconds=30)
"""On top of the longest time until a clearance.closed."""
AUTODIALED = frozenset({DialMode.PREDICTIVE, DialMode.PROGRESSIVE, DialMode.POWER, DialMode.AUTO})


@dataclass(frozen=True, kw_only=True)
class Offering:
    """An offer, and the lead it changes."""

    lead: Lead
    offer: Offer
    ready: LeadReady


def make_offer(lead: Lead, campaign: Campaign, epoch: int, now: datetime) -> Offering:
    """Offers the lead's number; the offer number, and so the attempt id, is never used again."""
    offer_no = lead.offers + 1
    attempt = attempt_id(lead.lead_id, offer_no)
    expires_at = now + timedelta(seconds=campaign.document.clearance_ttl_seconds)
    context = Context(
        lead_id=lead.lead_id,
        attempt_no=lead.attempts + 1,
        segment=lead.segment,
        score_band=score_band(lead.score),
        list_source=lead.list_source,
    )
    offer = Offer(
        attempt_id=attempt,
        lead_id=lead.lead_id,
        person_id=lead.person_id,
        offer_no=offer_no,
        campaign_id=campaign.campaign_id,
        campaign_version=campaign.version,
        team_id=campaign.team_id,
        epoch=epoch,
        context=context,
        state=OfferState.OPEN,
        offered_at=now,
        answer_due_at=answer_due_at(now, expires_at),
    )
    moved = move(lead, LeadEvent.OFFER, now, offers=offer_no, current_attempt_id=attempt)
    ready = _ready(lead, campaign, offer, min(expires_at, lead.expires_at or expires_at))
    return Offering(lead=moved, offer=offer, ready=ready)


def answer_due_at(offered_at: datetime, expires_at: datetime) -> datetime:
    """When an offer of which nothing was heard is given up: one that is decided at its last moment, as after a gate
    was away, lives one clearance lifetime more, and may be dialled until then.
    """
    return expires_at + (expires_at - offered_at) + UNANSWERED_GRACE


def move(lead: Lead, event: LeadEvent, now: datetime, **changes: Any) -> Lead:
    """The lead after the event, one revision on.

    Raises:
        ValueError: the event is impossible in the lead's state.
    """
    status = next_status(lead.status, event)
    return replace(lead, status=status, changed_at=now, revision=lead.revision + 1, **changes)


def step(lead: Lead, following: NextStep, now: datetime, **changes: Any) -> Lead:
    """The lead after an offer or attempt of it ended."""
    if following.next_phone:
        changes["phone_no"] = lead.phone_no + 1
    due_at = following.due_at or lead.due_at
    return move(lead, following.event, now, due_at=due_at, current_attempt_id=None, **changes)


def expired(lead: Lead, now: datetime) -> bool:
    """Whether the lead is stale."""
    return lead.expires_at is not None and lead.expires_at <= now


def _modes(mode: DialMode) -> tuple[CallMode, ...]:
    # No campaign can drop a message yet, and the safe-harbour message does not make a call prerecorded.
    return (CallMode.LIVE_AUTODIALED,) if mode in AUTODIALED else (CallMode.LIVE_MANUAL,)


def _ready(lead: Lead, campaign: Campaign, offer: Offer, expires_at: datetime) -> LeadReady:
    document = campaign.document
    return LeadReady(
        attempt_id=offer.attempt_id,
        team_id=offer.team_id,
        campaign_id=offer.campaign_id,
        campaign_version=offer.campaign_version,
        context=offer.context,
        offer_no=offer.offer_no,
        person_id=lead.person_id,
        phone=lead.phone.number,
        person_token=lead.person_token,
        callee_token=lead.phone.token,
        seller_id=document.seller_id,
        topic_id=document.topic_id,
        purpose=document.purpose,
        modes=_modes(document.mode),
        agent_guaranteed=False,
        line_type=lead.phone.line_type,
        consumer=lead.consumer,
        address=lead.address,
        consents=lead.consents,
        relations=lead.relations,
        debt_id=lead.debt_id,
        score=lead.score,
        epoch=offer.epoch,
        offered_at=offer.offered_at,
        expires_at=expires_at,
    )
