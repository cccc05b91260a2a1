"""Which transaction a message has, and where an answer goes (RFC 3261 sections 17.1.3, 17.2.3 and 18.2; RFC 3581)."""

from dataclasses import replace

from media_gateway.sip.message import Message, Request
from media_gateway.sip.uri import DEFAULT_PORT, Address, split_unquoted

Key = tuple[str, ...]
_COOKIE = "z9hG4bK"


def client_key(message: Message) -> Key:
    """Of a request of ours and of every response to it."""
    return "client", message.via.branch, message.cseq.method


def server_key(request: Request, method: str = "") -> Key:
    """Of a received request; an ACK has its INVITE's key, a CANCEL finds the INVITE's with method="INVITE"."""
    method = method or ("INVITE" if request.method == "ACK" else request.method)
    via = request.via
    branch = via.branch
    if not branch.startswith(_COOKIE):  # an RFC 2543 peer: its branch names nothing
        branch = f"{request.call_id} {request.cseq.number} {request.from_tag}"
    return "server", branch, via.sent_by, method


def call_key(call_id: str) -> Key:
    """Of a call's own timers."""
    return "call", call_id


def stamp(request: Request, source: Address) -> Request:
    """Note in the topmost Via where the request really came from, so that every copy of it in a response says so."""
    via = request.via
    if via.host == source[0] and via.param("rport") is None:
        return request
    headers = list(request.headers)
    place = next(i for i, (name, _) in enumerate(headers) if name == "Via")
    first, *rest = split_unquoted(headers[place][1], ",")
    kept = [part for part in split_unquoted(first, ";") if part.partition("=")[0].strip().lower() not in _STAMPS]
    marks = [f"received={source[0]}"]
    if via.param("rport") is not None:
        marks.append(f"rport={source[1]}")
    headers[place] = ("Via", ", ".join([";".join([*kept, *marks]), *rest]))
    return replace(request, headers=tuple(headers))


_STAMPS = frozenset({"received", "rport"})


def reply_address(request: Request, source: Address) -> Address:
    """Where a response goes: the source's port when the peer asked for it by rport, else its stated port."""
    via = request.via
    return source if via.param("rport") is not None else (source[0], via.port or DEFAULT_PORT)
