"""suppression.changed -> lead.state; campaign.published, stop.changed: remembered for the tick."""

from __future__ import annotations

from lead_router.domain.lifecycle import LeadEvent
from lead_router.handlers.changes import end
from lead_router.ports import Deps
from outdial_contracts.events import CampaignPublished, StopChanged, SuppressionChanged
from outdial_runtime.outcome import NOTHING, Outcome
from outdial_runtime.service import Received


async def on_campaign_published(message: Received[CampaignPublished], deps: Deps) -> Outcome:
    """Remembers a version, or which version runs and whether it may dial."""
    async with deps.store.work() as work:
        await work.save_campaign(message.event)
    return NOTHING


async def on_stop_changed(message: Received[StopChanged], deps: Deps) -> Outcome:
    """Remembers the newest word on a scope."""
    async with deps.store.work() as work:
        await work.save_stop(message.event)
    return NOTHING


async def on_suppression_changed(message: Received[SuppressionChanged], deps: Deps) -> Outcome:
    """Ends every lead of the person or number for the seller; offers in flight are given back."""
    event = message.event
    async with deps.store.work() as work:
        tokens = {*event.person_tokens, *event.callee_tokens}
        for lead in await work.leads_with_tokens(tokens, event.seller_id):
            await end(work, lead, LeadEvent.SUPPRESS, message.now)
    return NOTHING
