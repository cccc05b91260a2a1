"""Leases: every slot (an agent, a channel, a number) is held until an instant, so that lost events can't leak it.

A number is held by the call that shows it and a channel by the call that is on it; both end with the call.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from outdial_contracts.events import AgentAvailability
from pacer.domain.agents import Agent, Duty, end_call, release
from pacer.domain.state import Call, Done, Offer, TeamState

AGENT_LEASE_SECONDS = 10.0
"""An assigned agent whose call is never bridged."""
UNHEARD_SECONDS = 15.0
"""A call.dial of which nothing is heard so long after it expired was lost; a new owner catches up sooner."""
RINGING_MARGIN_SECONDS = 40.0
"""Longest greeting, verdict, assignment and message, over the ring time."""
MAX_CALL_SECONDS = 7200.0
GATEWAY_GONE_SECONDS = 15.0
"""A gateway that has not spoken for so long lives no more; what was on it is free."""
LISTED_AFTER_SECONDS = 10.0
"""So long after dialing a live call stands in its gateway's list."""
DONE_SECONDS = 120.0
"""An attempt that is over is remembered at least so long."""
UNANSWERED_GRACE_SECONDS = 35.0
"""lead-router's 30 s (its domain/offering.py), and clearances that end on whole seconds."""


def held(state: TeamState) -> dict[str, int]:
    """Leases that are on, by kind."""
    return {
        "agents": sum(agent.duty in (Duty.RESERVED, Duty.TALKING) for agent in state.agents.values()),
        "channels": len(state.calls),
        "numbers": len({call.caller_id for call in state.calls.values()}),
    }


def counts_until(cleared_at: datetime, expires_at: datetime) -> datetime:
    """A clearance that comes later is not counted: lead-router has replaced its offer as unanswered.

    So long, its first arrival is counted and the attempt is remembered, that a repeat is not.
    """
    return expires_at + (expires_at - cleared_at) + timedelta(seconds=UNANSWERED_GRACE_SECONDS)


def over(state: TeamState, offer: Offer, now: datetime, *, human: bool = False) -> None:
    """Remembers an attempt that is over, while its clearance may come again and longer."""
    least = now + timedelta(seconds=DONE_SECONDS)
    state.done[offer.attempt_id] = Done(until=max(least, counts_until(offer.cleared_at, offer.expires_at)), human=human)


def extend(call: Call, seconds: float, now: datetime) -> None:
    """The call lives: its channel is held at least so long from now."""
    call.lease_until = max(call.lease_until, now + timedelta(seconds=seconds))


def expire(state: TeamState, now: datetime) -> bool:
    """Ends all that is past its time; returns whether anything was."""
    silent_since = now - timedelta(seconds=GATEWAY_GONE_SECONDS)
    gone = [g for g in state.gateways.values() if g.heard_at is not None and g.heard_at < silent_since]
    for gateway in gone:
        del state.gateways[gateway.gateway_id]
        free_boot(state, gateway.gateway_id, gateway.boot_id, now)
    late = [call for call in state.calls.values() if call.lease_until < now]
    for call in late:
        drop_call(state, call, now)
    lapsed = [offer for offer in state.offers.values() if offer.expires_at <= now]
    for offer in lapsed:
        del state.offers[offer.attempt_id]
        over(state, offer, now)
    # Every agent is asked; any() over a generator would stop at the first.
    agents = [_expire_agent(agent, now) for agent in state.agents.values()]
    return bool(gone or late or lapsed or any(agents))


def drop_call(state: TeamState, call: Call, now: datetime) -> None:
    """A call is over as far as we can know: its channel, number and agent are free."""
    attempt_id = call.offer.attempt_id
    del state.calls[attempt_id]
    over(state, call.offer, now, human=call.human)
    for agent in state.agents.values():
        if agent.attempt_id == attempt_id:
            let_go(agent, now)


def let_go(agent: Agent, now: datetime) -> None:
    """His lease ends: an agent who was given the call must wrap up, one who was only reserved is free."""
    if agent.duty is Duty.RESERVED and not agent.claimed:
        release(agent, now)
    elif agent.duty in (Duty.RESERVED, Duty.TALKING):
        end_call(agent, now, now)


def free_boot(
    state: TeamState, gateway_id: str, boot_id: str, now: datetime, alive: frozenset[str] = frozenset()
) -> None:
    """That boot of a gateway lives no more: neither do its legs, nor its calls but those in `alive`."""
    for call in [c for c in state.calls.values() if (c.gateway_id, c.boot_id) == (gateway_id, boot_id)]:
        if call.offer.attempt_id not in alive:
            drop_call(state, call, now)
    for agent in state.agents.values():
        if (agent.gateway_id, agent.boot_id) == (gateway_id, boot_id):
            agent.leg_id = agent.gateway_id = None


def prune(state: TeamState, now: datetime) -> None:
    """Forgets attempts that ended long ago; called within a fold that changes something anyway.

    One that must be remembered for long keeps those that ended after it.
    """
    while state.done:
        oldest = next(iter(state.done))
        if state.done[oldest].until > now:
            return
        del state.done[oldest]


def _expire_agent(agent: Agent, now: datetime) -> bool:
    changed = False
    if agent.lease_until is not None and agent.lease_until < now:
        let_go(agent, now)
        changed = True
    if agent.signed_in and agent.valid_until is not None and agent.valid_until <= now:
        agent.availability = AgentAvailability.OFFLINE
        changed = True
    return changed
