"""A call between a gateway and the carrier, both ends, as messages without bytes.

The gateway's end runs the state table of the real SIP core (media_gateway.sip.call_table), so what may follow what is
the same; the carrier's end answers as RFC 3261 sections 9, 13 and 15 have it. There is no loss: repeats would heal it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from enum import StrEnum
from typing import Protocol

from media_gateway.sip.call_table import CALL_TABLE, CallAction, CallInput, CallState, look_up
from media_gateway.sip.events import Alerting, Answered, CallEvent, CallTimes, Ended, EndedBy, EndReason, Proceeding
from media_gateway.sip.sdp import SessionDescription
from outdial_world.ports.air import Wire

TIMEOUT_SECONDS = 32.0
"""64 * T1: timers B and H, and a CANCEL that nobody honours."""


class Trunkside(Protocol):
    """Who sits behind the carrier's end and decides what happens."""

    def cancelled(self, in_time: bool) -> None:
        """A CANCEL came; not in time once the call is answered, or where nobody honours it."""

    def confirmed(self) -> None:
        """The ACK to the answer came."""

    def over(self, by: str) -> None:
        """The call is over: `gateway`, `carrier` (a rejection), `callee` or `no_ack`."""


class GatewayEnd:
    """Implements media_gateway.ports.TrunkCall."""

    def __init__(self, call_id: str, on_event: Callable[[CallEvent], None], wire: Wire) -> None:
        self.call_id = call_id
        self.state = CallState.CALLING
        self.dead = False
        self.far: CarrierEnd | None = None
        self._on_event, self._wire = on_event, wire
        self._loop = asyncio.get_running_loop()
        self._times = CallTimes(invite=self._loop.time())
        self._last_alert: tuple[int, SessionDescription | None] | None = None
        self._timer: asyncio.TimerHandle | None = self._loop.call_later(TIMEOUT_SECONDS, self._no_response)

    @property
    def live(self) -> bool:
        """The Call-ID is in use."""
        return self.state is not CallState.ENDED

    def hang_up(self) -> None:
        """CANCEL, a CANCEL later, or BYE; harmless when it is over."""
        self._fire(CallInput.LOCAL_END)

    def die(self) -> None:
        """The gateway is gone: nothing is said and nothing is heard from here on."""
        self.dead = True
        self._disarm()

    def provisional(self, status: int, sdp: SessionDescription | None) -> None:
        """A 1xx arrives."""
        if self.state is CallState.CALLING:
            self._disarm()
        self._fire(CallInput.PROVISIONAL, status=status, sdp=sdp)

    def answer(self, sdp: SessionDescription) -> None:
        """The 200 arrives."""
        crossed = self.state in (CallState.CANCEL_WANTED, CallState.CANCELLING)
        self._disarm()
        if self.state is CallState.ENDED:  # a call that was given up: acknowledged and hung up at once
            self._send(CallAction.ACK)
            self._send(CallAction.BYE)
            return
        self._times = replace(self._times, answer=self._loop.time(), ack=self._loop.time())
        self._fire(CallInput.ANSWER, sdp=sdp, crossed=crossed)

    def reject(self, status: int, q850: int | None) -> None:
        """A final response of 3xx-6xx arrives."""
        self._disarm()
        self._fire(CallInput.REJECTION, status=status, q850=q850)

    def bye(self, q850: int | None) -> None:
        """The far end's BYE arrives."""
        self._fire(CallInput.REMOTE_BYE, q850=q850)

    def bye_done(self) -> None:
        """Our BYE is confirmed."""
        if self.state is CallState.ENDING:
            self._fire(CallInput.BYE_DONE)

    def _no_response(self) -> None:
        self._fire(CallInput.NO_RESPONSE)

    def _fire(
        self,
        event: CallInput,
        *,
        status: int = 0,
        q850: int | None = None,
        sdp: SessionDescription | None = None,
        crossed: bool = False,
    ) -> None:
        if self.dead:
            return
        self.state, actions = look_up(CALL_TABLE, self.state, event)
        for action in actions:
            if action is CallAction.NOTE:
                self._note(status, sdp)
            elif action is CallAction.ANSWERED and sdp is not None:
                self._tell(Answered(call_id=self.call_id, sdp=sdp, times=self._times, crossed_cancel=crossed))
            elif action is CallAction.REJECTED:
                cancelled = status == 487 and self._times.cancel is not None
                by, reason = (EndedBy.LOCAL, EndReason.CANCELLED) if cancelled else _REJECTED
                self._end(by, reason, status, q850)
            elif action is CallAction.ENDED_REMOTE:
                self._end(EndedBy.REMOTE, EndReason.HUNG_UP, 200, q850)
            elif action in _ENDS:
                self._end(*_ENDS[action])
            else:
                self._send(action)

    def _send(self, action: CallAction) -> None:
        far = self.far
        if far is None or self.dead:
            return
        if action is CallAction.CANCEL:
            self._times = replace(self._times, cancel=self._loop.time())
            self._timer = self._loop.call_later(TIMEOUT_SECONDS, self._give_up)
            self._wire.send(far.cancel)
        elif action is CallAction.ACK:
            self._wire.send(far.ack)
        elif action is CallAction.BYE:
            self._wire.send(far.bye)

    def _give_up(self) -> None:
        self._fire(CallInput.GIVE_UP)

    def _note(self, status: int, sdp: SessionDescription | None) -> None:
        if not 180 <= status <= 189:
            if self._times.trying is None:
                self._times = replace(self._times, trying=self._loop.time())
                self._tell(Proceeding(call_id=self.call_id, status=status))
        elif (status, sdp) != self._last_alert:
            self._last_alert = (status, sdp)
            self._tell(Alerting(call_id=self.call_id, status=status, sdp=sdp))

    def _end(self, by: EndedBy, reason: EndReason, status: int | None, q850: int | None = None) -> None:
        self._disarm()
        self._times = replace(self._times, end=self._loop.time())
        self._tell(Ended(call_id=self.call_id, by=by, reason=reason, status=status, q850=q850, times=self._times))

    def _tell(self, event: CallEvent) -> None:
        self._on_event(event)

    def _disarm(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


_REJECTED = (EndedBy.REMOTE, EndReason.REJECTED)
_ENDS: dict[CallAction, tuple[EndedBy, EndReason, int | None]] = {
    CallAction.FAILED: (EndedBy.NOBODY, EndReason.TIMER_B, None),
    CallAction.ENDED_HUNG_UP: (EndedBy.LOCAL, EndReason.HUNG_UP, 200),
    CallAction.ENDED_CROSSED: (EndedBy.LOCAL, EndReason.CROSSED, 200),
    CallAction.ENDED_GAVE_UP: (EndedBy.NOBODY, EndReason.CANCEL_UNANSWERED, None),
}


class FarState(StrEnum):
    """Where the call stands at the carrier."""

    ROUTING = "routing"
    ANSWERED = "answered"
    CONFIRMED = "confirmed"
    OVER = "over"


class CarrierEnd:
    """The called side; what it says reaches the gateway a moment later."""

    def __init__(self, near: GatewayEnd, wire: Wire, *, honours_cancel: bool = True) -> None:
        self.near = near
        self.state = FarState.ROUTING
        self.behind: Trunkside | None = None
        self._wire, self._honours_cancel = wire, honours_cancel
        self._wants_to_hang_up: tuple[int | None] | None = None
        self._no_ack: asyncio.TimerHandle | None = None

    def provisional(self, status: int, sdp: SessionDescription | None = None) -> None:
        """100, 180 or 183, the last perhaps with sound."""
        if self.state is FarState.ROUTING:
            self._wire.send(lambda: self.near.provisional(status, sdp))

    def answer(self, sdp: SessionDescription) -> None:
        """200."""
        if self.state is not FarState.ROUTING:
            return
        self.state = FarState.ANSWERED
        self._no_ack = asyncio.get_running_loop().call_later(TIMEOUT_SECONDS, self._never_confirmed)
        self._wire.send(lambda: self.near.answer(sdp))

    def reject(self, status: int, q850: int | None = None) -> None:
        """A final response other than 200."""
        if self.state is FarState.ROUTING:
            self._wire.send(lambda: self.near.reject(status, q850))
            self._over("carrier")

    def hang_up(self, q850: int | None = None) -> None:
        """BYE; before the ACK it waits for it (RFC 3261 section 15)."""
        if self.state is FarState.ANSWERED:
            self._wants_to_hang_up = (q850,)
        elif self.state is FarState.CONFIRMED:
            self._wire.send(lambda: self.near.bye(q850))
            self._over("callee")

    def cancel(self) -> None:
        """The gateway's CANCEL arrives: 487, unless the final response has left."""
        in_time = self._honours_cancel and self.state is FarState.ROUTING
        if self.behind is not None and self.state is not FarState.OVER:
            self.behind.cancelled(in_time)
        if in_time:
            self._wire.send(lambda: self.near.reject(487, None))
            self._over("gateway")

    def ack(self) -> None:
        """The gateway's ACK arrives."""
        if self.state is not FarState.ANSWERED:
            return
        self.state = FarState.CONFIRMED
        self._disarm()
        if self.behind is not None:
            self.behind.confirmed()
        if self._wants_to_hang_up is not None:
            self.hang_up(*self._wants_to_hang_up)

    def bye(self) -> None:
        """The gateway's BYE arrives."""
        self._wire.send(self.near.bye_done)
        if self.state is not FarState.OVER:
            self._over("gateway")

    def _never_confirmed(self) -> None:
        self._over("no_ack")

    def _over(self, by: str) -> None:
        self.state = FarState.OVER
        self._disarm()
        if self.behind is not None:
            self.behind.over(by)

    def _disarm(self) -> None:
        if self._no_ack is not None:
            self._no_ack.cancel()
            self._no_ack = None
