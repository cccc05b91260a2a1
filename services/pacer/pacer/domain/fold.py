"""fold(state, input, now): the only way a team's state changes.

An input that changes nothing leaves the state untouched to the last bit (no counter, no sum), so it need not be in the
journal. Events arrive in any order between topics and may repeat; an attempt that ended is remembered for a while.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from outdial_contracts.events import (
    AbandonBudget,
    AgentLeg,
    AgentState,
    CallAnswered,
    CallEnded,
    CallMode,
    CallProgress,
    CampaignPublished,
    ClearanceClosed,
    ComplianceBlocked,
    ComplianceCleared,
    DialRefused,
    GatewayCapacity,
    PacingSupply,
    StopChanged,
)
from pacer.domain.agents import Agent, Duty, leg_changed, release, reserve, said
from pacer.domain.fold_calls import on_answered, on_closed, on_dial_refused, on_ended, on_progress
from pacer.domain.fold_world import on_budget, on_campaign, on_capacity, on_stop
from pacer.domain.inputs import AgentGiven, Decision, Dial, Input, Tick
from pacer.domain.leases import DONE_SECONDS, expire, let_go, prune
from pacer.domain.state import Call, Done, Offer, TeamState


def fold(state: TeamState, item: Input, now: datetime) -> TeamState:
    """The state after the input; it is changed in place, and `revision` grows if it changed.

    Args:
        now: from `state.next_at`, so that every fold has its own instant.
    """
    lines, duty, busy = state.count()
    if not FOLDS[type(item)](state, item, now):
        return state
    figures = state.figures
    if figures.at is not None:
        seconds = (now - figures.at).total_seconds()
        figures.line_seconds += lines * seconds
        figures.duty_seconds += duty * seconds
        figures.busy_seconds += busy * seconds
    if figures.at is not None or duty:
        figures.at = now
    prune(state, now)
    state.last_at = now
    state.revision += 1
    return state


def _on_tick(state: TeamState, _: Tick, now: datetime) -> bool:
    return expire(state, now)


def _on_cleared(state: TeamState, event: ComplianceCleared, now: datetime) -> bool:
    attempt = event.attempt_id
    if attempt in state.offers or attempt in state.calls or attempt in state.done or attempt in state.unwanted:
        return False
    if event.expires_at <= now and event.cleared_at <= now - timedelta(seconds=DONE_SECONDS):
        return False  # a repeat may be older than what is remembered; it can't be dialled, nor counted twice
    campaign = state.campaigns.get(event.campaign_id)
    if campaign is not None:
        supply = campaign.supply
        supply.cleared_total, supply.cleared_at = supply.cleared_total + 1, now
        supply.blocks.clear()
    offer = _offer(event)
    waiting = state.offers if campaign is not None and offer.autodial_allowed else state.unwanted
    waiting[attempt] = offer
    return True


def _offer(event: ComplianceCleared) -> Offer:
    return Offer(
        attempt_id=event.attempt_id,
        campaign_id=event.campaign_id,
        campaign_version=event.campaign_version,
        context=event.context,
        person_token=event.person_token,
        callee_token=event.callee_token,
        destination_prefix=event.destination_prefix,
        agent_guaranteed=event.agent_guaranteed,
        autodial_allowed=CallMode.LIVE_AUTODIALED in event.allowed_modes,
        score=event.score,
        token=event.token,
        cleared_at=event.cleared_at,
        expires_at=event.expires_at,
        caller_id_prefixes=event.caller_id_prefixes,
    )


def _on_blocked(state: TeamState, event: ComplianceBlocked, now: datetime) -> bool:
    campaign = state.campaigns.get(event.campaign_id)
    if campaign is None:
        return False
    supply = campaign.supply
    supply.blocked_at = now
    for reason in event.reasons:
        supply.blocks[reason.value] = supply.blocks.get(reason.value, 0) + 1
    return True


def _on_supply(state: TeamState, event: PacingSupply, now: datetime) -> bool:
    campaign = state.campaigns.get(event.campaign_id)
    if campaign is None or event.epoch != state.epoch:
        return False
    supply = campaign.supply
    supply.sent_total, supply.reason = event.sent_total, event.reason
    supply.supplied_at, supply.next_due_at = now, event.next_due_at
    return True


def _on_agent_state(state: TeamState, event: AgentState, now: datetime) -> bool:
    agent = state.agents.setdefault(event.agent_id, Agent(agent_id=event.agent_id))
    was, since = agent.duty, agent.ended_at
    changed = said(agent, event, now)
    if was is Duty.AFTER_CALL and agent.duty is Duty.IDLE and since is not None:
        state.wrap.observe((event.at - since).total_seconds())
    return changed


def _on_agent_leg(state: TeamState, event: AgentLeg, now: datetime) -> bool:
    agent = state.agents.get(event.agent_id) or Agent(agent_id=event.agent_id)
    if not leg_changed(agent, event):
        return False
    state.agents[event.agent_id] = agent
    if agent.leg_id is None and agent.duty is Duty.RESERVED and not agent.claimed:
        _unreserve(state, agent, now)
    return True


def _unreserve(state: TeamState, agent: Agent, now: datetime) -> None:
    call = state.calls.get(agent.attempt_id or "")
    if call is not None:
        call.agent_id = None
    release(agent, now)


def _on_given(state: TeamState, given: AgentGiven, now: datetime) -> bool:
    agent = state.agents.get(given.agent_id)
    if agent is None or agent.lease_id == given.lease_id or agent.duty is not Duty.IDLE:
        return False
    for before in state.agents.values():
        if before.attempt_id == given.attempt_id:
            let_go(before, now)
    reserve(agent, given.attempt_id, given.lease_id, given.lease_until, now)
    state.next_lease += 1
    call = state.calls.get(given.attempt_id)
    if call is not None:
        call.agent_id = given.agent_id
    return True


def _on_decision(state: TeamState, decision: Decision, now: datetime) -> bool:
    for attempt_id in decision.returned:
        state.offers.pop(attempt_id, None)
        state.unwanted.pop(attempt_id, None)
        state.done[attempt_id] = Done(at=now)
    for dial in decision.dials:
        _dial(state, dial, now)
    for want in decision.wants:
        supply = state.campaigns[want.campaign_id].supply
        if supply.outstanding == 0:
            supply.asked_at = now
        supply.wanted_total = want.wanted_total
    return decision.acts


def _dial(state: TeamState, dial: Dial, now: datetime) -> None:
    offer = state.offers.pop(dial.attempt_id, None)
    if offer is None:  # only in recovery: the offer lapsed meanwhile, and so does the call
        return
    gateway = state.gateways.get(dial.gateway_id)
    state.calls[dial.attempt_id] = Call(
        offer=offer,
        lease_id=dial.lease_id,
        gateway_id=dial.gateway_id,
        boot_id=gateway.boot_id if gateway else "",
        caller_id=dial.caller_id,
        dialled_at=now,
        lease_until=dial.lease_until,
        agent_id=dial.agent_id,
    )
    state.campaigns[dial.campaign_id].numbers_used_at[dial.caller_id] = now
    state.next_lease += 1
    if dial.agent_id is not None and dial.agent_lease_id is not None:
        agent = state.agents[dial.agent_id]
        reserve(agent, dial.attempt_id, dial.agent_lease_id, dial.lease_until, now)


FOLDS: dict[type, Callable[[TeamState, Any, datetime], bool]] = {
    Tick: _on_tick,
    AgentGiven: _on_given,
    Decision: _on_decision,
    ComplianceCleared: _on_cleared,
    ComplianceBlocked: _on_blocked,
    ClearanceClosed: on_closed,
    DialRefused: on_dial_refused,
    CallProgress: on_progress,
    CallAnswered: on_answered,
    CallEnded: on_ended,
    AgentState: _on_agent_state,
    AgentLeg: _on_agent_leg,
    PacingSupply: _on_supply,
    CampaignPublished: on_campaign,
    StopChanged: on_stop,
    AbandonBudget: on_budget,
    GatewayCapacity: on_capacity,
}
