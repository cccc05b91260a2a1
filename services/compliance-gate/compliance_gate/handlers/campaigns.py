"""campaign.published, stop.changed -> memory: what runs now. Both topics are read whole by every replica."""

from __future__ import annotations

from compliance_gate.ports import Deps
from outdial_contracts.events import CampaignPublished, StopChanged
from outdial_runtime.outcome import NOTHING, Outcome
from outdial_runtime.service import Received


async def on_campaign_published(message: Received[CampaignPublished], deps: Deps) -> Outcome:
    """Takes in a version or a state; the latest wins."""
    deps.live.publish(message.event)
    return NOTHING


async def on_stop_changed(message: Received[StopChanged], deps: Deps) -> Outcome:
    """Takes in a stop button; Redeem looks at it from now on."""
    deps.live.change_stop(message.event)
    return NOTHING
