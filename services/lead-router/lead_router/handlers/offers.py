"""What became of an offer.

compliance.blocked -> lead.ready (a replacement), pacing.supply, lead.state
clearance.closed, call.disposition -> lead.state
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from lead_router.domain.leads import Lead, Offer
from lead_router.domain.lifecycle import LeadEvent, OfferEvent, OfferState, is_final, next_offer_state
from lead_router.domain.offering import move, step
from lead_router.domain.retry import NextStep, after_block, after_disposition, after_return, window
from lead_router.domain.supply import Demand, lost
from lead_router.handlers.changes import give_back, save
from lead_router.handlers.supplying import supply
from lead_router.ports import Deps, Work
from outdial_contracts.events import (
    CallDisposition,
    CampaignDocument,
    ClearanceClosed,
    CloseOutcome,
    ComplianceBlocked,
    LeadStatus,
)
from outdial_runtime.outcome import NOTHING, DeadLetter, Drop, Outcome, RetryLater
from outdial_runtime.service import Received

CLOSED: dict[CloseOutcome, OfferEvent] = {
    CloseOutcome.REDEEMED: OfferEvent.REDEEM,
    CloseOutcome.REFUSED: OfferEvent.REFUSE,
    CloseOutcome.LAPSED: OfferEvent.LAPSE,
}
ENDING = frozenset({LeadEvent.FINISH, LeadEvent.SUPPRESS})
"""What a late word on an earlier attempt may do to a lead that has moved on."""


async def on_compliance_blocked(message: Received[ComplianceBlocked], deps: Deps) -> Outcome:
    """The lead waits, tries its next number or is blocked for good; the pacer gets another one at once."""
    async with deps.store.work() as work:
        answered = await block(work, message.event, message.now)
        if isinstance(answered, Drop):
            return answered
        if answered is not None:
            await supply(work, answered, message.now)
    return NOTHING


async def block(work: Work, event: ComplianceBlocked, now: datetime) -> Demand | Drop | None:
    """Stores the block; the demand that misses an offer now, if any asked for it, is the caller's to serve and save."""
    demand = await work.demand(event.campaign_id)
    lead = await work.lead(event.context.lead_id)
    offer = await work.offer(event.attempt_id)
    if lead is None or offer is None:
        return Drop("OFFER_UNKNOWN")
    state = next_offer_state(offer.state, OfferEvent.BLOCK)
    if state is None:
        return Drop("ALREADY_ANSWERED")
    following = after_block(event.reasons, event.next_allowed_at, lead.has_next_phone, now)
    lead = replace(lead, block_reasons=event.reasons)
    await _close(work, lead, replace(offer, state=state), following, now)
    # One that had timed out was replaced then.
    return lost(demand, offer.epoch) if demand is not None and offer.state is OfferState.OPEN else demand


async def on_clearance_closed(message: Received[ClearanceClosed], deps: Deps) -> Outcome:
    """Redeemed, the offer is an attempt; refused or lapsed, the lead is due again."""
    event = message.event
    if event.outcome not in CLOSED:
        return DeadLetter("OUTCOME_UNKNOWN", f"outcome: {event.outcome}, want one of {[o.value for o in CLOSED]}")
    async with deps.store.work() as work:
        lead = await work.lead(event.context.lead_id)
        offer = await work.offer(event.attempt_id)
        if lead is None or offer is None:
            return Drop("OFFER_UNKNOWN")
        state = next_offer_state(offer.state, CLOSED[event.outcome])
        if state is None:
            return Drop("ALREADY_ANSWERED")
        if state is OfferState.REDEEMED:
            lead, offer = await _redeem(work, lead, offer, event.closed_at, message.now)
            await save(work, lead)
            return NOTHING
        following = after_return(event.next_allowed_at, message.now)
        lead = replace(lead, block_reasons=event.block_reasons)
        await _close(work, lead, replace(offer, state=state), following, message.now)
    return NOTHING


async def on_call_disposition(message: Received[CallDisposition], deps: Deps) -> Outcome:
    """Retry, call back, stop or give up, by the outcome; each revision once, in any order with clearance.closed."""
    event = message.event
    async with deps.store.work() as work:
        lead = await work.lead(event.lead_id)
        offer = await work.offer(event.attempt_id)
        if lead is None or offer is None:
            return Drop("OFFER_UNKNOWN")
        campaign = await work.campaign(event.campaign_id)
        if campaign is None:
            return RetryLater("CAMPAIGN_UNKNOWN")
        if event.revision <= offer.disposition_revision:
            return Drop("REPEATED_REVISION")
        if next_offer_state(offer.state, OfferEvent.REDEEM) is OfferState.REDEEMED:
            redeemed_at = event.redeemed_at or event.disposed_at
            lead, offer = await _redeem(work, lead, offer, redeemed_at, message.now)
        if next_offer_state(offer.state, OfferEvent.DISPOSE) is None:
            return DeadLetter("NOT_REDEEMED", f"attempt_id: its offer is {offer.state}, want a redeemed one")
        await _dispose(work, lead, offer, event, campaign.document, message.now)
    return NOTHING


async def on_unanswered(work: Work, stale: Offer, now: datetime) -> None:
    """Gives up an offer that the gate never answered; the pacer gets another one, the lead is due again."""
    demand = await work.demand(stale.campaign_id)
    lead = await work.lead(stale.lead_id)
    offer = await work.offer(stale.attempt_id)
    if lead is None or offer is None or offer.state is not OfferState.OPEN:
        return
    await _close(work, lead, replace(offer, state=OfferState.UNANSWERED), after_return(None, now), now)
    if demand is not None:
        await supply(work, lost(demand, offer.epoch), now)


async def _close(work: Work, lead: Lead, offer: Offer, following: NextStep, now: datetime) -> None:
    """Stores an offer that came to nothing, and what follows for its lead, if the lead still waits for it."""
    await work.save_offer(offer)
    await work.free_person(offer.person_id, offer.attempt_id)
    if lead.status is LeadStatus.OFFERED and lead.current_attempt_id == offer.attempt_id:
        await save(work, step(lead, following, now))


async def _redeem(work: Work, lead: Lead, offer: Offer, at: datetime, now: datetime) -> tuple[Lead, Offer]:
    offer = replace(offer, state=OfferState.REDEEMED, redeemed_at=at)
    await work.save_offer(offer)
    await work.hold_person(offer.person_id, offer.attempt_id)
    changes = {"attempts": lead.attempts + 1, "current_attempt_id": offer.attempt_id}
    return move(lead, LeadEvent.REDEEM, now, **changes), offer


async def _dispose(
    work: Work, lead: Lead, offer: Offer, event: CallDisposition, document: CampaignDocument, now: datetime
) -> None:
    first = offer.disposition_revision == 0
    disposed = replace(offer, state=OfferState.DISPOSED, charged=event.charged, disposition_revision=event.revision)
    await work.save_offer(disposed)
    await work.free_person(offer.person_id, offer.attempt_id)
    following = after_disposition(
        code=event.code,
        callback_at=event.callback_at,
        document=document,
        charged_at=await work.charged_at(lead.person_id, window(document), now),
        has_next_phone=lead.has_next_phone,
        now=now,
    )
    elsewhere = lead.current_attempt_id not in (None, offer.attempt_id)
    if elsewhere and following.event not in ENDING:
        await save(work, replace(lead, last_code=event.code, revision=lead.revision + 1, changed_at=now))
        return
    if elsewhere and not is_final(lead.status):
        await give_back(work, lead, now)
    following = following if first else replace(following, next_phone=False)
    await save(work, step(lead, following, now, last_code=event.code))
