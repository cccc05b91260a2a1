"""What the gateway's handlers need from the world."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol, TypeVar

from media_gateway.detection.batch import Listener
from media_gateway.domain.admission import Claims
from media_gateway.rtp.g711 import Frame
from media_gateway.rtp.stream import ReceiveReport
from media_gateway.sip.events import CallEvent
from media_gateway.sip.sdp import PAYLOAD_TYPES, SessionDescription
from outdial_contracts.events import CallDial, Trunk

V = TypeVar("V")


@dataclass(frozen=True, kw_only=True)
class Granted:
    """The gate redeemed: INVITE while the monotonic clock is below the deadline."""

    e164: str = field(repr=False)
    deadline_seconds: float
    """Monotonic; counted from before Redeem was sent."""


@dataclass(frozen=True)
class NotGranted:
    """Refused, or redeemed by somebody else: nothing is dialled and nothing is said (the gate says it)."""


@dataclass(frozen=True)
class Unreachable:
    """The gate gave no answer in time: unreachable gate, no call."""


class Gate(Protocol):
    """compliance-gate, for the last look and for a keypress opt-out."""

    async def redeem(self, dial: CallDial, leg_no: int) -> Granted | NotGranted | Unreachable:
        """Redeems the clearance with a fresh nonce, within the grant's time."""

    async def suppress(self, dial: CallDial, requested_at: datetime) -> None:
        """A callee pressed the opt-out key; returns once it is in force."""


@dataclass(frozen=True, kw_only=True)
class AssignedAgent:
    """The pacer's choice."""

    agent_id: str
    leg_id: str
    gateway_id: str
    gateway_address: str
    epoch: int
    lease_id: str


class AgentRouter(Protocol):
    """pacer: which agent takes this person."""

    async def assign(
        self, dial: CallDial, address: str, greeting_ended_at: datetime, within_seconds: float
    ) -> AssignedAgent | None:
        """The agent, or None when there is none now or the pacer did not answer in time."""


class Clearances(Protocol):
    """Reads the signed clearance."""

    def claims(self, token: str) -> Claims | None:
        """The claims, or None for a token that the gate did not sign for us."""


class NoMediaLeg(Exception):
    """No media port is left, or none could be bound."""


class MediaLeg(Protocol):
    """One RTP leg."""

    on_frame: Callable[..., None] | None
    on_digit: Callable[..., None] | None
    local_host: str
    local_port: int
    closed: bool

    @property
    def heard_at(self) -> float | None: ...

    def set_remote(self, host: str, port: int, payload_type: int, telephone_event_type: int | None = None) -> None: ...
    def play(self, frames: Iterable[Frame | bytes]) -> asyncio.Future[bool]:
        """Plays a prompt; True when it ended, False when it was cut."""

    def stop_playing(self) -> None: ...
    def stats(self) -> LegStats: ...
    def close(self) -> None: ...


class LegStats(Protocol):
    """One leg's figures since it was opened."""

    @property
    def sent(self) -> int: ...
    @property
    def received(self) -> ReceiveReport: ...


class Media(Protocol):
    """The media plane."""

    async def open_leg(self) -> MediaLeg:
        """A leg on a port of its own. Raises NoMediaLeg."""

    def listen(self, leg: MediaLeg, listener: Listener[V], on_verdict: Callable[[V], None]) -> None:
        """Gives every frame of the leg to the listener until the leg's `on_frame` is taken away."""

    def bridge(self, one: MediaLeg, other: MediaLeg) -> None: ...
    def unbridge(self, leg: MediaLeg) -> None: ...
    def prompt(self, name: str) -> list[Frame] | None:
        """The frames of a prompt file, None when there is none of that name."""


class TrunkCall(Protocol):
    """A call placed on a trunk, or an agent's leg."""

    def hang_up(self) -> None:
        """CANCEL before the answer (after a provisional), BYE after it. Twice is harmless."""


class Trunks(Protocol):
    """SIP towards the carriers."""

    def place(
        self,
        *,
        call_id: str,
        trunk: Trunk,
        number: str,
        caller_id: str,
        traceparent: str,
        leg: MediaLeg,
        on_event: Callable[[CallEvent], None],
    ) -> TrunkCall:
        """Sends the INVITE now. Raises OSError when the socket refused it: nobody was called."""


class Phones(Protocol):
    """SIP towards agents' phones."""

    def accept(self, call_id: str, leg: MediaLeg, on_event: Callable[[CallEvent], None]) -> TrunkCall:
        """Answers a phone. Raises LocalProtocolError: it went away meanwhile."""

    def refuse(self, call_id: str, status: int) -> None: ...


def remote_of(sdp: SessionDescription) -> tuple[str, int, int, int | None]:
    """Host, port, payload type and telephone-event type that the peer's description asks us to send to."""
    return sdp.address, sdp.port, PAYLOAD_TYPES[sdp.codecs[0]], sdp.dtmf_payload_type
