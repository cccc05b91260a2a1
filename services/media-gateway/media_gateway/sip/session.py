"""What both kinds of call do inside an established dialog: answer OPTIONS and re-INVITE, repeat a 2xx until its ACK."""

from dataclasses import dataclass

from media_gateway.sip.dialog import ALLOW, Dialog, LocalIdentity
from media_gateway.sip.errors import RemoteProtocolError
from media_gateway.sip.events import CallEvent, MediaChanged
from media_gateway.sip.message import Headers, Request, Response, respond
from media_gateway.sip.sdp import SessionDescription, parse_sdp
from media_gateway.sip.timers import Timing
from media_gateway.sip.uri import Address


@dataclass(frozen=True, kw_only=True)
class StartTransaction:
    """Send a request (INVITE, CANCEL, BYE) under a client transaction of the call."""

    request: Request
    destination: Address


@dataclass(frozen=True, kw_only=True)
class SendDirect:
    """Send the ACK to a 2xx: no transaction repeats or absorbs it."""

    request: Request
    destination: Address


@dataclass(frozen=True, kw_only=True)
class Reply:
    """Answer a request under its server transaction."""

    request: Request
    response: Response


@dataclass(frozen=True, kw_only=True)
class Forget:
    """Destroy the client transaction of a request: nobody answered its CANCEL (RFC 3261 section 9.1)."""

    request: Request


Command = StartTransaction | SendDirect | Reply | Forget


@dataclass(frozen=True, kw_only=True)
class Effects:
    """What a call wants done, in order, and what its user is told."""

    commands: tuple[Command, ...] = ()
    events: tuple[CallEvent, ...] = ()


@dataclass(kw_only=True)
class _Repeat:
    response: Response
    request: Request
    interval_seconds: float
    next_at: float
    give_up_at: float


class Session:
    """The dialog's common part. The 2xx to an INVITE is repeated here, as its transaction no longer does (RFC 6026)."""

    def __init__(
        self, *, dialog: Dialog, identity: LocalIdentity, local_sdp: SessionDescription, timing: Timing
    ) -> None:
        self.dialog = dialog
        self._identity = identity
        self._local_sdp = local_sdp
        self._timing = timing
        self._repeat: _Repeat | None = None
        self._offer_in_answer = False

    def accept(self, request: Request, now: float) -> Reply:
        """200 with our description, to be repeated until the ACK."""
        headers: Headers = (
            self._identity.contact(),
            ("Allow", ALLOW),
            self._identity.agent("Server"),
            ("Content-Type", "application/sdp"),
        )
        response = respond(
            request, 200, to_tag=self.dialog.id.local_tag, headers=headers, body=self._local_sdp.to_bytes()
        )
        self._repeat = _Repeat(
            response=response,
            request=request,
            interval_seconds=self._timing.t1_seconds,
            next_at=now + self._timing.t1_seconds,
            give_up_at=now + self._timing.timeout_seconds,
        )
        self._offer_in_answer = not request.body
        return Reply(request=request, response=response)

    def acknowledged(self, ack: Request) -> SessionDescription | None:
        """Stop repeating; the ACK's description when it answers an offer of our 200."""
        awaited = self._repeat is not None and ack.cseq.number == self._repeat.request.cseq.number
        if awaited:
            self._repeat = None
        return usable_sdp(ack.body) if awaited and self._offer_in_answer else None

    @property
    def awaits_ack(self) -> bool:
        """Our 200 is not acknowledged yet."""
        return self._repeat is not None

    def next_timeout(self) -> float | None:
        """When the 2xx has to be repeated or given up."""
        return min(self._repeat.next_at, self._repeat.give_up_at) if self._repeat else None

    def handle_timers(self, now: float) -> tuple[tuple[Command, ...], bool]:
        """Repeat the 2xx when due; True when its ACK is overdue by 64 × T1 (RFC 3261 section 13.3.1.4)."""
        repeat = self._repeat
        if repeat is None:
            return (), False
        if now >= repeat.give_up_at:
            self._repeat = None
            return (), True
        if now < repeat.next_at:
            return (), False
        repeat.interval_seconds = min(2 * repeat.interval_seconds, self._timing.t2_seconds)
        repeat.next_at = now + repeat.interval_seconds
        return (Reply(request=repeat.request, response=repeat.response),), False

    def stop(self) -> None:
        """The call is over: nothing is repeated any more."""
        self._repeat = None

    def on_request(self, request: Request, now: float) -> Effects:
        """Answer anything in the dialog but ACK and BYE, which belong to the call's table."""
        if request.method == "OPTIONS":
            return self._reply(request, 200, (("Allow", ALLOW), ("Accept", "application/sdp")))
        if request.method != "INVITE":
            return self._reply(request, 405, (("Allow", ALLOW),))
        return self._on_reinvite(request, now)

    def _on_reinvite(self, request: Request, now: float) -> Effects:
        if self._repeat is not None:
            return self._reply(request, 491)  # their last INVITE is not acknowledged yet
        remote: SessionDescription | None = None
        if request.body:
            remote = usable_sdp(request.body)
            if remote is None:
                return self._reply(request, 488)
        self.dialog.refresh_target(request)
        events = () if remote is None else (MediaChanged(call_id=request.call_id, sdp=remote),)
        return Effects(commands=(self.accept(request, now),), events=events)

    def _reply(self, request: Request, status: int, headers: Headers = ()) -> Effects:
        return Effects(commands=(Reply(request=request, response=respond(request, status, headers=headers)),))


def gone(request: Request) -> Effects:
    """481: whatever the request is about is not here (any more)."""
    return Effects(commands=(Reply(request=request, response=respond(request, 481)),))


def usable_sdp(body: bytes) -> SessionDescription | None:
    """The description when it can be read and has a codec we carry, else None."""
    try:
        sdp = parse_sdp(body)
    except RemoteProtocolError:
        return None
    return sdp if sdp.codecs else None
