"""Server transactions: INVITE (RFC 3261 section 17.2.1 with RFC 6026) and everything else (section 17.2.2)."""

from enum import StrEnum

from media_gateway.sip.message import Request, Response
from media_gateway.sip.timers import Timing
from media_gateway.sip.transaction_core import Action, Failure, Step, Transaction


class InviteServerState(StrEnum):
    """RFC 3261 figure 7, with Accepted from RFC 6026 figure 2."""

    PROCEEDING = "proceeding"
    COMPLETED = "completed"
    CONFIRMED = "confirmed"
    ACCEPTED = "accepted"
    TERMINATED = "terminated"


class InviteServerEvent(StrEnum):
    """What an INVITE server transaction can meet."""

    REQUEST = "request"  # the INVITE again
    ACK = "ack"
    SEND_PROVISIONAL = "send_1xx"
    SEND_SUCCESS = "send_2xx"
    SEND_FAILURE = "send_3xx-6xx"
    TIMER_G = "timer_g"
    TIMER_H = "timer_h"
    TIMER_I = "timer_i"
    TIMER_L = "timer_l"


_S, _E, _A = InviteServerState, InviteServerEvent, Action
INVITE_SERVER_TABLE = {
    (_S.PROCEEDING, _E.REQUEST): (_S.PROCEEDING, (_A.SEND,)),
    (_S.PROCEEDING, _E.ACK): (_S.PROCEEDING, ()),  # nothing final was sent yet: a confused peer
    (_S.PROCEEDING, _E.SEND_PROVISIONAL): (_S.PROCEEDING, (_A.SEND,)),
    (_S.PROCEEDING, _E.SEND_SUCCESS): (_S.ACCEPTED, (_A.SEND,)),
    (_S.PROCEEDING, _E.SEND_FAILURE): (_S.COMPLETED, (_A.SEND,)),
    (_S.COMPLETED, _E.REQUEST): (_S.COMPLETED, (_A.SEND,)),
    (_S.COMPLETED, _E.ACK): (_S.CONFIRMED, ()),
    (_S.COMPLETED, _E.TIMER_G): (_S.COMPLETED, (_A.SEND, _A.BACK_OFF)),
    (_S.COMPLETED, _E.TIMER_H): (_S.TERMINATED, (_A.TIMED_OUT,)),
    (_S.CONFIRMED, _E.REQUEST): (_S.CONFIRMED, ()),
    (_S.CONFIRMED, _E.ACK): (_S.CONFIRMED, ()),
    (_S.CONFIRMED, _E.TIMER_I): (_S.TERMINATED, ()),
    # RFC 6026: the INVITE is absorbed here, and the 2xx is repeated by the call until its ACK.
    (_S.ACCEPTED, _E.REQUEST): (_S.ACCEPTED, ()),
    (_S.ACCEPTED, _E.ACK): (_S.ACCEPTED, ()),
    (_S.ACCEPTED, _E.SEND_SUCCESS): (_S.ACCEPTED, (_A.SEND,)),
    (_S.ACCEPTED, _E.TIMER_L): (_S.TERMINATED, ()),
}


class InviteServer(Transaction[InviteServerState, InviteServerEvent]):
    """One received INVITE: repeats its answer for the peer's repeats, and its refusal until the ACK."""

    table = INVITE_SERVER_TABLE
    failure = Failure.TIMER_H

    def __init__(self, request: Request, *, timing: Timing) -> None:
        super().__init__(state=InviteServerState.PROCEEDING, timing=timing)
        self.request = request
        self._wire: bytes | None = None
        self._retransmit_seconds = timing.t1_seconds

    def retransmitted(self, now: float) -> Step:
        """The same INVITE came again."""
        return self._fire(InviteServerEvent.REQUEST, now)

    def acked(self, now: float) -> Step:
        """The ACK to our refusal came."""
        return self._fire(InviteServerEvent.ACK, now)

    def respond(self, response: Response, now: float) -> Step:
        """Send a response of ours.

        Raises:
            LocalProtocolError: a final response was sent before.
        """
        if response.status < 200:
            event = InviteServerEvent.SEND_PROVISIONAL
        else:
            event = InviteServerEvent.SEND_SUCCESS if response.status < 300 else InviteServerEvent.SEND_FAILURE
        self._wire = response.to_bytes()
        return self._fire(event, now, response)

    @property
    def terminated(self) -> bool:
        """Nothing is left to do or to absorb."""
        return self.state is InviteServerState.TERMINATED

    def _durations(self, state: InviteServerState) -> dict[InviteServerEvent, float]:
        timing = self._timing
        return {
            InviteServerState.PROCEEDING: {},
            InviteServerState.COMPLETED: {
                InviteServerEvent.TIMER_G: timing.t1_seconds,
                InviteServerEvent.TIMER_H: timing.timeout_seconds,
            },
            InviteServerState.CONFIRMED: {InviteServerEvent.TIMER_I: timing.t4_seconds},
            InviteServerState.ACCEPTED: {InviteServerEvent.TIMER_L: timing.timeout_seconds},
            InviteServerState.TERMINATED: {},
        }[state]

    def _interval(self, action: Action) -> tuple[InviteServerEvent, float]:
        self._retransmit_seconds = min(2 * self._retransmit_seconds, self._timing.t2_seconds)
        return InviteServerEvent.TIMER_G, self._retransmit_seconds

    def _datagrams(self, action: Action, response: Response | None) -> tuple[bytes, ...]:
        return () if self._wire is None else (self._wire,)


class RequestServerState(StrEnum):
    """RFC 3261 figure 8."""

    TRYING = "trying"
    PROCEEDING = "proceeding"
    COMPLETED = "completed"
    TERMINATED = "terminated"


class RequestServerEvent(StrEnum):
    """What a non-INVITE server transaction can meet."""

    REQUEST = "request"  # the same request again
    SEND_PROVISIONAL = "send_1xx"
    SEND_FINAL = "send_2xx-6xx"
    TIMER_J = "timer_j"


_R, _V = RequestServerState, RequestServerEvent
REQUEST_SERVER_TABLE = {
    (_R.TRYING, _V.REQUEST): (_R.TRYING, ()),
    (_R.TRYING, _V.SEND_PROVISIONAL): (_R.PROCEEDING, (_A.SEND,)),
    (_R.TRYING, _V.SEND_FINAL): (_R.COMPLETED, (_A.SEND,)),
    (_R.PROCEEDING, _V.REQUEST): (_R.PROCEEDING, (_A.SEND,)),
    (_R.PROCEEDING, _V.SEND_PROVISIONAL): (_R.PROCEEDING, (_A.SEND,)),
    (_R.PROCEEDING, _V.SEND_FINAL): (_R.COMPLETED, (_A.SEND,)),
    (_R.COMPLETED, _V.REQUEST): (_R.COMPLETED, (_A.SEND,)),
    (_R.COMPLETED, _V.TIMER_J): (_R.TERMINATED, ()),
}


class RequestServer(Transaction[RequestServerState, RequestServerEvent]):
    """One received BYE, CANCEL, OPTIONS or the like: repeats its answer for the peer's repeats."""

    table = REQUEST_SERVER_TABLE
    failure = Failure.TIMER_H  # unused: no cell of this table times out

    def __init__(self, request: Request, *, timing: Timing) -> None:
        super().__init__(state=RequestServerState.TRYING, timing=timing)
        self.request = request
        self._wire: bytes | None = None

    def retransmitted(self, now: float) -> Step:
        """The same request came again."""
        return self._fire(RequestServerEvent.REQUEST, now)

    def respond(self, response: Response, now: float) -> Step:
        """Send a response of ours.

        Raises:
            LocalProtocolError: a final response was sent before.
        """
        final = response.status >= 200
        self._wire = response.to_bytes()
        event = RequestServerEvent.SEND_FINAL if final else RequestServerEvent.SEND_PROVISIONAL
        return self._fire(event, now, response)

    @property
    def terminated(self) -> bool:
        """Nothing is left to do or to absorb."""
        return self.state is RequestServerState.TERMINATED

    def _durations(self, state: RequestServerState) -> dict[RequestServerEvent, float]:
        if state is RequestServerState.COMPLETED:
            return {RequestServerEvent.TIMER_J: self._timing.timeout_seconds}
        return {}

    def _datagrams(self, action: Action, response: Response | None) -> tuple[bytes, ...]:
        return () if self._wire is None else (self._wire,)
