"""An agent's desk: what he says of himself, the call he has, and what his screen is told.

From the moment a call is assigned until he has wrapped it up he counts as in wrap-up, whatever he says, so that a
heartbeat on its way cannot free him for the next call (architecture.md, Agents).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime

from outdial_contracts.events import AgentAvailability

KEPT_EVENTS = 200


@dataclass(frozen=True, kw_only=True)
class ScreenEvent:
    """One thing that the screen is told; seq grows, also over a restart of the console."""

    seq: int
    type: str
    attempt_id: str | None
    campaign_id: str | None
    at: datetime


@dataclass(kw_only=True)
class Desk:
    """One agent."""

    agent_id: str
    team_id: str
    campaign_ids: tuple[str, ...]
    said: AgentAvailability = AgentAvailability.PAUSED
    reason: str | None = None
    attempt_id: str | None = None
    """The call that he has or must wrap up."""
    campaign_id: str | None = None
    lease_seen: str | None = None
    leg_id: str | None = None
    gateway_address: str | None = None
    events: list[ScreenEvent] = field(default_factory=list)

    @property
    def availability(self) -> AgentAvailability:
        """What the pacer is told."""
        if self.attempt_id is not None and self.said is not AgentAvailability.OFFLINE:
            return AgentAvailability.WRAPUP
        return self.said

    def tell(self, kind: str, at: datetime, attempt_id: str | None = None, campaign_id: str | None = None) -> None:
        """Adds to the screen's events."""
        seq = int(at.timestamp() * 1_000_000)
        if self.events:
            seq = max(seq, self.events[-1].seq + 1)
        self.events.append(ScreenEvent(seq=seq, type=kind, attempt_id=attempt_id, campaign_id=campaign_id, at=at))
        del self.events[:-KEPT_EVENTS]

    def assigned(self, attempt_id: str, campaign_id: str, lease_id: str, at: datetime) -> None:
        """The pacer gave him a call."""
        self.attempt_id, self.campaign_id, self.lease_seen = attempt_id, campaign_id, lease_id
        self.tell("assigned", at, attempt_id, campaign_id)

    def call_ended(self, attempt_id: str, at: datetime) -> None:
        """His call is over; wrap-up is left."""
        if attempt_id == self.attempt_id:
            self.tell("call_ended", at, attempt_id, self.campaign_id)

    def wrapped_up(self, attempt_id: str) -> None:
        """He said what it was."""
        if attempt_id == self.attempt_id:
            self.attempt_id = self.campaign_id = None

    def leg_changed(self, leg_id: str, gateway_address: str, up: bool, at: datetime) -> None:
        """His phone's leg came up or went down. A call does not survive its leg, so it is over for him."""
        if up and leg_id != self.leg_id:
            self._lost_call(at)
            self.leg_id, self.gateway_address = leg_id, gateway_address
            self.tell("leg_up", at)
        elif not up and leg_id == self.leg_id:
            self._lost_call(at)
            self.leg_id = self.gateway_address = None
            self.tell("leg_down", at)

    def _lost_call(self, at: datetime) -> None:
        if self.leg_id is not None and self.attempt_id is not None:
            self.tell("call_ended", at, self.attempt_id, self.campaign_id)

    def after(self, seq: int) -> list[ScreenEvent]:
        """Events newer than `seq`."""
        return [event for event in self.events if event.seq > seq]
