"""Timers: leads that expire, offers nobody answered, demand that waits for leads to become due, old keys."""

from __future__ import annotations

from datetime import timedelta

from lead_router.domain.lifecycle import LeadEvent
from lead_router.handlers.changes import end
from lead_router.handlers.offers import on_unanswered
from lead_router.handlers.supplying import supply
from lead_router.ports import Deps
from outdial_runtime.outcome import NOTHING, Outcome
from outdial_runtime.service import TickInput

ROWS_PER_TICK = 500


async def on_schedule(tick: TickInput, deps: Deps) -> Outcome:
    """Every second: gives up what is stale, then serves unsatisfied demand. Safe in several replicas at once."""
    async with deps.store.work() as work:
        for lead in await work.expired_leads(tick.now, ROWS_PER_TICK):
            await end(work, lead, LeadEvent.EXPIRE, tick.now)
        stale = await work.unanswered_offers(tick.now, ROWS_PER_TICK)
        short = await work.short_campaigns()
    for offer in stale:
        async with deps.store.work() as work:
            await on_unanswered(work, offer, tick.now)
    for campaign_id in short:
        async with deps.store.work() as work:
            demand = await work.demand(campaign_id)
            if demand is not None and demand.shortfall:
                await supply(work, demand, tick.now)
    return NOTHING


async def on_housekeeping(tick: TickInput, deps: Deps) -> Outcome:
    """Every minute: forgets Idempotency-Keys past their time."""
    async with deps.store.work() as work:
        await work.forget_keys(tick.now - timedelta(hours=deps.idempotency_hours))
    return NOTHING
