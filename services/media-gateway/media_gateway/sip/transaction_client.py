"""Client transactions: INVITE (RFC 3261 section 17.1.1 with RFC 6026) and everything else (section 17.1.2)."""

from enum import StrEnum

from media_gateway.sip.message import Request, Response
from media_gateway.sip.timers import Timing
from media_gateway.sip.transaction_core import Action, Failure, Step, Transaction


class InviteState(StrEnum):
    """RFC 3261 figure 5, with Accepted from RFC 6026 figure 1."""

    CALLING = "calling"
    PROCEEDING = "proceeding"
    COMPLETED = "completed"
    ACCEPTED = "accepted"
    TERMINATED = "terminated"


class InviteEvent(StrEnum):
    """What an INVITE client transaction can meet."""

    PROVISIONAL = "1xx"
    SUCCESS = "2xx"
    FAILURE = "3xx-6xx"
    UNSENT = "unsent"
    TIMER_A = "timer_a"
    TIMER_B = "timer_b"
    TIMER_D = "timer_d"
    TIMER_M = "timer_m"


_S, _E, _A = InviteState, InviteEvent, Action
INVITE_TABLE = {
    (_S.CALLING, _E.PROVISIONAL): (_S.PROCEEDING, (_A.DELIVER,)),
    (_S.CALLING, _E.SUCCESS): (_S.ACCEPTED, (_A.DELIVER,)),
    (_S.CALLING, _E.FAILURE): (_S.COMPLETED, (_A.ACK, _A.DELIVER)),
    (_S.CALLING, _E.UNSENT): (_S.TERMINATED, (_A.UNSENT,)),
    (_S.CALLING, _E.TIMER_A): (_S.CALLING, (_A.SEND, _A.BACK_OFF)),
    (_S.CALLING, _E.TIMER_B): (_S.TERMINATED, (_A.TIMED_OUT,)),
    (_S.PROCEEDING, _E.PROVISIONAL): (_S.PROCEEDING, (_A.DELIVER,)),
    (_S.PROCEEDING, _E.SUCCESS): (_S.ACCEPTED, (_A.DELIVER,)),
    (_S.PROCEEDING, _E.FAILURE): (_S.COMPLETED, (_A.ACK, _A.DELIVER)),
    # A straggler after the final response: the peer's 1xx or 2xx overtaken on the way means nothing any more.
    (_S.COMPLETED, _E.PROVISIONAL): (_S.COMPLETED, ()),
    (_S.COMPLETED, _E.SUCCESS): (_S.COMPLETED, (_A.DELIVER,)),  # a fork's answer must still be ACKed and ended
    (_S.COMPLETED, _E.FAILURE): (_S.COMPLETED, (_A.ACK,)),
    (_S.COMPLETED, _E.TIMER_D): (_S.TERMINATED, ()),
    (_S.ACCEPTED, _E.PROVISIONAL): (_S.ACCEPTED, ()),
    (_S.ACCEPTED, _E.SUCCESS): (_S.ACCEPTED, (_A.DELIVER,)),
    (_S.ACCEPTED, _E.FAILURE): (_S.ACCEPTED, ()),
    (_S.ACCEPTED, _E.TIMER_M): (_S.TERMINATED, ()),
    (_S.TERMINATED, _E.PROVISIONAL): (_S.TERMINATED, ()),
    (_S.TERMINATED, _E.SUCCESS): (_S.TERMINATED, ()),
    (_S.TERMINATED, _E.FAILURE): (_S.TERMINATED, ()),
}


class InviteClient(Transaction[InviteState, InviteEvent]):
    """One INVITE until its final response, whose failures it acknowledges itself; a 2xx's ACK is the dialog's.

    No timer bounds Proceeding: how long a phone rings is the caller's decision.
    """

    table = INVITE_TABLE
    failure = Failure.TIMER_B

    def __init__(self, request: Request, *, timing: Timing) -> None:
        super().__init__(state=InviteState.CALLING, timing=timing)
        self.request = request
        self._wire = request.to_bytes()
        self._retransmit_seconds = timing.t1_seconds

    def start(self, now: float) -> Step:
        """Send the INVITE and arm timers A and B."""
        self._enter(InviteState.CALLING, now)
        return Step(send=(self._wire,))

    def receive(self, response: Response, now: float) -> Step:
        """Take a response whose branch and CSeq method are this transaction's."""
        return self._fire(_response_event(response.status), now, response)

    def unsent(self, now: float) -> Step:
        """The local socket refused the first datagram."""
        return self._fire(InviteEvent.UNSENT, now)

    @property
    def terminated(self) -> bool:
        """Nothing is left to do or to absorb."""
        return self.state is InviteState.TERMINATED

    def _durations(self, state: InviteState) -> dict[InviteEvent, float]:
        timing = self._timing
        return {
            InviteState.CALLING: {
                InviteEvent.TIMER_A: timing.t1_seconds,
                InviteEvent.TIMER_B: timing.timeout_seconds,
            },
            InviteState.PROCEEDING: {},
            InviteState.COMPLETED: {InviteEvent.TIMER_D: timing.timer_d_seconds},
            InviteState.ACCEPTED: {InviteEvent.TIMER_M: timing.timeout_seconds},
            InviteState.TERMINATED: {},
        }[state]

    def _interval(self, action: Action) -> tuple[InviteEvent, float]:
        self._retransmit_seconds *= 2  # timer A has no cap, unlike timer E
        return InviteEvent.TIMER_A, self._retransmit_seconds

    def _datagrams(self, action: Action, response: Response | None) -> tuple[bytes, ...]:
        if action is Action.ACK and response is not None:
            return (failure_ack(self.request, response).to_bytes(),)
        return (self._wire,)


class RequestState(StrEnum):
    """RFC 3261 figure 6."""

    TRYING = "trying"
    PROCEEDING = "proceeding"
    COMPLETED = "completed"
    TERMINATED = "terminated"


class RequestEvent(StrEnum):
    """What a non-INVITE client transaction can meet."""

    PROVISIONAL = "1xx"
    FINAL = "2xx-6xx"
    UNSENT = "unsent"
    TIMER_E = "timer_e"
    TIMER_F = "timer_f"
    TIMER_K = "timer_k"


_R, _V = RequestState, RequestEvent
REQUEST_TABLE = {
    (_R.TRYING, _V.PROVISIONAL): (_R.PROCEEDING, (_A.SLOW, _A.DELIVER)),
    (_R.TRYING, _V.FINAL): (_R.COMPLETED, (_A.DELIVER,)),
    (_R.TRYING, _V.UNSENT): (_R.TRYING, ()),  # a BYE is worth its retransmissions even so
    (_R.TRYING, _V.TIMER_E): (_R.TRYING, (_A.SEND, _A.BACK_OFF)),
    (_R.TRYING, _V.TIMER_F): (_R.TERMINATED, (_A.TIMED_OUT,)),
    (_R.PROCEEDING, _V.PROVISIONAL): (_R.PROCEEDING, (_A.DELIVER,)),
    (_R.PROCEEDING, _V.FINAL): (_R.COMPLETED, (_A.DELIVER,)),
    (_R.PROCEEDING, _V.TIMER_E): (_R.PROCEEDING, (_A.SEND, _A.SLOW)),
    (_R.PROCEEDING, _V.TIMER_F): (_R.TERMINATED, (_A.TIMED_OUT,)),
    (_R.COMPLETED, _V.PROVISIONAL): (_R.COMPLETED, ()),
    (_R.COMPLETED, _V.FINAL): (_R.COMPLETED, ()),
    (_R.COMPLETED, _V.TIMER_K): (_R.TERMINATED, ()),
    (_R.TERMINATED, _V.PROVISIONAL): (_R.TERMINATED, ()),
    (_R.TERMINATED, _V.FINAL): (_R.TERMINATED, ()),
}


class RequestClient(Transaction[RequestState, RequestEvent]):
    """One BYE, CANCEL, OPTIONS or the like until its final response."""

    table = REQUEST_TABLE
    failure = Failure.TIMER_F

    def __init__(self, request: Request, *, timing: Timing) -> None:
        super().__init__(state=RequestState.TRYING, timing=timing)
        self.request = request
        self._wire = request.to_bytes()
        self._retransmit_seconds = timing.t1_seconds

    def start(self, now: float) -> Step:
        """Send the request and arm timers E and F."""
        self._enter(RequestState.TRYING, now)
        return Step(send=(self._wire,))

    def receive(self, response: Response, now: float) -> Step:
        """Take a response whose branch and CSeq method are this transaction's."""
        event = RequestEvent.PROVISIONAL if response.status < 200 else RequestEvent.FINAL
        return self._fire(event, now, response)

    def unsent(self, now: float) -> Step:
        """The local socket refused the first datagram."""
        return self._fire(RequestEvent.UNSENT, now)

    @property
    def terminated(self) -> bool:
        """Nothing is left to do or to absorb."""
        return self.state is RequestState.TERMINATED

    def _durations(self, state: RequestState) -> dict[RequestEvent, float]:
        timing = self._timing
        return {
            RequestState.TRYING: {
                RequestEvent.TIMER_E: timing.t1_seconds,
                RequestEvent.TIMER_F: timing.timeout_seconds,
            },
            RequestState.PROCEEDING: {
                RequestEvent.TIMER_E: timing.t2_seconds,
                RequestEvent.TIMER_F: timing.timeout_seconds,
            },
            RequestState.COMPLETED: {RequestEvent.TIMER_K: timing.t4_seconds},
            RequestState.TERMINATED: {},
        }[state]

    def _interval(self, action: Action) -> tuple[RequestEvent, float]:
        if action is Action.SLOW:
            return RequestEvent.TIMER_E, self._timing.t2_seconds
        self._retransmit_seconds = min(2 * self._retransmit_seconds, self._timing.t2_seconds)
        return RequestEvent.TIMER_E, self._retransmit_seconds

    def _datagrams(self, action: Action, response: Response | None) -> tuple[bytes, ...]:
        return (self._wire,)


def failure_ack(invite: Request, response: Response) -> Request:
    """The ACK to a 3xx–6xx: the INVITE's own hop, route and number, the response's To (RFC 3261 section 17.1.1.3)."""
    kept = [(name, value) for name, value in invite.headers if name in {"Via", "Route", "Max-Forwards", "From"}]
    return Request(
        method="ACK",
        uri=invite.uri,
        headers=(
            *kept,
            ("To", response.first("To") or ""),
            ("Call-ID", invite.call_id),
            ("CSeq", f"{invite.cseq.number} ACK"),
        ),
    )


def cancel_of(invite: Request) -> Request:
    """The CANCEL of an INVITE: same hop, branch, route, To and number (RFC 3261 section 9.1)."""
    kept = [
        (name, value)
        for name, value in invite.headers
        if name in {"Via", "Route", "Max-Forwards", "From", "To", "Call-ID"}
    ]
    return Request(method="CANCEL", uri=invite.uri, headers=(*kept, ("CSeq", f"{invite.cseq.number} CANCEL")))


def _response_event(status: int) -> InviteEvent:
    if status < 200:
        return InviteEvent.PROVISIONAL
    return InviteEvent.SUCCESS if status < 300 else InviteEvent.FAILURE
