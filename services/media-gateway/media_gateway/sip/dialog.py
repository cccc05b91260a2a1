"""Dialogs: who we are to each other, the route between us and the two sequences (RFC 3261 section 12)."""

from collections.abc import Callable
from dataclasses import dataclass

from media_gateway.sip.errors import RemoteProtocolError
from media_gateway.sip.message import Headers, Message, Request, Response
from media_gateway.sip.uri import Address, parse_name_addr

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS"


@dataclass(frozen=True, kw_only=True)
class LocalIdentity:
    """What every request of ours says about this endpoint; `new_token` gives unguessable tokens for branches."""

    host: str
    port: int
    user_agent: str
    new_token: Callable[[], str]

    def via(self) -> tuple[str, str]:
        """A Via with a new branch; rport asks the peer to answer to where it saw us (RFC 3581)."""
        return "Via", f"SIP/2.0/UDP {self.host}:{self.port};branch=z9hG4bK{self.new_token()};rport"

    def contact(self) -> tuple[str, str]:
        """Where in-dialog requests reach us."""
        return "Contact", f"<sip:{self.host}:{self.port}>"

    def agent(self, name: str = "User-Agent") -> tuple[str, str]:
        """User-Agent or Server."""
        return name, self.user_agent


@dataclass(frozen=True, kw_only=True)
class DialogId:
    """The three values that name a dialog, from our side."""

    call_id: str
    local_tag: str
    remote_tag: str


class Dialog:
    """An established dialog; builds our requests in it and judges the sequence of theirs."""

    def __init__(
        self,
        *,
        dialog_id: DialogId,
        identity: LocalIdentity,
        local: str,
        remote: str,
        target: str,
        route_set: tuple[str, ...],
        peer: Address,
        local_cseq: int = 0,
        remote_cseq: int | None = None,
    ) -> None:
        self.id = dialog_id
        self._identity = identity
        self._local = local
        self._remote = remote
        self._target = target
        self._route_set = route_set
        self._peer = peer
        self._local_cseq = local_cseq
        self._remote_cseq = remote_cseq

    def next_hop(self) -> Address:
        """Where requests go: first route, else target, when it is an IP literal; else where the peer spoke from."""
        first = parse_name_addr(self._route_set[0] if self._route_set else f"<{self._target}>")
        return first.uri.address() or self._peer

    def request(self, method: str, *, headers: Headers = (), body: bytes = b"") -> Request:
        """The next request of ours (BYE, re-INVITE, OPTIONS)."""
        self._local_cseq += 1
        return self._build(method, self._local_cseq, headers, body)

    def ack(self, invite_cseq: int, *, headers: Headers = ()) -> Request:
        """The ACK to a 2xx: the INVITE's number, a branch of its own (RFC 3261 section 13.2.2.4)."""
        return self._build("ACK", invite_cseq, headers, b"")

    def takes(self, request: Request) -> bool:
        """Whether a request of theirs is in sequence, noting its number (ACK has the INVITE's)."""
        number = request.cseq.number
        if request.method == "ACK":
            return True
        if self._remote_cseq is not None and number <= self._remote_cseq:
            return False
        self._remote_cseq = number
        return True

    def refresh_target(self, message: Message) -> None:
        """Take the peer's new Contact, if it gives one (target refresh)."""
        self._target = _contact(message) or self._target

    def request_uri(self) -> str:
        """What the request line will say; digest signs it."""
        return self._addressed()[0]

    def _build(self, method: str, number: int, headers: Headers, body: bytes) -> Request:
        uri, routes = self._addressed()
        content: Headers = (("Content-Type", "application/sdp"),) if body else ()
        return Request(
            method=method,
            uri=uri,
            headers=(
                self._identity.via(),
                *(("Route", route) for route in routes),
                ("Max-Forwards", "70"),
                ("From", self._local),
                ("To", self._remote),
                ("Call-ID", self.id.call_id),
                ("CSeq", f"{number} {method}"),
                self._identity.contact(),
                self._identity.agent(),
                *headers,
                *content,
            ),
            body=body,
        )

    def _addressed(self) -> tuple[str, tuple[str, ...]]:
        if not self._route_set:
            return self._target, ()
        first = parse_name_addr(self._route_set[0])
        if first.uri.param("lr") is not None:
            return self._target, self._route_set
        # A strict router wants itself in the request line and the target last (RFC 3261 section 12.2.1.1).
        return str(first.uri), (*self._route_set[1:], f"<{self._target}>")


def dialog_of_answer(response: Response, *, identity: LocalIdentity, peer: Address) -> Dialog:
    """The dialog a 2xx makes for the caller; it needs nothing but the response, so a stray one will do.

    An unreadable Contact or Record-Route is left out rather than refused: the call is up, and an ACK and BYE to where
    the answer came from can still end it.
    """
    try:
        target, route_set = _contact(response), _route_set(response)[::-1]
    except RemoteProtocolError:
        target, route_set = None, ()
    return Dialog(
        dialog_id=DialogId(call_id=response.call_id, local_tag=response.from_tag, remote_tag=response.to_tag),
        identity=identity,
        local=response.first("From") or "",
        remote=response.first("To") or "",
        target=target or str(response.to.uri),
        route_set=route_set,
        peer=peer,
        local_cseq=response.cseq.number,
    )


def dialog_of_invite(request: Request, *, local_tag: str, identity: LocalIdentity, peer: Address) -> Dialog:
    """The dialog our 2xx makes for the callee.

    Without a route the peer is reached where it spoke from and not at its Contact: phones stand behind NAT.

    Raises:
        RemoteProtocolError: no Contact, or a Record-Route that cannot be read.
    """
    target = _contact(request)
    if target is None:
        raise RemoteProtocolError("an INVITE without Contact")
    return _SymmetricDialog(
        dialog_id=DialogId(call_id=request.call_id, local_tag=local_tag, remote_tag=request.from_tag),
        identity=identity,
        local=f"{request.first('To')};tag={local_tag}",
        remote=request.first("From") or "",
        target=target,
        route_set=_route_set(request),
        peer=peer,
        remote_cseq=request.cseq.number,
    )


class _SymmetricDialog(Dialog):
    def next_hop(self) -> Address:
        return super().next_hop() if self._route_set else self._peer


def _contact(message: Message) -> str | None:
    values = message.every("Contact")
    return str(parse_name_addr(values[0]).uri) if values and values[0] != "*" else None


def _route_set(message: Message) -> tuple[str, ...]:
    routes = message.every("Record-Route")
    for route in routes:
        parse_name_addr(route)
    return routes
