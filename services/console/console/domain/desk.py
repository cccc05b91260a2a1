"""An agent's desk: what he says of himself, the call he has, and what his screen is told.

From the moment a call is assigned until he has wrapped it up he counts as in wrap-up, whatever he says, so that a
heartbeat on its way cannot free him for the next call (architecture.md, Agents). Only a call that was never bridged
needs no wrap-up: he is free again once it is over. Events come in any order and twice; a lease is taken up once.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from outdial_contracts.events import AgentAvailability

KEPT_EVENTS = 200
KEPT_LEASES = 50
UNBRIDGED_SECONDS = 10.0
"""A bridge follows its assignment within tenths of a second; after this it won't come any more."""


@dataclass(frozen=True, kw_only=True)
class ScreenEvent:
    """One thing that the screen is told; seq grows, also over a restart of the console."""

    seq: int
    type: str
    attempt_id: str | None
    campaign_id: str | None
    at: datetime


@dataclass(kw_only=True)
class CallInHand:
    """The call that he has, or must wrap up."""

    attempt_id: str
    campaign_id: str
    assigned_at: datetime
    bridged: bool = False
    over: bool = False


@dataclass(kw_only=True)
class Desk:
    """One agent."""

    agent_id: str
    team_id: str
    campaign_ids: tuple[str, ...]
    said: AgentAvailability = AgentAvailability.PAUSED
    reason: str | None = None
    call: CallInHand | None = None
    leases: list[str] = field(default_factory=list)
    """Assignments seen, the newest last."""
    leg_id: str | None = None
    gateway_address: str | None = None
    events: list[ScreenEvent] = field(default_factory=list)

    @property
    def availability(self) -> AgentAvailability:
        """What the pacer is told."""
        if self.call is not None and self.said is not AgentAvailability.OFFLINE:
            return AgentAvailability.WRAPUP
        return self.said

    @property
    def lease_seen(self) -> str | None:
        """The newest assignment that the screen showed."""
        return self.leases[-1] if self.leases else None

    def says(self, said: AgentAvailability, reason: str | None, now: datetime) -> None:
        """His own word, repeated every few seconds."""
        self.said, self.reason = said, reason
        waited = now - self.call.assigned_at if self.call is not None else timedelta()
        if self.call is not None and not self.call.bridged and waited > timedelta(seconds=UNBRIDGED_SECONDS):
            self.call = None

    def assigned(self, attempt_id: str, campaign_id: str, lease_id: str, at: datetime) -> bool:
        """The pacer gave him a call. False for a lease seen before: a repeat must not take him again."""
        if lease_id in self.leases:
            return False
        self.leases = [*self.leases, lease_id][-KEPT_LEASES:]
        self.call = CallInHand(attempt_id=attempt_id, campaign_id=campaign_id, assigned_at=at)
        self._tell("assigned", at, self.call)
        return True

    def bridged(self, attempt_id: str, at: datetime) -> None:
        """He hears the person: from now on a wrap-up is due."""
        call = self._in_hand(attempt_id)
        if call is not None and not call.bridged:
            call.bridged = True
            self._tell("bridged", at, call)

    def call_ended(self, attempt_id: str, at: datetime) -> None:
        """His call is over; a bridged one is left to wrap up."""
        call = self._in_hand(attempt_id)
        if call is None or call.over:
            return
        call.over = True
        self._tell("call_ended", at, call)
        if not call.bridged:
            self.call = None

    def wrapped_up(self, attempt_id: str) -> None:
        """He said what it was."""
        if self._in_hand(attempt_id) is not None:
            self.call = None

    def leg_changed(self, leg_id: str, gateway_address: str, up: bool, at: datetime) -> None:
        """His phone's leg came up or went down. A call does not survive its leg, so it is over for him."""
        if up and leg_id != self.leg_id:
            self._lost_leg(at)
            self.leg_id = leg_id
            self._tell("leg_up", at)
        elif not up and leg_id == self.leg_id:
            self._lost_leg(at)
            self._tell("leg_down", at)
        if up:
            self.gateway_address = gateway_address

    def after(self, seq: int) -> list[ScreenEvent]:
        """Events newer than `seq`."""
        return [event for event in self.events if event.seq > seq]

    def _in_hand(self, attempt_id: str) -> CallInHand | None:
        return self.call if self.call is not None and self.call.attempt_id == attempt_id else None

    def _lost_leg(self, at: datetime) -> None:
        if self.leg_id is not None and self.call is not None:
            self.call_ended(self.call.attempt_id, at)
        self.leg_id = self.gateway_address = None

    def _tell(self, kind: str, at: datetime, call: CallInHand | None = None) -> None:
        seq = int(at.timestamp() * 1_000_000)
        if self.events:
            seq = max(seq, self.events[-1].seq + 1)
        attempt_id, campaign_id = (call.attempt_id, call.campaign_id) if call is not None else (None, None)
        self.events.append(ScreenEvent(seq=seq, type=kind, attempt_id=attempt_id, campaign_id=campaign_id, at=at))
        del self.events[:-KEPT_EVENTS]
