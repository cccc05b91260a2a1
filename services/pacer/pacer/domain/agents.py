"""An agent as the pacer sees him: what the console says, where his leg is, and the duty that follows from calls.

The console says offline, paused, available or wrap-up; reserved and talking are the pacer's to derive. After a call an
agent is free only once his console says AVAILABLE having seen that very assignment, or well after the call ended.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from outdial_contracts.events import AgentAvailability, AgentLeg, AgentState

UNCONFIRMED_SECONDS = 10.0
"""An AVAILABLE that has not seen the last assignment counts only so long after the call ended."""


class Duty(StrEnum):
    """What calls make of an agent."""

    IDLE = "IDLE"
    RESERVED = "RESERVED"
    TALKING = "TALKING"
    AFTER_CALL = "AFTER_CALL"


class DutyEvent(StrEnum):
    """What happens to an agent's duty."""

    RESERVE = "RESERVE"
    BRIDGE = "BRIDGE"
    END = "END"
    RELEASE = "RELEASE"
    CONFIRM = "CONFIRM"


DUTIES: dict[tuple[Duty, DutyEvent], Duty] = {
    (Duty.IDLE, DutyEvent.RESERVE): Duty.RESERVED,
    (Duty.IDLE, DutyEvent.BRIDGE): Duty.TALKING,  # given by an owner whose record was void
    (Duty.RESERVED, DutyEvent.BRIDGE): Duty.TALKING,
    (Duty.RESERVED, DutyEvent.END): Duty.AFTER_CALL,
    (Duty.RESERVED, DutyEvent.RELEASE): Duty.IDLE,
    (Duty.TALKING, DutyEvent.BRIDGE): Duty.TALKING,
    (Duty.TALKING, DutyEvent.END): Duty.AFTER_CALL,
    (Duty.AFTER_CALL, DutyEvent.END): Duty.AFTER_CALL,
    (Duty.AFTER_CALL, DutyEvent.CONFIRM): Duty.IDLE,
}


class IllegalDuty(Exception):
    """No such transition; names state and event."""


def next_duty(duty: Duty, event: DutyEvent) -> Duty:
    """The duty after the event. Raises IllegalDuty for a cell that is absent."""
    try:
        return DUTIES[duty, event]
    except KeyError:
        raise IllegalDuty(f"agent {duty}: no transition on {event}") from None


@dataclass(kw_only=True)
class Agent:
    """One agent of a team."""

    agent_id: str
    availability: AgentAvailability = AgentAvailability.UNKNOWN
    valid_until: datetime | None = None
    said_at: datetime | None = None
    last_assignment_seen: str | None = None
    campaign_ids: tuple[str, ...] = field(default_factory=tuple)
    """Campaigns he takes; empty for all of the team."""
    leg_id: str | None = None
    """His audio leg while it is up."""
    gateway_id: str | None = None
    gateway_address: str = ""
    boot_id: str = ""
    leg_at: datetime | None = None
    duty: Duty = Duty.IDLE
    duty_since: datetime | None = None
    attempt_id: str | None = None
    lease_id: str | None = None
    """Lease of the assignment that is on, or of the last one until it is confirmed."""
    lease_until: datetime | None = None
    claimed: bool = False
    """His leg was given to the attempt."""
    ended_at: datetime | None = None
    """End of the call he has not yet wrapped up."""
    idle_since: datetime | None = None

    @property
    def signed_in(self) -> bool:
        """Said to be at work, paused or not."""
        return self.availability in (AgentAvailability.AVAILABLE, AgentAvailability.WRAPUP, AgentAvailability.PAUSED)

    @property
    def on_duty(self) -> bool:
        """Signed in and not paused; who has a call is on duty whatever is said."""
        return self.duty in (Duty.RESERVED, Duty.TALKING) or (
            self.signed_in and self.availability is not AgentAvailability.PAUSED
        )

    @property
    def busy(self) -> bool:
        """Talking or wrapping up."""
        wrapping = self.duty is Duty.AFTER_CALL or (
            self.duty is Duty.IDLE and self.availability is AgentAvailability.WRAPUP
        )
        return self.duty is Duty.TALKING or (wrapping and self.signed_in)

    def takes(self, campaign_id: str) -> bool:
        """Whether he serves the campaign."""
        return not self.campaign_ids or campaign_id in self.campaign_ids

    def free(self, now: datetime) -> bool:
        """Assignable: idle, available by a word that is still valid, leg up."""
        return (
            self.duty is Duty.IDLE
            and self.availability is AgentAvailability.AVAILABLE
            and self.valid_until is not None
            and self.valid_until > now
            and self.leg_id is not None
            and not self._spoke_before_the_end()
        )

    def _spoke_before_the_end(self) -> bool:
        """His word is late: he gave it before the call ended that he has yet to wrap up."""
        if self.ended_at is None or self.said_at is None or self.last_assignment_seen == self.lease_id:
            return False
        return self.said_at <= self.ended_at

    def shown(self) -> str:
        """His state for people: offline, paused, available, no_leg, reserved, talking, wrapup."""
        if self.duty is Duty.RESERVED or self.duty is Duty.TALKING:
            return self.duty.lower()
        if not self.signed_in:
            return "offline"
        if self.availability is AgentAvailability.PAUSED:
            return "paused"
        if self.busy:
            return "wrapup"
        return "available" if self.leg_id is not None else "no_leg"


def move(agent: Agent, event: DutyEvent, now: datetime) -> None:
    """Changes the duty by the table and notes since when."""
    duty = next_duty(agent.duty, event)
    if duty is not agent.duty:
        agent.duty, agent.duty_since = duty, now
        if duty is Duty.IDLE:
            agent.idle_since = now


def reserve(agent: Agent, attempt_id: str, lease_id: str, until: datetime, now: datetime) -> None:
    """Gives an idle agent to an attempt until the lease ends."""
    move(agent, DutyEvent.RESERVE, now)
    agent.attempt_id, agent.lease_id, agent.lease_until, agent.claimed = attempt_id, lease_id, until, False
    agent.ended_at = None


def release(agent: Agent, now: datetime) -> None:
    """The reservation came to nothing; he was never given a call."""
    move(agent, DutyEvent.RELEASE, now)
    agent.attempt_id = agent.lease_id = agent.lease_until = None


def end_call(agent: Agent, ended_at: datetime, now: datetime) -> None:
    """His call is over; he is free once he says so, perhaps he already has."""
    move(agent, DutyEvent.END, now)
    agent.attempt_id, agent.lease_until, agent.claimed, agent.ended_at = None, None, False, ended_at
    settle(agent, now)


def settle(agent: Agent, now: datetime) -> None:
    """Frees an agent after a call if what he said confirms it."""
    if agent.duty is not Duty.AFTER_CALL:
        return
    if agent.availability is AgentAvailability.OFFLINE:
        move(agent, DutyEvent.CONFIRM, now)  # a word from before the call's end may still be under way
    elif _confirms(agent):
        move(agent, DutyEvent.CONFIRM, now)
        agent.lease_id = agent.ended_at = None


def said(agent: Agent, event: AgentState, now: datetime) -> bool:
    """Takes over what the console says; an older word than the last changes nothing."""
    if agent.said_at is not None and event.at < agent.said_at:
        return False
    was_free = agent.availability is AgentAvailability.AVAILABLE
    agent.availability, agent.valid_until, agent.said_at = event.availability, event.valid_until, event.at
    agent.campaign_ids, agent.last_assignment_seen = event.campaign_ids, event.last_assignment_seen
    if agent.availability is AgentAvailability.AVAILABLE and not was_free:
        agent.idle_since = now
    settle(agent, now)
    return True


def leg_changed(agent: Agent, event: AgentLeg) -> bool:
    """Takes over where his leg is; returns False when it is no news."""
    if agent.leg_at is not None and event.at < agent.leg_at:
        return False
    if not event.up:
        if agent.leg_id != event.leg_id:
            return False
        agent.leg_id = agent.gateway_id = None
        agent.leg_at = event.at
        return True
    if (agent.leg_id, agent.boot_id) == (event.leg_id, event.boot_id):
        return False
    agent.leg_id, agent.gateway_id, agent.boot_id = event.leg_id, event.gateway_id, event.boot_id
    agent.gateway_address, agent.leg_at = event.gateway_address, event.at
    return True


def _confirms(agent: Agent) -> bool:
    if agent.availability is not AgentAvailability.AVAILABLE or agent.said_at is None or agent.ended_at is None:
        return False
    seen = agent.lease_id is not None and agent.last_assignment_seen == agent.lease_id
    return seen or agent.said_at > agent.ended_at + timedelta(seconds=UNCONFIRMED_SECONDS)
