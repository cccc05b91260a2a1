"""Agents' phones: nailed-up calls into a gateway, both ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from media_gateway.detection.early import EarlyVerdict
from media_gateway.detection.greeting import Verdict
from media_gateway.ports import MediaLeg
from media_gateway.sip.call_table import INCOMING_TABLE, IncomingAction, IncomingInput, IncomingState, look_up
from media_gateway.sip.errors import LocalProtocolError
from media_gateway.sip.events import (
    CallEvent,
    CallTimes,
    Connected,
    Ended,
    EndedBy,
    EndReason,
    IncomingCall,
)
from outdial_world.ports.air import Air, Wire, description

TIMEOUT_SECONDS = 32.0
"""64 * T1: a 200 whose ACK never comes."""
DIAL_PATIENCE_SECONDS = 8.0
CHECK_PATIENCE_SECONDS = 5.0
"""A phone asks every two seconds whether the gateway still knows the call, and waits four for the answer."""
PHONE_LATENCY_SECONDS = 0.01
GONE = 481


class PhoneEnd:
    """The gateway's end of an agent's call; implements media_gateway.ports.TrunkCall."""

    def __init__(self, call_id: str, handset: Handset, wire: Wire) -> None:
        self.call_id = call_id
        self.state = IncomingState.OFFERED
        self.dead = False
        self.on_event: Callable[[CallEvent], None] = lambda event: None
        self._handset, self._wire = handset, wire
        self._times = CallTimes()
        self._ack_timeout: asyncio.TimerHandle | None = None

    @property
    def live(self) -> bool:
        """The gateway still knows the call."""
        return self.state is not IncomingState.ENDED and not self.dead

    def hang_up(self) -> None:
        """BYE, after the ACK; harmless when it is over."""
        self.fire(IncomingInput.LOCAL_END)

    def accept(self, leg: MediaLeg) -> None:
        """200. Raises LocalProtocolError: it is not waiting for an answer (any more)."""
        self.fire(IncomingInput.ACCEPT)
        self._ack_timeout = asyncio.get_running_loop().call_later(
            TIMEOUT_SECONDS, lambda: self.fire(IncomingInput.ACK_TIMEOUT)
        )
        ear = leg.local_host, leg.local_port
        self._wire.send(lambda: self._handset.answered(self, ear))

    def decline(self, status: int) -> None:
        """Refuses; harmless when it is gone."""
        if self.state is IncomingState.OFFERED:
            self.fire(IncomingInput.LOCAL_END)
            self._wire.send(lambda: self._handset.refused(self, status))

    def fire(self, event: IncomingInput) -> None:
        """Something happens to the call. Raises LocalProtocolError when it cannot."""
        if self.dead:
            return
        self.state, actions = look_up(INCOMING_TABLE, self.state, event)
        now = asyncio.get_running_loop().time()
        for action in actions:
            if action is IncomingAction.CONNECTED:
                self._disarm()
                self._times = replace(self._times, ack=now)
                self.on_event(Connected(call_id=self.call_id, sdp=None, times=self._times))
            elif action is IncomingAction.BYE:
                self._wire.send(lambda: self._handset.byed(self))
                self.state = look_up(INCOMING_TABLE, self.state, IncomingInput.BYE_DONE)[0]
            if action in _ENDS:
                self._disarm()
                by, reason = _ENDS[action]
                times = replace(self._times, end=now)
                self.on_event(Ended(call_id=self.call_id, by=by, reason=reason, times=times))

    def die(self) -> None:
        """The gateway is gone."""
        self.dead = True
        self._disarm()

    def _disarm(self) -> None:
        if self._ack_timeout is not None:
            self._ack_timeout.cancel()
            self._ack_timeout = None


_ENDS = {
    IncomingAction.TERMINATE: (EndedBy.REMOTE, EndReason.WITHDRAWN),
    IncomingAction.DECLINE: (EndedBy.LOCAL, EndReason.DECLINED),
    IncomingAction.ENDED_HUNG_UP: (EndedBy.LOCAL, EndReason.HUNG_UP),
    IncomingAction.ENDED_REMOTE: (EndedBy.REMOTE, EndReason.HUNG_UP),
    IncomingAction.ENDED_UNACKNOWLEDGED: (EndedBy.NOBODY, EndReason.ACK_TIMEOUT),
}


class WorldPhones:
    """Implements media_gateway.ports.Phones for one boot of a gateway; `on_call` is told of every phone that calls."""

    def __init__(self, on_call: Callable[[IncomingCall], None]) -> None:
        self._on_call = on_call
        self._calls: dict[str, PhoneEnd] = {}
        self.dead = False

    def accept(self, call_id: str, leg: MediaLeg, on_event: Callable[[CallEvent], None]) -> PhoneEnd:
        """Answers a phone. Raises LocalProtocolError: it went away meanwhile."""
        call = self._calls.get(call_id)
        if call is None or call.state is not IncomingState.OFFERED or self.dead:
            raise LocalProtocolError("no phone with an offer of media waits under this Call-ID")
        call.on_event = on_event
        call.accept(leg)
        return call

    def refuse(self, call_id: str, status: int) -> None:
        """Refuses the call; harmless when it is gone."""
        call = self._calls.get(call_id)
        if call is not None:
            call.decline(status)

    def offered(self, call: PhoneEnd, incoming: IncomingCall) -> None:
        """A phone's INVITE arrives; its password was right."""
        if self.dead:
            return
        self._calls = {call_id: known for call_id, known in self._calls.items() if known.live}
        self._calls[call.call_id] = call
        self._on_call(incoming)

    def die(self) -> None:
        """The gateway is gone; phones notice when they ask."""
        self.dead = True
        for call in self._calls.values():
            call.die()


class Handset:
    """An agent's phone, and the agent's voice. `on_leg(up, reason)`: `refused:480`, `timeout`, `bye`, `hung_up`."""

    def __init__(self, air: Air, username: str, on_leg: Callable[[bool, str], None]) -> None:
        self.username, self.up = username, False
        self._air, self._on_leg = air, on_leg
        self._loop = asyncio.get_running_loop()
        self._address = air.address()
        self._call: PhoneEnd | None = None
        self._to_gateway: Wire | None = None
        self._dials = 0
        self._spoke_at: float | None = None
        self._powered = True
        self._waiting: asyncio.TimerHandle | None = None

    def dial(self, phones: WorldPhones, *, with_sound: bool = True) -> str:
        """Calls a gateway; gives up the call in hand, if any. Returns the Call-ID."""
        self.hang_up()
        self._dials += 1
        there, back = Wire(PHONE_LATENCY_SECONDS), Wire(PHONE_LATENCY_SECONDS)
        call = PhoneEnd(f"{self.username}.{self._dials}@phone", self, back)
        self._call, self._to_gateway = call, there
        incoming = IncomingCall(
            call_id=call.call_id,
            username=self.username,
            called="agents",
            sdp=description(self._address) if with_sound else None,
            source=self._address,
        )
        there.send(lambda: phones.offered(call, incoming))
        self._wait(DIAL_PATIENCE_SECONDS, lambda: self._down(call, "timeout"))
        return call.call_id

    def hang_up(self) -> None:
        """BYE, or CANCEL before the answer."""
        call, wire = self._call, self._to_gateway
        if call is None or wire is None:
            return
        event = IncomingInput.REMOTE_BYE if self.up else IncomingInput.CANCEL
        wire.send(lambda: call.fire(event))
        self._down(call, "hung_up")

    def vanish(self) -> None:
        """Power cut: no BYE, no sound."""
        self._powered = self.up = False
        self._unwait()
        self._air.speakers.pop(self._address, None)
        self._call = None

    # from the gateway

    def answered(self, call: PhoneEnd, ear: tuple[str, int]) -> None:
        """Its 200 arrives: ACK, and sound from now on."""
        wire = self._to_gateway
        if wire is None or not self._powered:
            return
        wire.send(lambda: call.fire(IncomingInput.ACK))
        if call is not self._call:
            wire.send(lambda: call.fire(IncomingInput.REMOTE_BYE))
            return
        self.up = True
        self._air.speakers[self._address] = self
        self._spoke_at = self._loop.time()
        self._wait(CHECK_PATIENCE_SECONDS, self._check)
        self._on_leg(True, "")

    def refused(self, call: PhoneEnd, status: int) -> None:
        """Its refusal arrives."""
        self._down(call, f"refused:{status}")

    def byed(self, call: PhoneEnd) -> None:
        """Its BYE arrives."""
        self._down(call, "bye")

    # air.Speaker

    def early_verdicts(self) -> tuple[EarlyVerdict, ...]:
        return ()

    def verdict(self) -> Verdict | None:
        return None

    def spoke_at(self) -> float | None:
        """A phone sends at least one packet a second."""
        return self._loop.time() if self.up else self._spoke_at

    def hears(self) -> None:
        """The agent hears the callee."""

    def _check(self) -> None:
        call = self._call
        if call is None:
            return
        if call.live:
            self._wait(CHECK_PATIENCE_SECONDS, self._check)
        else:
            self._down(call, "timeout" if call.dead else str(GONE))

    def _down(self, call: PhoneEnd, reason: str) -> None:
        if call is not self._call:
            return
        self._call, self.up = None, False
        self._unwait()
        self._air.speakers.pop(self._address, None)
        self._on_leg(False, reason)

    def _wait(self, seconds: float, what: Callable[[], None]) -> None:
        self._unwait()
        self._waiting = self._loop.call_later(seconds, what)

    def _unwait(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
