"""The watch over the database's age: marks while all is well; at the start, what the topics say and it forgot.

Everything that is consumed is handled again from the mark, by the same handlers, which take every repeat; lead.ready,
lead.state and pacing.supply, which this service wrote itself, raise offer numbers, revisions and totals first.
Nothing is offered before all of it was read.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

from lead_router.domain.floors import Floor, caught_up
from lead_router.domain.leads import Lead, Offer
from lead_router.domain.lifecycle import OfferState, is_final
from lead_router.domain.offering import answer_due_at
from lead_router.domain.supply import lost, raise_demand
from lead_router.handlers.controls import on_campaign_published, on_stop_changed, on_suppression_changed
from lead_router.handlers.intake import on_lead_submitted
from lead_router.handlers.offers import block, on_call_disposition, on_clearance_closed
from lead_router.ports import Deps, Work
from outdial_contracts.base import Event
from outdial_contracts.events import (
    CallDisposition,
    CampaignPublished,
    ClearanceClosed,
    ComplianceBlocked,
    LeadReady,
    LeadState,
    LeadStatus,
    LeadSubmitted,
    PacingDemand,
    PacingSupply,
    StopChanged,
    SuppressionChanged,
)
from outdial_runtime.broker import TopicPartition
from outdial_runtime.outcome import NOTHING, Drop, Outcome
from outdial_runtime.past import moved, read_on
from outdial_runtime.service import Received, TickInput

MARK_EVERY_SECONDS = 15.0
CHUNKS_PER_TURN = 8
WRITTEN: Sequence[type[Event]] = (LeadReady, LeadState, PacingSupply)
Taker = Callable[[Received[Any], Deps], Awaitable[object]]


def not_ready_because(deps: Deps) -> str | None:
    """For /readyz."""
    return None if deps.guard.verified else "restore check: the topics are read from the database's marks to their ends"


async def watch_restore(tick: TickInput, deps: Deps) -> Outcome:
    """At the start: reads back, and is done when nothing is left to read. Then: marks."""
    guard, past = deps.guard, deps.past
    if past is None:
        return NOTHING
    if not guard.verified:
        return await _read_back(deps)
    if deps.clock is not None and deps.clock.monotonic() - guard.marked_at >= MARK_EVERY_SECONDS:
        guard.marked_at = deps.clock.monotonic()
        positions = await past.positions(CONSUMED, WRITTEN)
        async with deps.store.work() as work:
            await work.save_marks(moved(await work.marks(), positions))
    return NOTHING


async def _read_back(deps: Deps) -> Outcome:
    assert deps.past is not None
    async with deps.store.work() as work:
        marks = dict(await work.marks())
    if not await read_on(deps.past, list(TAKERS), marks, partial(_take, deps), CHUNKS_PER_TURN):
        return Drop("RESTORE_REPLAYING")
    if deps.guard.restored:
        async with deps.store.work() as work:
            await work.hold_again()
    deps.guard.verified = True
    return Drop("RESTORED") if deps.guard.restored else NOTHING


async def _take(deps: Deps, messages: Sequence[Received[Any]], source: TopicPartition, after: int) -> bool:
    """What a handler answers counts for nothing here: what was not committed comes again anyway."""
    take = BY_TOPIC[source.topic]
    for message in messages:
        await take(message, deps)
    async with deps.store.work() as work:
        await work.save_marks({source: after})
    return True


async def on_state_read_back(message: Received[LeadState], deps: Deps) -> None:
    """A lead is never behind what was said of it; of an unknown one it is remembered."""
    event = message.event
    async with deps.store.work() as work:
        lead = await work.lead(event.lead_id)
        if lead is None:
            deps.guard.restored = True
            floor = await work.floor(event.lead_id) or Floor(lead_id=event.lead_id)
            await work.save_floor(floor.heard(event))
            return
        after = caught_up(lead, event)
        if after is lead:
            return
        deps.guard.restored = True
        await work.save_lead(after)
        if after.status in (LeadStatus.CANCELLED, LeadStatus.EXPIRED):
            await work.release_tokens(after.lead_id)


async def on_demand_read_back(message: Received[PacingDemand], deps: Deps) -> None:
    """Remembered, not yet served."""
    async with deps.store.work() as work:
        demand = raise_demand(await work.demand(message.event.campaign_id), message.event)
        if demand is not None:
            await work.save_demand(demand)


async def on_supply_read_back(message: Received[PacingSupply], deps: Deps) -> None:
    """Its number, and so its ce_id, is not used again."""
    event = message.event
    async with deps.store.work() as work:
        demand = await work.demand(event.campaign_id)
        if demand is not None and demand.epoch == event.epoch:
            await work.save_demand(replace(demand, supply_no=demand.supply_no + 1))


async def on_offer_read_back(message: Received[LeadReady], deps: Deps) -> None:
    """The offer number is taken; the lead is on offer until what follows says otherwise."""
    event = message.event
    async with deps.store.work() as work:
        demand = await work.demand(event.campaign_id)
        lead = await work.lead(event.context.lead_id)
        if lead is None:
            floor = await work.floor(event.context.lead_id) or Floor(lead_id=event.context.lead_id)
            is_new = event.offer_no > floor.offers
            await work.save_floor(floor.offered(event.offer_no))
        else:
            is_new = await work.offer(event.attempt_id) is None
            if is_new:
                await _offer_again(work, lead, event)
        deps.guard.restored |= is_new
        if is_new and demand is not None and demand.epoch == event.epoch:
            await work.save_demand(replace(demand, sent_total=demand.sent_total + 1))


async def _offer_again(work: Work, lead: Lead, event: LeadReady) -> None:
    await work.save_offer(_offer(event, lead))
    await work.hold_person(lead.person_id, event.attempt_id)
    if event.offer_no > lead.offers:
        await work.save_lead(_on_offer(lead, event))


async def on_submission_read_back(message: Received[LeadSubmitted], deps: Deps) -> None:
    """Admitted again. Its revisions go on and its end stands; what else it was is read back from its offers."""
    async with deps.store.work() as work:
        floor = await work.floor(message.event.lead_id)
        if floor is not None:
            await work.save_floor(floor.only_its_end())
    await on_lead_submitted(message, deps)


async def on_block_read_back(message: Received[ComplianceBlocked], deps: Deps) -> None:
    """As on_compliance_blocked, but nothing is offered in its place before everything was read."""
    async with deps.store.work() as work:
        event = message.event
        answered = await block(work, event, message.now)
        if isinstance(answered, Drop) and await work.lead(event.context.lead_id) is None:
            demand = await work.demand(event.campaign_id)
            answered = lost(demand, event.epoch) if demand is not None else None
        if not isinstance(answered, Drop | None):
            await work.save_demand(answered)


def _offer(event: LeadReady, lead: Lead) -> Offer:
    return Offer(
        attempt_id=event.attempt_id,
        lead_id=lead.lead_id,
        person_id=lead.person_id,
        offer_no=event.offer_no,
        campaign_id=event.campaign_id,
        campaign_version=event.campaign_version,
        team_id=event.team_id,
        epoch=event.epoch,
        context=event.context,
        state=OfferState.OPEN,
        offered_at=event.offered_at,
        answer_due_at=answer_due_at(event.offered_at, event.expires_at),
    )


def _on_offer(lead: Lead, event: LeadReady) -> Lead:
    if is_final(lead.status):
        return replace(lead, offers=event.offer_no)
    return replace(lead, offers=event.offer_no, status=LeadStatus.OFFERED, current_attempt_id=event.attempt_id)


TAKERS: Mapping[type[Event], Taker] = {
    CampaignPublished: on_campaign_published,
    StopChanged: on_stop_changed,
    LeadState: on_state_read_back,
    LeadSubmitted: on_submission_read_back,
    PacingDemand: on_demand_read_back,
    PacingSupply: on_supply_read_back,
    LeadReady: on_offer_read_back,
    ComplianceBlocked: on_block_read_back,
    ClearanceClosed: on_clearance_closed,
    CallDisposition: on_call_disposition,
    SuppressionChanged: on_suppression_changed,
}
"""In the order of reading back: what was said of leads, who there is, what was offered, what became of it."""
BY_TOPIC = {event.TOPIC: taker for event, taker in TAKERS.items()}
CONSUMED: Sequence[type[Event]] = [event for event in TAKERS if event not in WRITTEN]
