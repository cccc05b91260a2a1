"""campaign.published, stop.changed -> memory: what runs now. Both topics are read whole by every replica.

A change takes effect at once, whatever the database does; the ledger has it a moment later (`record_overrides`). So
every boot records each state and each stop that it finds in force, and every change it sees after that.
"""

from __future__ import annotations

from compliance_gate.domain.ledger import Chain, Entry, RecordKind
from compliance_gate.ports import Deps
from outdial_contracts.events import CampaignPublished, StopChanged
from outdial_runtime.outcome import NOTHING, Outcome
from outdial_runtime.service import Received, TickInput

RECORDS_AT_ONCE = 500


async def on_campaign_published(message: Received[CampaignPublished], deps: Deps) -> Outcome:
    """Takes in a version or a state; the latest wins."""
    event = message.event
    if deps.live.publish(event):
        body = {
            "campaign": event.campaign_id,
            "state": event.state.value,
            "by": event.published_by,
            "since": event.published_at.isoformat(),
            "at": deps.clock.now().isoformat(),
        }
        deps.unrecorded.append(Entry(kind=RecordKind.STATE, body=body))
    return NOTHING


async def on_stop_changed(message: Received[StopChanged], deps: Deps) -> Outcome:
    """Takes in a stop button; Redeem looks at it from now on."""
    event = message.event
    if deps.live.change_stop(event):
        body = {
            "scope": event.scope,
            "stopped": event.stopped,
            "reason": event.reason,
            "by": event.changed_by,
            "since": event.changed_at.isoformat(),
            "at": deps.clock.now().isoformat(),
        }
        deps.unrecorded.append(Entry(kind=RecordKind.STOP, body=body))
    return NOTHING


async def record_overrides(tick: TickInput, deps: Deps) -> Outcome:
    """Writes down what took effect since; it stays to be written while the store is away."""
    entries = deps.unrecorded[:RECORDS_AT_ONCE]
    if entries:
        async with deps.store.transaction() as tx:
            await tx.append(Chain.DECISIONS, entries)
        del deps.unrecorded[: len(entries)]
    return NOTHING
