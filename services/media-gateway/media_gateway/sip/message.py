"""SIP messages over UDP: bytes to Request or Response and back (RFC 3261 sections 7 and 18.3).

Reading is tolerant where carriers and phones differ (compact names, folding, case, bare LF, several values in one
line, no Content-Length); what cannot be routed safely is a RemoteProtocolError. Writing is strict: no line
break gets through.
"""

import re
from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from functools import cached_property, lru_cache
from typing import NamedTuple

from media_gateway.sip.errors import LocalProtocolError, RemoteProtocolError
from media_gateway.sip.uri import NameAddr, Via, parse_name_addr, parse_via, split_unquoted

Headers = tuple[tuple[str, str], ...]
"""(canonical name, value) pairs in wire order."""

_COMPACT = {
    "a": "Accept-Contact", "b": "Referred-By", "c": "Content-Type", "d": "Request-Disposition",
    "e": "Content-Encoding", "f": "From", "i": "Call-ID", "j": "Reject-Contact", "k": "Supported",
    "l": "Content-Length", "m": "Contact", "n": "Identity-Info", "o": "Event", "r": "Refer-To", "s": "Subject",
    "t": "To", "u": "Allow-Events", "v": "Via", "x": "Session-Expires", "y": "Identity",
}  # fmt: skip
_IRREGULAR = {
    "call-id": "Call-ID", "cseq": "CSeq", "www-authenticate": "WWW-Authenticate", "mime-version": "MIME-Version",
    "rack": "RAck", "rseq": "RSeq", "sip-etag": "SIP-ETag", "sip-if-match": "SIP-If-Match",
}  # fmt: skip
_LISTS = frozenset({"Via", "Route", "Record-Route", "Contact", "Require", "Supported", "Allow", "Unsupported"})
_TOKEN = re.compile(r"[A-Za-z0-9\-.!%*_+`'~]+")
_BREAK = re.compile(r"[\r\n\x00]")
_MAX_CSEQ = 2**31

REASON_PHRASES = {
    100: "Trying", 180: "Ringing", 200: "OK", 400: "Bad Request", 401: "Unauthorized", 403: "Forbidden",
    405: "Method Not Allowed", 420: "Bad Extension", 480: "Temporarily Unavailable",
    481: "Call/Transaction Does Not Exist", 482: "Loop Detected", 486: "Busy Here", 487: "Request Terminated",
    488: "Not Acceptable Here", 491: "Request Pending", 500: "Server Internal Error", 503: "Service Unavailable",
}  # fmt: skip


class CSeq(NamedTuple):
    """The sequence number and the method it counts."""

    number: int
    method: str


@dataclass(frozen=True, kw_only=True)
class Message(ABC):
    """What requests and responses share. Representations show no header and no body: they hold numbers."""

    headers: Headers = field(repr=False)
    body: bytes = field(default=b"", repr=False)

    def first(self, name: str) -> str | None:
        """The first value under a name (any case), None when there is none."""
        wanted = canonical(name)
        for key, value in self.headers:
            if key == wanted:
                return value
        return None

    def every(self, name: str) -> tuple[str, ...]:
        """All values under a name in order; of list headers such as Via, those sharing a line are split."""
        wanted = canonical(name)
        lines = [value for key, value in self.headers if key == wanted]
        if wanted not in _LISTS:
            return tuple(lines)
        return tuple(value for line in lines for value in split_unquoted(line, ","))

    @cached_property
    def via(self) -> Via:
        """The topmost hop."""
        values = self.every("Via")
        if not values:
            raise RemoteProtocolError("no Via")
        return parse_via(values[0])

    @cached_property
    def cseq(self) -> CSeq:
        """The sequence number, 0..2^31-1, and method."""
        number, _, method = (self.first("CSeq") or "").strip().partition(" ")
        method = method.strip()
        if not (number.isascii() and number.isdigit()) or len(number) > 10 or not _TOKEN.fullmatch(method):
            raise RemoteProtocolError("CSeq is not a number and a method")
        if int(number) >= _MAX_CSEQ:
            raise RemoteProtocolError("CSeq is over 2^31")
        return CSeq(int(number), method)

    @cached_property
    def call_id(self) -> str:
        """The call's identity."""
        return self._needed("Call-ID").strip()

    @cached_property
    def from_(self) -> NameAddr:
        """Who sent the request."""
        return parse_name_addr(self._needed("From"))

    @cached_property
    def to(self) -> NameAddr:
        """Whom the request was sent to."""
        return parse_name_addr(self._needed("To"))

    @property
    def from_tag(self) -> str:
        """The requester's tag, "" when it sent none."""
        return self.from_.param("tag") or ""

    @property
    def to_tag(self) -> str:
        """The responder's tag, "" outside a dialog."""
        return self.to.param("tag") or ""

    def _needed(self, name: str) -> str:
        value = self.first(name)
        if not value:
            raise RemoteProtocolError(f"no {name}")
        return value

    @abstractmethod
    def start_line(self) -> str:
        """The first line, without its end."""

    def to_bytes(self) -> bytes:
        """The wire form, Content-Length counted.

        Raises:
            LocalProtocolError: a value holds a line break, which would let it forge further headers.
        """
        lines = [self.start_line()]
        lines += [f"{name}: {value}" for name, value in self.headers if name != "Content-Length"]
        lines.append(f"Content-Length: {len(self.body)}")
        if any(_BREAK.search(line) for line in lines):
            raise LocalProtocolError("a header value holds a line break")
        return ("\r\n".join(lines) + "\r\n\r\n").encode("utf-8", "surrogateescape") + self.body


@dataclass(frozen=True, kw_only=True)
class Request(Message):
    """A request; `uri` is kept as text, as it must return unchanged in ACK and CANCEL."""

    method: str
    uri: str = field(repr=False)

    def start_line(self) -> str:
        """`METHOD uri SIP/2.0`."""
        return f"{self.method} {self.uri} SIP/2.0"


@dataclass(frozen=True, kw_only=True)
class Response(Message):
    """A response with its status of 100..699."""

    status: int
    reason: str = ""

    def start_line(self) -> str:
        """`SIP/2.0 status reason`."""
        return f"SIP/2.0 {self.status} {self.reason}"


@lru_cache(maxsize=512)
def canonical(name: str) -> str:
    """The one spelling under which a header is kept: compact forms expanded, RFC 3261's capitals."""
    lower = name.strip().lower()
    if lower in _COMPACT:
        return _COMPACT[lower]
    return _IRREGULAR.get(lower) or "-".join(part.capitalize() for part in lower.split("-"))


def parse_message(datagram: bytes) -> Request | Response:
    """Read one datagram.

    Returns:
        A message whose start line, Via, From, To, Call-ID and CSeq are known to be readable.

    Raises:
        RemoteProtocolError: anything else, a body shorter than its Content-Length included.
    """
    head, body = _split(datagram.lstrip(b"\r\n"))
    lines = _unfold(head)
    headers = tuple(_parse_header(line) for line in lines[1:])
    message = _parse_start(lines[0], headers)
    message = replace(message, body=_sized(message, body))
    _validate(message)
    return message


def respond(
    request: Request, status: int, *, to_tag: str = "", headers: Headers = (), body: bytes = b"", reason: str = ""
) -> Response:
    """A response to a request (RFC 3261 section 8.2.6): Via, From, To, Call-ID and CSeq are copied, the tag added."""
    copied = [(name, value) for name, value in request.headers if name in {"Via", "From", "Call-ID", "CSeq"}]
    to = request.first("To") or ""
    tagged = f"{to};tag={to_tag}" if to_tag and not request.to_tag else to
    if request.method == "INVITE" and status > 100:
        copied += [(name, value) for name, value in request.headers if name == "Record-Route"]
    return Response(
        status=status,
        reason=reason or REASON_PHRASES.get(status, "Unknown"),
        headers=(*copied, ("To", tagged), *headers),
        body=body,
    )


def _split(data: bytes) -> tuple[str, bytes]:
    for blank in (b"\r\n\r\n", b"\n\n"):
        head, found, body = data.partition(blank)
        if found:
            return head.decode("utf-8", "surrogateescape"), body
    raise RemoteProtocolError("the header does not end")


def _unfold(head: str) -> list[str]:
    lines: list[str] = []
    for line in head.split("\n"):
        line = line.removesuffix("\r")
        if line[:1] in {" ", "\t"} and len(lines) > 1:
            lines[-1] += " " + line.strip()
        else:
            lines.append(line)
    return lines


def _parse_header(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    name = name.strip()
    if not colon or not _TOKEN.fullmatch(name):
        raise RemoteProtocolError("a header line has no name")
    if _BREAK.search(value):
        raise RemoteProtocolError("a header value holds a control character")
    return canonical(name), value.strip()


def _parse_start(line: str, headers: Headers) -> Request | Response:
    if _BREAK.search(line):
        raise RemoteProtocolError("the start line holds a control character")
    first, _, rest = line.partition(" ")
    if first.upper() == "SIP/2.0":
        status, _, reason = rest.strip().partition(" ")
        if len(status) != 3 or not status.isascii() or not status.isdigit() or not 100 <= int(status) <= 699:
            raise RemoteProtocolError("no status of 100..699")
        return Response(status=int(status), reason=reason.strip(), headers=headers)
    uri, _, version = rest.strip().partition(" ")
    if version.strip().upper() != "SIP/2.0" or not _TOKEN.fullmatch(first) or not uri:
        raise RemoteProtocolError("not a SIP/2.0 start line")
    return Request(method=first, uri=uri, headers=headers)


def _sized(message: Message, body: bytes) -> bytes:
    length = message.first("Content-Length")
    if length is None:
        return body  # over UDP the datagram ends the message (RFC 3261 section 18.3)
    if not (length.isascii() and length.isdigit()) or len(length) > 6:
        raise RemoteProtocolError("Content-Length is not a number")
    if int(length) > len(body):
        raise RemoteProtocolError("the body is shorter than its Content-Length")
    return body[: int(length)]


def _validate(message: Request | Response) -> None:
    _ = message.via, message.call_id, message.from_, message.to
    if isinstance(message, Request):
        if message.cseq.method != message.method:
            raise RemoteProtocolError("CSeq counts another method")
    else:
        _ = message.cseq
