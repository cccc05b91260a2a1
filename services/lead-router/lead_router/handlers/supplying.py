"""pacing.demand -> lead.ready, pacing.supply; also after a block and on the tick, when leads become due."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from lead_router.domain.leads import Campaign, Lead
from lead_router.domain.lifecycle import LeadEvent
from lead_router.domain.offering import expired, make_offer
from lead_router.domain.retry import budget_spent, window
from lead_router.domain.supply import Demand, dial_bar, raise_demand, report
from lead_router.handlers.changes import end, said
from lead_router.ports import Deps, Work
from outdial_contracts.events import PacingDemand
from outdial_runtime.outcome import NOTHING, Drop, Emit, Outcome
from outdial_runtime.service import Received

LEADS_PER_QUERY = 200


async def on_pacing_demand(message: Received[PacingDemand], deps: Deps) -> Outcome:
    """Offers the best due leads until the cumulative demand is met; a repeat finds it met."""
    async with deps.store.work() as work:
        demand = raise_demand(await work.demand(message.event.campaign_id), message.event)
        if demand is None:
            return Drop("STALE_EPOCH")
        await supply(work, demand, message.now)
    return NOTHING


async def supply(work: Work, demand: Demand, now: datetime) -> None:
    """Sends what is missing and tells the pacer, if there is news; `demand` must be locked by `work`."""
    campaign = await work.campaign(demand.campaign_id)
    bar = dial_bar(campaign, await work.stops())
    if campaign is not None and bar is None:
        demand = await _send(work, campaign, demand, now)
    demand, event = report(demand, bar, await work.backlog(demand.campaign_id, now), now)
    await work.save_demand(demand)
    if event is not None:
        cause = f"supply:{demand.campaign_id}:{demand.epoch}:{demand.supply_no}"
        await work.emit([Emit(event=event, cause=cause)])


async def _send(work: Work, campaign: Campaign, demand: Demand, now: datetime) -> Demand:
    while demand.shortfall:
        leads = await work.due_leads(campaign.campaign_id, now, min(demand.shortfall, LEADS_PER_QUERY))
        if not leads:
            break
        for lead in leads:
            if await _offer(work, lead, campaign, demand.epoch, now):
                demand = replace(demand, sent_total=demand.sent_total + 1)
    return demand


async def _offer(work: Work, lead: Lead, campaign: Campaign, epoch: int, now: datetime) -> bool:
    """Offers the lead, or ends one that is stale or whose person's budget other leads have spent."""
    if expired(lead, now):
        await end(work, lead, LeadEvent.EXPIRE, now)
        return False
    charged_at = await work.charged_at(lead.person_id, window(campaign.document), now)
    if budget_spent(campaign.document, charged_at):
        await end(work, lead, LeadEvent.EXHAUST, now)
        return False
    made = make_offer(lead, campaign, epoch, now)
    await work.save_offer(made.offer)
    await work.hold_person(lead.person_id, made.offer.attempt_id)
    await work.save_lead(made.lead)
    await work.emit([Emit(event=made.ready, cause=f"offer:{made.offer.attempt_id}"), said(made.lead)])
    return True
