"""One call at the called side: SIP transactions and dialog without I/O (RFC 3261 sections 9, 13, 15, 17.2).

Fed with messages and the time, it returns what to send and what to do; `next_deadline` says when `tick` is due.
Theory: the plan's timers (post-dial delay, ring) and the protocol's timers (repeating final responses until the ACK,
our BYE until its response) live in one dictionary of deadlines; each deadline has one function.
Nothing on the wire depends on the callee's kind except the final status a real network would send.
"""

from collections.abc import Callable
from dataclasses import dataclass, field, replace

from outdial_sim.callees import CalleePlan
from outdial_sim.carrier.states import UasEvent, UasState, advance
from outdial_sim.wire import sdp, sip
from outdial_sim.wire.sip import Address, Headers, SipMessage

T1_SECONDS = 0.5
T2_SECONDS = 4.0
TRANSACTION_SECONDS = 64 * T1_SECONDS
LINGER_SECONDS = 32.0


@dataclass(frozen=True, kw_only=True)
class Send:
    """A message to put on the wire."""

    message: SipMessage
    to: Address


@dataclass(frozen=True, kw_only=True)
class Note:
    """Something that happened: ringing, early_media, answered, confirmed, cancelled, bye_received, hung_up, ..."""

    event: str
    reason: str | None = None


@dataclass(frozen=True, kw_only=True)
class MediaTo:
    """The caller's RTP address, codec and telephone-event type, at first and after each re-INVITE."""

    stream: sdp.AudioStream


Output = Send | Note | MediaTo


@dataclass(frozen=True, kw_only=True)
class Local:
    """Our own side of a call: addresses, tag, SDP session number, and a source of branches."""

    host: str
    sip_port: int
    rtp_port: int
    tag: str
    session: int
    new_token: Callable[[], str]

    @property
    def contact(self) -> tuple[str, str]:
        """The Contact header."""
        return "Contact", f"<sip:{self.host}:{self.sip_port}>"


@dataclass
class UasCall:
    """A call from its accepted INVITE until its memory may go (`forgettable`)."""

    invite: SipMessage
    source: Address
    plan: CalleePlan
    local: Local
    state: UasState = UasState.ROUTING
    forgettable: bool = False
    _deadlines: dict[str, float] = field(default_factory=dict)
    _last: SipMessage | None = None
    _interval: float = T1_SECONDS
    _sdp_version: int = 1
    _offer: sdp.AudioStream | None = None
    _bye: Send | None = None
    _hang_up_reason: str | None = None
    _local_cseq: int = 0

    def start(self, now: float) -> list[Output]:
        """Send 100 and begin the post-dial delay; an offer without G.711 gets 488."""
        outputs: list[Output] = [self._reply(self.invite, 100, tagged=False)]
        if self.invite.body:
            try:
                self._offer = sdp.parse(self.invite.body)
            except sdp.MalformedSdp:
                return outputs + self._finish(now, UasEvent.REJECT, 488)
            outputs.append(MediaTo(stream=self._offer))
        self._deadlines["routed"] = now + self.plan.pdd_seconds
        return outputs

    def receive(self, message: SipMessage, source: Address, now: float) -> list[Output]:
        """Handle a message of this call. Raises MalformedMessage."""
        if message.status:
            return self._on_response(message, now)
        handler = {
            "INVITE": self._on_invite,
            "ACK": self._on_ack,
            "CANCEL": self._on_cancel,
            "BYE": self._on_bye,
        }.get(message.method, self._on_other)
        self.source = source if message.method == "INVITE" else self.source
        return handler(message, source, now)

    def tick(self, now: float) -> list[Output]:
        """Run every deadline that has passed."""
        outputs: list[Output] = []
        for name in [name for name, due in self._deadlines.items() if due <= now]:
            if self._deadlines.pop(name, None) is not None:
                outputs += _ON_DEADLINE[name](self, now)
        return outputs

    def next_deadline(self) -> float | None:
        """When `tick` is due, on the clock of `now`."""
        return min(self._deadlines.values(), default=None)

    def early_media_over(self, now: float) -> list[Output]:
        """The announcement has been played: the final response follows."""
        return self._final(now) if self.state is UasState.ALERTING else []

    def hang_up(self, reason: str, now: float) -> list[Output]:
        """The callee hangs up; before the ACK the BYE waits for it (RFC 3261 15)."""
        if self.state not in (UasState.ANSWERED, UasState.CONFIRMED):
            return []
        self._hang_up_reason = reason
        self.state = advance(self.state, UasEvent.HANG_UP)
        return self._send_bye(now) if self.state is UasState.HANGING_UP else []

    def _routed(self, now: float) -> list[Output]:
        if not self.plan.alerts:
            return self._final(now)
        self.state = advance(self.state, UasEvent.ALERT)
        if self.plan.early_media and self._offer is not None:
            if self.plan.answers or self.plan.final_status == 480:
                self._deadlines["rung"] = now + self.plan.ring_seconds
            self._last = self._reply(self.invite, 183, body=self._description()).message
            return [self._resend(), Note(event="early_media")]
        self._deadlines["rung"] = now + self.plan.ring_seconds
        self._last = self._reply(self.invite, 180).message
        return [self._resend(), Note(event="ringing")]

    def _final(self, now: float) -> list[Output]:
        if not self.plan.answers:
            return self._finish(now, UasEvent.REJECT, self.plan.final_status, self._reason())
        self.state = advance(self.state, UasEvent.ANSWER)
        self._last = self._reply(self.invite, 200, body=self._description()).message
        self._arm_retransmission(now)
        return [self._resend(), Note(event="answered")]

    def _finish(self, now: float, event: UasEvent, status: int, extra: Headers = ()) -> list[Output]:
        """A final response other than 2xx; it is repeated until the ACK (timers G and H)."""
        self.state = advance(self.state, event)
        self._deadlines.clear()
        self._last = self._reply(self.invite, status, extra=extra).message
        self._arm_retransmission(now)
        return [self._resend(), Note(event="call_over", reason=str(status))]

    def _reason(self) -> Headers:
        if self.plan.q850_cause is None:
            return ()
        return (("Reason", f"Q.850;cause={self.plan.q850_cause}"),)

    def _on_invite(self, message: SipMessage, source: Address, now: float) -> list[Output]:
        if message.to_tag is None:
            return [self._resend()] if self._last is not None else [self._reply(message, 100, tagged=False)]
        if self.state not in (UasState.ANSWERED, UasState.CONFIRMED):
            return [self._reply(message, 481)]
        self._sdp_version += 1
        outputs: list[Output] = []
        if message.body:
            try:
                self._offer = sdp.parse(message.body)
            except sdp.MalformedSdp:
                return [self._reply(message, 488)]
            outputs.append(MediaTo(stream=self._offer))
        return [*outputs, self._reply(message, 200, body=self._description())]

    def _on_ack(self, message: SipMessage, source: Address, now: float) -> list[Output]:
        before, self.state = self.state, advance(self.state, UasEvent.ACK)
        if before is UasState.REJECTED:
            return self._over(now)
        if before is not UasState.ANSWERED:
            return []
        self._deadlines.pop("retransmit", None)
        self._deadlines.pop("expire", None)
        outputs: list[Output] = [Note(event="confirmed")]
        if message.body and self._offer is None:
            self._offer = sdp.parse(message.body)
            outputs.append(MediaTo(stream=self._offer))
        if self._hang_up_reason is not None:
            outputs += self.hang_up(self._hang_up_reason, now)
        return outputs

    def _on_cancel(self, message: SipMessage, source: Address, now: float) -> list[Output]:
        """200 to the CANCEL always; 487 to the INVITE unless its final response has left already."""
        outputs: list[Output] = [self._reply(message, 200)]
        if self.state in (UasState.ROUTING, UasState.ALERTING):
            return [*outputs, Note(event="cancelled"), *self._finish(now, UasEvent.CANCEL, 487)]
        self.state = advance(self.state, UasEvent.CANCEL)
        return [*outputs, Note(event="cancel_too_late")]

    def _on_bye(self, message: SipMessage, source: Address, now: float) -> list[Output]:
        outputs: list[Output] = [self._reply(message, 200)]
        if self.state in (UasState.ROUTING, UasState.ALERTING):
            return [*outputs, Note(event="bye_received"), *self._finish(now, UasEvent.BYE, 487)]
        before, self.state = self.state, advance(self.state, UasEvent.BYE)
        if before in (UasState.OVER, UasState.REJECTED):
            return outputs
        return [*outputs, Note(event="bye_received"), *self._over(now), Note(event="call_over", reason="bye")]

    def _on_other(self, message: SipMessage, source: Address, now: float) -> list[Output]:
        if message.method in ("OPTIONS", "INFO") and self.state in (UasState.ANSWERED, UasState.CONFIRMED):
            return [self._reply(message, 200)]
        gone = self.state in (UasState.OVER, UasState.HANGING_UP)
        return [self._reply(message, 481 if gone else 405, extra=(("Allow", sip.ALLOW),))]

    def _on_response(self, message: SipMessage, now: float) -> list[Output]:
        if message.status < 200 or message.cseq[1] != "BYE" or self.state is not UasState.HANGING_UP:
            return []
        return self._bye_done(now)

    def _bye_done(self, now: float) -> list[Output]:
        self.state = advance(self.state, UasEvent.BYE_DONE)
        return [*self._over(now), Note(event="call_over", reason="hung_up")]

    def _over(self, now: float) -> list[Output]:
        self._deadlines = {"forget": now + LINGER_SECONDS}
        return []

    def _send_bye(self, now: float) -> list[Output]:
        """Swap From and To; the route set is the INVITE's Record-Route in order (RFC 3261 12.1.1)."""
        routes = self.invite.all("Record-Route")
        target = sip.uri_of(self.invite.get("Contact") or self.invite.need("From"))
        first = sip.uri_address(sip.uri_of(routes[0]) if routes else target)
        self._local_cseq += 1
        headers: list[tuple[str, str]] = [
            (
                "Via",
                f"SIP/2.0/UDP {self.local.host}:{self.local.sip_port};rport;branch=z9hG4bK{self.local.new_token()}",
            ),
            ("Max-Forwards", "70"),
            *(("Route", route) for route in routes),
            ("From", f"{self.invite.need('To')};tag={self.local.tag}"),
            ("To", self.invite.need("From")),
            ("Call-ID", self.invite.call_id),
            ("CSeq", f"{self._local_cseq} BYE"),
        ]
        bye = SipMessage(method="BYE", uri=target, headers=tuple(headers))
        self._bye = Send(message=bye, to=first or self.source)
        self._deadlines.clear()
        self._arm_retransmission(now)
        return [self._bye, Note(event="hung_up", reason=self._hang_up_reason)]

    def _arm_retransmission(self, now: float) -> None:
        self._interval = T1_SECONDS
        self._deadlines |= {"retransmit": now + T1_SECONDS, "expire": now + TRANSACTION_SECONDS}

    def _retransmit(self, now: float) -> list[Output]:
        self._interval = min(2 * self._interval, T2_SECONDS)
        self._deadlines["retransmit"] = now + self._interval
        return [self._bye] if self._bye is not None else [self._resend()]

    def _expire(self, now: float) -> list[Output]:
        """No ACK or no answer to our BYE for 64*T1: an answered call is ended with a BYE (RFC 3261 13.3.1.4)."""
        if self.state is UasState.HANGING_UP:
            return self._bye_done(now)
        self.state = advance(self.state, UasEvent.EXPIRE)
        if self.state is UasState.HANGING_UP:
            self._hang_up_reason = "no_ack"
            return self._send_bye(now)
        return self._over(now)

    def _forget(self, now: float) -> list[Output]:
        self.forgettable = True
        return []

    def _description(self) -> bytes:
        host, port, session = self.local.host, self.local.rtp_port, self.local.session
        if self._offer is None:
            return sdp.offer(host, port, session, version=self._sdp_version)
        return sdp.answer(self._offer, host, port, session, version=self._sdp_version)

    def _resend(self) -> Send:
        """The last response to the INVITE, again."""
        last = self._last if self._last is not None else self._reply(self.invite, 100, tagged=False).message
        return Send(message=last, to=sip.reply_address(self.invite, self.source))

    def _reply(
        self, request: SipMessage, status: int, *, tagged: bool = True, extra: Headers = (), body: bytes = b""
    ) -> Send:
        contact = (self.local.contact,) if request.method == "INVITE" and 100 < status < 300 else ()
        message = sip.response(
            request,
            status,
            source=self.source,
            to_tag=self.local.tag if tagged else None,
            extra=contact + extra,
            body=body,
        )
        if request.method != "INVITE":
            message = replace(message, headers=tuple(pair for pair in message.headers if pair[0] != "Record-Route"))
        return Send(message=message, to=sip.reply_address(request, self.source))


_ON_DEADLINE: dict[str, Callable[[UasCall, float], list[Output]]] = {
    "routed": UasCall._routed,
    "rung": UasCall._final,
    "retransmit": UasCall._retransmit,
    "expire": UasCall._expire,
    "forget": UasCall._forget,
}
