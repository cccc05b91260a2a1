"""Storing a changed lead together with its public lead.state, and giving an offer in flight back."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from lead_router.domain.floors import lifted
from lead_router.domain.leads import Lead, Offer, state_event
from lead_router.domain.lifecycle import LeadEvent, OfferState, is_final
from lead_router.domain.offering import move
from lead_router.ports import Work
from outdial_contracts.events import LeadStatus, OfferReturned, OfferReturnReason
from outdial_runtime.outcome import Emit

REOPENS = frozenset({LeadStatus.DONE, LeadStatus.EXHAUSTED})
"""A later revision of the disposition may promise a callback."""


async def save(work: Work, lead: Lead) -> None:
    """Stores the lead and says where it stands now."""
    await work.save_lead(lead)
    await work.emit([said(lead)])


async def store_admitted(work: Work, leads: Sequence[Lead]) -> list[Lead]:
    """Stores admitted leads and says where they stand; one that a restored database had forgotten goes on from there.

    At once: persons are locked in one order, so that two imports can't wait for each other.
    """
    floors = await work.floors([lead.lead_id for lead in leads])
    stored = [lifted(lead, floors[lead.lead_id]) if lead.lead_id in floors else lead for lead in leads]
    await work.insert_leads(stored)
    for lead in stored:
        if lead.status in (LeadStatus.CANCELLED, LeadStatus.EXPIRED):
            await work.release_tokens(lead.lead_id)
    await work.emit([said(lead) for lead in stored])
    return stored


def said(lead: Lead) -> Emit:
    """The lead.state of this revision of the lead."""
    return Emit(event=state_event(lead), cause=f"lead:{lead.lead_id}", revision=lead.revision)


async def end(work: Work, lead: Lead, event: LeadEvent, now: datetime) -> Lead:
    """Ends a lead from outside (suppressed, cancelled, expired) and gives its unredeemed offer back.

    Not after a suppression: the gate holds it already and refuses the offer at the last look, with its reason. It also
    binds a lead that is over and may be reopened.
    """
    reopens = event is LeadEvent.SUPPRESS and lead.status in REOPENS
    if is_final(lead.status) and not reopens:
        return lead
    if lead.status is LeadStatus.OFFERED and event is not LeadEvent.SUPPRESS:
        await give_back(work, lead, now)
    ended = move(lead, event, now)
    await save(work, ended)
    if event in (LeadEvent.CANCEL, LeadEvent.EXPIRE):
        await work.release_tokens(lead.lead_id)
    return ended


async def give_back(work: Work, lead: Lead, now: datetime) -> None:
    """Tells the gate that the lead's open offer must not be used; its clearance.closed still comes."""
    offer = await work.offer(lead.current_attempt_id) if lead.current_attempt_id else None
    if offer is not None and offer.state in (OfferState.OPEN, OfferState.UNANSWERED):
        await work.emit([Emit(event=_returned(offer, now), cause=f"cancelled:{offer.attempt_id}")])


def _returned(offer: Offer, now: datetime) -> OfferReturned:
    return OfferReturned(
        attempt_id=offer.attempt_id,
        team_id=offer.team_id,
        campaign_id=offer.campaign_id,
        campaign_version=offer.campaign_version,
        context=offer.context,
        reason=OfferReturnReason.LEAD_CANCELLED,
        returned_at=now,
    )
