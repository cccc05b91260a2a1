"""An agent's nailed-up call to the gateway: a SIP user agent client without I/O (RFC 3261 sections 8, 12, 13, 17.1).

It INVITEs with digest, checks the dialog with an OPTIONS every two seconds, and reports `Down` on BYE, 481 or silence;
whoever drives it then starts a new leg. Times are seconds of one clock.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from outdial_sim.wire import digest, sdp, sip
from outdial_sim.wire.digest import Account
from outdial_sim.wire.sip import Address, SipMessage

T1_SECONDS = 0.5
T2_SECONDS = 4.0
INVITE_TIMEOUT_SECONDS = 8.0
OPTIONS_EVERY_SECONDS = 2.0
OPTIONS_TIMEOUT_SECONDS = 4.0
BYE_TIMEOUT_SECONDS = 2.0
MAX_CHALLENGES = 2


class LegState(StrEnum):
    """Where the leg stands."""

    IDLE = "idle"
    CALLING = "calling"
    UP = "up"
    ENDING = "ending"
    DOWN = "down"


class LegEvent(StrEnum):
    """What can happen to a leg."""

    DIAL = "dial"
    CHALLENGED = "challenged"
    ANSWERED = "answered"
    REFUSED = "refused"
    LOST = "lost"
    BYE = "bye"
    HANG_UP = "hang_up"
    BYE_DONE = "bye_done"


_S, _E = LegState, LegEvent
TRANSITIONS: dict[tuple[LegState, LegEvent], LegState] = {
    (_S.IDLE, _E.DIAL): _S.CALLING,
    (_S.CALLING, _E.CHALLENGED): _S.CALLING,
    (_S.CALLING, _E.ANSWERED): _S.UP,
    (_S.CALLING, _E.REFUSED): _S.DOWN,
    (_S.CALLING, _E.LOST): _S.DOWN,
    (_S.UP, _E.ANSWERED): _S.UP,
    (_S.UP, _E.LOST): _S.DOWN,
    (_S.UP, _E.BYE): _S.DOWN,
    (_S.UP, _E.HANG_UP): _S.ENDING,
    (_S.ENDING, _E.BYE): _S.DOWN,
    (_S.ENDING, _E.BYE_DONE): _S.DOWN,
    (_S.ENDING, _E.LOST): _S.DOWN,
    (_S.DOWN, _E.BYE): _S.DOWN,
}


class IllegalLegEvent(RuntimeError):
    """A state has no cell for an event; the text names both."""

    def __init__(self, state: LegState, event: LegEvent) -> None:
        super().__init__(f"no transition from {state} on {event}")


def advance(state: LegState, event: LegEvent) -> LegState:
    """The next state. Raises IllegalLegEvent."""
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalLegEvent(state, event) from None


@dataclass(frozen=True, kw_only=True)
class SendTo:
    """A message to put on the wire."""

    message: SipMessage
    to: Address


@dataclass(frozen=True, kw_only=True)
class Up:
    """The leg is answered, or its media moved: send RTP there."""

    stream: sdp.AudioStream


@dataclass(frozen=True, kw_only=True)
class Down:
    """The leg has ended; `reason` is a status or a word, never an address."""

    reason: str


Output = SendTo | Up | Down


@dataclass(frozen=True, kw_only=True)
class Caller:
    """Who calls from where: the SIP target, our addresses, the account, and a source of tokens."""

    uri: str
    gateway: Address
    host: str
    sip_port: int
    rtp_port: int
    account: Account
    new_token: Callable[[], str]


@dataclass
class AgentLeg:
    """One attempt at a leg, from INVITE to Down; never reused."""

    caller: Caller
    state: LegState = LegState.IDLE
    _call_id: str = ""
    _tag: str = ""
    _remote_to: str = ""
    _target: str = ""
    _routes: tuple[str, ...] = ()
    _cseq: int = 0
    _challenges: int = 0
    _pending: dict[str, SipMessage] = field(default_factory=dict)
    _ack: SendTo | None = None
    _deadlines: dict[str, float] = field(default_factory=dict)
    _interval: float = T1_SECONDS

    def dial(self, now: float) -> list[Output]:
        """Send the first INVITE."""
        self.state = advance(self.state, LegEvent.DIAL)
        self._call_id = f"{self.caller.new_token()}@{self.caller.host}"
        self._tag = self.caller.new_token()
        self._target = self.caller.uri
        self._remote_to = f"<{self.caller.uri}>"
        self._deadlines["lost"] = now + INVITE_TIMEOUT_SECONDS
        return [self._invite(now)]

    def receive(self, message: SipMessage, source: Address, now: float) -> list[Output]:
        """Handle a message; one of another dialog is answered 481 or ignored. Raises MalformedMessage."""
        if message.call_id != self._call_id:
            foreign = not message.status and message.method != "ACK"
            return [self._reply(message, source, 481)] if foreign else []
        if not message.status:
            return self._on_request(message, source)
        _, method = message.cseq
        if method == "INVITE":
            return self._on_invite_response(message, now)
        if message.status >= 200 and method == "OPTIONS" and self.state is LegState.UP:
            return self._on_options_response(message, now)
        if message.status >= 200 and method == "BYE" and self.state is LegState.ENDING:
            return self._end(LegEvent.BYE_DONE, "hung_up")
        return []

    def hang_up(self, now: float) -> list[Output]:
        """End an answered leg with BYE; a leg that is not up is left alone."""
        if self.state is not LegState.UP:
            return []
        self.state = advance(self.state, LegEvent.HANG_UP)
        self._deadlines = {"lost": now + BYE_TIMEOUT_SECONDS}
        return [self._request("BYE", now)]

    def tick(self, now: float) -> list[Output]:
        """Run every deadline that has passed: repeat a request, ask for life, or give up."""
        outputs: list[Output] = []
        for name in [name for name, due in self._deadlines.items() if due <= now]:
            self._deadlines.pop(name, None)
            if name == "lost":
                return [*outputs, *self._end(LegEvent.LOST, "timeout")]
            if name == "options":
                self._deadlines.setdefault("lost", now + OPTIONS_TIMEOUT_SECONDS)
                outputs.append(self._request("OPTIONS", now))
            else:
                outputs += self._repeat(name, now)
        return outputs

    def next_deadline(self) -> float | None:
        """When `tick` is due."""
        return min(self._deadlines.values(), default=None)

    def _repeat(self, method: str, now: float) -> list[Output]:
        message = self._pending.get(method)
        if message is None:
            return []
        self._interval = min(2 * self._interval, T2_SECONDS)
        self._deadlines[method] = now + self._interval
        return [SendTo(message=message, to=self._next_hop())]

    def _invite(self, now: float, credentials: tuple[tuple[str, str], ...] = ()) -> SendTo:
        contact = ("Contact", f"<sip:{self.caller.account.user}@{self.caller.host}:{self.caller.sip_port}>")
        body = sdp.offer(self.caller.host, self.caller.rtp_port, 1)
        return self._request("INVITE", now, (contact, *credentials, ("Content-Type", "application/sdp")), body)

    def _on_invite_response(self, message: SipMessage, now: float) -> list[Output]:
        if message.status < 200:
            self._deadlines.pop("INVITE", None)
            return []
        if message.status < 300:
            return self._on_answer(message, now)
        outputs: list[Output] = [SendTo(message=self._ack_of_refusal(message), to=self._next_hop())]
        if self.state is not LegState.CALLING or message.cseq[0] != self._cseq:
            return outputs
        self._deadlines.pop("INVITE", None)
        if message.status not in (401, 407) or self._challenges >= MAX_CHALLENGES:
            return [*outputs, *self._end(LegEvent.REFUSED, str(message.status))]
        self.state = advance(self.state, LegEvent.CHALLENGED)
        self._challenges += 1
        asks, answers = (
            ("WWW-Authenticate", "Authorization")
            if message.status == 401
            else ("Proxy-Authenticate", "Proxy-Authorization")
        )
        value = digest.credentials(
            message.need(asks),
            self.caller.account,
            method="INVITE",
            uri=self.caller.uri,
            cnonce=self.caller.new_token(),
        )
        return [*outputs, self._invite(now, ((answers, value),))]

    def _on_answer(self, message: SipMessage, now: float) -> list[Output]:
        if self.state is LegState.UP and self._ack is not None:
            return [self._ack]
        if self.state is not LegState.CALLING:
            return []
        stream = sdp.parse(message.body)
        self.state = advance(self.state, LegEvent.ANSWERED)
        self._remote_to = message.need("To")
        self._target = sip.uri_of(message.get("Contact") or self.caller.uri)
        self._routes = tuple(reversed(message.all("Record-Route")))
        self._pending.clear()
        self._deadlines = {"options": now + OPTIONS_EVERY_SECONDS}
        self._ack = SendTo(message=self._build("ACK", message.cseq[0]), to=self._next_hop())
        return [self._ack, Up(stream=stream)]

    def _on_options_response(self, message: SipMessage, now: float) -> list[Output]:
        if message.status in (408, 481):
            return self._end(LegEvent.LOST, str(message.status))
        self._pending.pop("OPTIONS", None)
        self._deadlines = {"options": now + OPTIONS_EVERY_SECONDS}
        return []

    def _on_request(self, message: SipMessage, source: Address) -> list[Output]:
        if message.method == "ACK":
            return []
        if message.method == "BYE":
            already = self.state is LegState.DOWN
            ended = [] if already or self.state is LegState.CALLING else self._end(LegEvent.BYE, "bye")
            return [self._reply(message, source, 200), *ended]
        if message.method == "OPTIONS":
            return [self._reply(message, source, 200 if self.state is LegState.UP else 481)]
        if message.method != "INVITE" or self.state is not LegState.UP:
            return [self._reply(message, source, 405 if self.state is LegState.UP else 481)]
        if not message.body:
            offer = sdp.offer(self.caller.host, self.caller.rtp_port, 1, version=2)
            return [self._reply(message, source, 200, offer)]
        stream = sdp.parse(message.body)
        answer = sdp.answer(stream, self.caller.host, self.caller.rtp_port, 1, version=2)
        return [self._reply(message, source, 200, answer), Up(stream=stream)]

    def _end(self, event: LegEvent, reason: str) -> list[Output]:
        self.state = advance(self.state, event)
        self._deadlines.clear()
        self._pending.clear()
        return [Down(reason=reason)]

    def _request(self, method: str, now: float, extra: tuple[tuple[str, str], ...] = (), body: bytes = b"") -> SendTo:
        """A new request of this dialog, repeated until answered."""
        self._cseq += 1
        message = self._build(method, self._cseq, extra, body)
        self._pending[method] = message
        self._interval = T1_SECONDS
        self._deadlines[method] = now + T1_SECONDS
        return SendTo(message=message, to=self._next_hop())

    def _build(
        self, method: str, cseq: int, extra: tuple[tuple[str, str], ...] = (), body: bytes = b"", branch: str = ""
    ) -> SipMessage:
        via = f"SIP/2.0/UDP {self.caller.host}:{self.caller.sip_port};rport"
        headers = [
            ("Via", f"{via};branch={branch or 'z9hG4bK' + self.caller.new_token()}"),
            ("Max-Forwards", "70"),
            *(("Route", route) for route in self._routes),
            ("From", f"<sip:{self.caller.account.user}@{self.caller.host}>;tag={self._tag}"),
            ("To", self._remote_to),
            ("Call-ID", self._call_id),
            ("CSeq", f"{cseq} {method}"),
            *extra,
        ]
        return SipMessage(method=method, uri=self._target, headers=tuple(headers), body=body)

    def _ack_of_refusal(self, message: SipMessage) -> SipMessage:
        """ACK of a final response other than 2xx: the INVITE's branch, the response's To (RFC 3261 17.1.1.3)."""
        ack = self._build("ACK", message.cseq[0], branch=message.branch)
        headers = tuple(("To", message.need("To")) if name == "To" else (name, value) for name, value in ack.headers)
        return SipMessage(method="ACK", uri=ack.uri, headers=headers)

    def _reply(self, request: SipMessage, source: Address, status: int, body: bytes = b"") -> SendTo:
        contact = ("Contact", f"<sip:{self.caller.account.user}@{self.caller.host}:{self.caller.sip_port}>")
        extra = (contact,) if request.method == "INVITE" and status == 200 else ()
        message = sip.response(request, status, source=source, extra=extra, body=body)
        return SendTo(message=message, to=sip.reply_address(request, source))

    def _next_hop(self) -> Address:
        """The first route, else the dialog's target when it has an address, else where the INVITE went."""
        first = self._routes[0] if self._routes else self._target
        address = sip.uri_address(sip.uri_of(first))
        return address if address is not None and self.state is not LegState.CALLING else self.caller.gateway
