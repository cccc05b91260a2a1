"""Both sides' signalling over one SIP core: trunks that we call, phones that call us."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Callable, Mapping

from media_gateway.adapters.sip_udp import SipUdp
from media_gateway.ports import MediaLeg
from media_gateway.sip.digest import Credentials
from media_gateway.sip.errors import LocalProtocolError
from media_gateway.sip.events import CallEvent, Ended, EndReason, Event, IncomingCall
from media_gateway.sip.invitation import Invitation
from media_gateway.sip.sdp import answer, offer
from outdial_contracts.events import Trunk


class _Line:
    """One call by its Call-ID."""

    def __init__(self, sip: SipUdp, call_id: str) -> None:
        self._sip, self._call_id = sip, call_id

    def hang_up(self) -> None:
        """CANCEL or BYE, whatever fits; harmless when it is over."""
        self._sip.hang_up(self._call_id)


class _Lines:
    """Hands a socket's events to the call that each one names."""

    def __init__(self) -> None:
        self._listeners: dict[str, Callable[[CallEvent], None]] = {}
        self.sip: SipUdp | None = None

    def dispatch(self, event: Event) -> None:
        """Called by the socket for every event; what names no live call of ours changes nothing."""
        listener = self._listeners.get(event.call_id) if isinstance(event, CallEvent) else None
        if listener is not None and isinstance(event, CallEvent):
            listener(event)

    def _line(self, call_id: str, on_event: Callable[[CallEvent], None]) -> tuple[SipUdp, _Line]:
        if self.sip is None:
            raise OSError("the SIP socket is not open")
        self._listeners = {c: f for c, f in self._listeners.items() if c in self.sip.live_call_ids}
        self._listeners[call_id] = on_event
        return self.sip, _Line(self.sip, call_id)


class SipTrunks(_Lines):
    """Implements ports.Trunks."""

    def __init__(self, host: str, environ: Mapping[str, str], draw_session: Callable[[], int]) -> None:
        super().__init__()
        self._host, self._environ, self._draw_session = host, environ, draw_session

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
    ) -> _Line:
        """Sends the INVITE. Raises OSError when the socket refused it: nobody was called."""
        unsent: list[Ended] = []

        def told(event: CallEvent) -> None:
            if isinstance(event, Ended) and event.reason is EndReason.NOT_SENT:
                unsent.append(event)
            on_event(event)

        sip, line = self._line(call_id, told)
        sip.invite(
            Invitation(
                call_id=call_id,
                destination=(trunk.host, trunk.port),
                target=f"sip:{number}@{trunk.host}:{trunk.port}",
                caller=f"sip:{caller_id}@{self._host}",
                sdp=offer(address=leg.local_host, port=leg.local_port, session_id=self._draw_session()),
                credentials=self._credentials(trunk),
                headers=(("X-Traceparent", traceparent),),
            )
        )
        if unsent:
            raise OSError("the socket refused the INVITE")
        return line

    def _credentials(self, trunk: Trunk) -> Credentials | None:
        password = self._environ.get(trunk.password_env or "")
        return Credentials(username=trunk.username, password=password) if trunk.username and password else None


class SipPhones(_Lines):
    """Implements ports.Phones; `on_call` is told of every authenticated phone that calls."""

    def __init__(self, on_call: Callable[[IncomingCall], None], draw_session: Callable[[], int]) -> None:
        super().__init__()
        self._on_call, self._draw_session = on_call, draw_session
        self._offers: dict[str, IncomingCall] = {}

    def dispatch(self, event: Event) -> None:
        """As for trunks, but a new call is announced."""
        if isinstance(event, IncomingCall):
            self._offers[event.call_id] = event
            self._on_call(event)
        else:
            if isinstance(event, Ended):
                self._offers.pop(event.call_id, None)
            super().dispatch(event)

    def accept(self, call_id: str, leg: MediaLeg, on_event: Callable[[CallEvent], None]) -> _Line:
        """Answers with our description of the leg. Raises LocalProtocolError: the phone withdrew meanwhile."""
        sip, line = self._line(call_id, on_event)
        incoming = self._offers.pop(call_id, None)
        remote = incoming.sdp if incoming is not None else None
        if remote is None:
            raise LocalProtocolError("no phone with an offer of media waits under this Call-ID")
        ours = answer(remote, address=leg.local_host, port=leg.local_port, session_id=self._draw_session())
        sip.accept(call_id, ours)
        return line

    def refuse(self, call_id: str, status: int) -> None:
        """Refuses the call."""
        self._offers.pop(call_id, None)
        if self.sip is not None:
            self.sip.decline(call_id, status)


def password_of(secret: bytes) -> Callable[[str], str | None]:
    """An agent phone's password: what the console gives at sign-in, HMAC-SHA256 of its user name, 32 hex digits."""

    def password(username: str) -> str | None:
        if "." not in username:
            return None
        return hmac.new(secret, username.encode(), hashlib.sha256).hexdigest()[:32]

    return password
