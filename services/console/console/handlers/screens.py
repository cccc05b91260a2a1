"""agent.leg, call.progress, call.ended, campaign.published, abandon.budget -> screens; an assignment -> agent.state."""

from __future__ import annotations

from datetime import datetime, timedelta

from console.domain.desk import Desk
from console.handlers.deps import Deps
from outdial_contracts.events import (
    AbandonBudget,
    AgentLeg,
    AgentState,
    CallEnded,
    CallProgress,
    CampaignPublished,
    ProgressStage,
)
from outdial_runtime.outcome import NOTHING, Drop, Emit, Outcome, Publish
from outdial_runtime.service import Received

VALID_SECONDS = 10.0
ON_SCREEN = frozenset({ProgressStage.ASSIGNED, ProgressStage.BRIDGED})


async def on_agent_leg(message: Received[AgentLeg], deps: Deps) -> Outcome:
    """The agent's phone connected or went."""
    event = message.event
    desk = deps.floor.desks.get((event.team_id, event.agent_id))
    if desk is None:
        return Drop("NOT_AT_A_DESK")
    desk.leg_changed(event.leg_id, event.gateway_address, event.up, message.now)
    await notify(deps)
    return NOTHING


async def on_call_progress(message: Received[CallProgress], deps: Deps) -> Outcome:
    """Assigned and bridged drive the screen; from the first of them that is seen the agent is not available."""
    event = message.event
    deps.hub.board.call_progress(event)
    deps.hub.touch()
    if event.stage not in ON_SCREEN:
        return Drop("NOT_FOR_SCREENS")
    return await _screen_call(event, event.stage is ProgressStage.BRIDGED, False, message.now, deps)


async def on_call_ended(message: Received[CallEnded], deps: Deps) -> Outcome:
    """The agent's call is over; one that was bridged he wraps up."""
    event = message.event
    deps.hub.board.call_ended(event)
    deps.hub.touch()
    return await _screen_call(event, event.bridged_at is not None, True, message.now, deps)


async def on_campaign_published(message: Received[CampaignPublished], deps: Deps) -> Outcome:
    """Keeps the newest version of each campaign, and its state for the board."""
    event = message.event
    deps.hub.board.campaign_published(event)
    deps.hub.touch()
    known = deps.floor.campaigns.get(event.campaign_id)
    if event.document is not None and (known is None or known.version < event.version):
        deps.floor.campaigns[event.campaign_id] = event
    return NOTHING


async def on_abandon_budget(message: Received[AbandonBudget], deps: Deps) -> Outcome:
    """What a legal campaign may still drop, for the board."""
    deps.hub.board.abandon_budget(message.event, message.now)
    deps.hub.touch()
    return NOTHING


def state_of(desk: Desk, now: datetime) -> AgentState:
    """agent.state of a desk, valid for 10 s."""
    return AgentState(
        agent_id=desk.agent_id,
        team_id=desk.team_id,
        availability=desk.availability,
        reason=desk.reason,
        campaign_ids=desk.campaign_ids,
        last_assignment_seen=desk.lease_seen,
        valid_until=now + timedelta(seconds=VALID_SECONDS),
        at=now,
    )


async def notify(deps: Deps) -> None:
    """Wakes the screens that wait."""
    async with deps.floor.changed:
        deps.floor.changed.notify_all()


async def _screen_call(
    event: CallProgress | CallEnded, bridged: bool, ended: bool, now: datetime, deps: Deps
) -> Outcome:
    """Topics are not ordered among each other, so each event also tells what it proves to have come before."""
    desk = deps.floor.desks.get((event.team_id, event.agent_id or ""))
    if desk is None or event.agent_lease_id is None:
        return Drop("NOT_AT_A_DESK")
    taken = desk.assigned(event.attempt_id, event.campaign_id, event.agent_lease_id, now)
    if bridged:
        desk.bridged(event.attempt_id, now)
    if ended:
        desk.call_ended(event.attempt_id, now)
    await notify(deps)
    if not taken:
        return NOTHING
    return Publish([Emit(event=state_of(desk, now), cause=f"assigned:{event.agent_lease_id}")])
