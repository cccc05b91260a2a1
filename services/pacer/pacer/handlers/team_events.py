"""Events keyed by team -> pacing.journal, then call.dial | pacing.demand | offer.returned | team.owner."""

from __future__ import annotations

from outdial_contracts.events import (
    AgentLeg,
    AgentState,
    CallAnswered,
    CallEnded,
    CallProgress,
    ClearanceClosed,
    ComplianceBlocked,
    ComplianceCleared,
    DialRefused,
    PacingSupply,
)
from outdial_runtime.outcome import Outcome, RetryLater
from outdial_runtime.service import Received
from pacer.domain.inputs import TeamEvent
from pacer.domain.step import Source
from pacer.handlers.taking import Taken, TeamInput, meet_team, take_event
from pacer.ports import Deps


async def on_compliance_cleared(message: Received[ComplianceCleared], deps: Deps) -> Outcome:
    """An offer to dial within seconds."""
    return _take(message, message.event, deps)


async def on_compliance_blocked(message: Received[ComplianceBlocked], deps: Deps) -> Outcome:
    """lead-router replaces it; the reasons answer "why is it not dialing?"."""
    return _take(message, message.event, deps)


async def on_clearance_closed(message: Received[ClearanceClosed], deps: Deps) -> Outcome:
    """Redeemed: the call lives. Refused or lapsed: its leases are free and another offer is asked for."""
    return _take(message, message.event, deps)


async def on_dial_refused(message: Received[DialRefused], deps: Deps) -> Outcome:
    """The gateway did not dial: the offer is tried again or given back."""
    return _take(message, message.event, deps)


async def on_call_progress(message: Received[CallProgress], deps: Deps) -> Outcome:
    """A call reached a stage."""
    return _take(message, message.event, deps)


async def on_call_answered(message: Received[CallAnswered], deps: Deps) -> Outcome:
    """The 200; what answered is not known yet."""
    return _take(message, message.event, deps)


async def on_call_ended(message: Received[CallEnded], deps: Deps) -> Outcome:
    """The call's leases are free."""
    return _take(message, message.event, deps)


async def on_agent_state(message: Received[AgentState], deps: Deps) -> Outcome:
    """What the console says of an agent."""
    return _take(message, message.event, deps)


async def on_agent_leg(message: Received[AgentLeg], deps: Deps) -> Outcome:
    """An agent's leg is up or down."""
    return _take(message, message.event, deps)


async def on_pacing_supply(message: Received[PacingSupply], deps: Deps) -> Outcome:
    """How far lead-router has met the demand, and why no further."""
    return _take(message, message.event, deps)


def _take(message: Received[TeamEvent], event: TeamEvent, deps: Deps) -> Outcome:
    partition = deps.owned.partitions.get(message.partition)
    if partition is None:
        return RetryLater("NOT_OWNED", after_seconds=0.2)
    taken = Taken()
    state = partition.teams.get(event.team_id) or meet_team(deps, partition, event.team_id, message.now, taken)
    source = Source(topic=message.topic, partition=message.partition, offset=message.offset)
    take_event(deps, partition, state, TeamInput(event=event, source=source, raw=message.raw), message.now, taken)
    return taken.outcome()
