"""Which agent takes the answer. Idempotent per attempt; two attempts are never given one agent."""

from __future__ import annotations

from datetime import datetime, timedelta

from pacer.domain.agents import Agent
from pacer.domain.inputs import AgentGiven
from pacer.domain.leases import AGENT_LEASE_SECONDS
from pacer.domain.state import TeamState


def assign(state: TeamState, attempt_id: str, campaign_id: str, gateway_id: str, now: datetime) -> AgentGiven | None:
    """The agent for an answered call: the one it has or that was reserved for it, else the longest idle one.

    Agents whose leg is on the call's own gateway come first: their bridge needs no second hop. One whose leg went down
    with the call is no longer its agent: a gateway asks on only while nobody was heard. Fold what it returns.
    """
    mine = next((a for a in state.agents.values() if a.attempt_id == attempt_id and a.lease_id is not None), None)
    if mine is not None and mine.leg_id is not None and mine.lease_until is not None and mine.lease_until > now:
        return _given(mine, attempt_id, campaign_id, mine.lease_id or "", mine.lease_until)
    free = [a for a in state.agents.values() if a.free(now) and a.takes(campaign_id)]
    if not free or (mine is not None and mine.leg_id is not None):
        return None
    chosen = min(free, key=lambda a: (bool(gateway_id) and a.gateway_id != gateway_id, a.idle_since or now, a.agent_id))
    lease_id = f"a-{state.epoch}-{state.next_lease}"
    return _given(chosen, attempt_id, campaign_id, lease_id, now + timedelta(seconds=AGENT_LEASE_SECONDS))


def _given(agent: Agent, attempt_id: str, campaign_id: str, lease_id: str, until: datetime) -> AgentGiven:
    return AgentGiven(
        attempt_id=attempt_id,
        campaign_id=campaign_id,
        agent_id=agent.agent_id,
        lease_id=lease_id,
        lease_until=until,
    )
