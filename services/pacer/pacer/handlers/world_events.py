"""campaign.published, stop.changed, gateway.capacity, abandon.budget -> pacing.journal of every team concerned."""

from __future__ import annotations

from outdial_contracts.events import AbandonBudget, CampaignPublished, GatewayCapacity, StopChanged
from outdial_runtime.outcome import Outcome
from outdial_runtime.service import Received
from pacer.domain.inputs import WorldEvent
from pacer.domain.ownership import Known
from pacer.domain.step import Source
from pacer.handlers.taking import Taken, take_event
from pacer.ports import Deps


async def on_campaign_published(message: Received[CampaignPublished], deps: Deps) -> Outcome:
    """A version of a campaign, or its state."""
    return _take(message, message.event, deps)


async def on_stop_changed(message: Received[StopChanged], deps: Deps) -> Outcome:
    """A stop button; offers it covers are given back at once."""
    return _take(message, message.event, deps)


async def on_gateway_capacity(message: Received[GatewayCapacity], deps: Deps) -> Outcome:
    """A gateway speaks every 2 s; a new boot frees what the former one held."""
    return _take(message, message.event, deps)


async def on_abandon_budget(message: Received[AbandonBudget], deps: Deps) -> Outcome:
    """What a legal campaign may still drop; its teams obey it from their next decision on."""
    return _take(message, message.event, deps)


def _take(message: Received[WorldEvent], event: WorldEvent, deps: Deps) -> Outcome:
    source = Source(topic=message.topic, partition=message.partition, offset=message.offset)
    known = Known(event=event, source=source, raw=message.raw)
    deps.catalogue.note(known)
    taken = Taken()
    for partition, state in deps.owned.teams():
        take_event(deps, partition, state, known, message.now, taken)
    return taken.outcome()
