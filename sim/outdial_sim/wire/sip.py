"""SIP messages, tolerant on reading and exact on writing (RFC 3261 sections 7, 8, 20). Pure."""

import re
from dataclasses import dataclass
from urllib.parse import unquote

COMPACT = {
    "v": "via", "f": "from", "t": "to", "i": "call-id", "m": "contact", "l": "content-length", "c": "content-type",
    "k": "supported", "s": "subject", "e": "content-encoding",
}  # fmt: skip
LISTS = frozenset({"via", "route", "record-route", "contact"})
PHRASES = {
    100: "Trying", 180: "Ringing", 183: "Session Progress", 200: "OK", 400: "Bad Request", 401: "Unauthorized",
    403: "Forbidden", 404: "Not Found", 405: "Method Not Allowed", 407: "Proxy Authentication Required",
    480: "Temporarily Unavailable", 481: "Call/Transaction Does Not Exist", 486: "Busy Here",
    487: "Request Terminated", 488: "Not Acceptable Here", 503: "Service Unavailable",
}  # fmt: skip
ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS"
_URI = re.compile(r"sips?:(?:([^@;>?]*)@)?(\[[^\]]+\]|[^:;>?\s]+)(?::(\d+))?", re.IGNORECASE)
Address = tuple[str, int]
Headers = tuple[tuple[str, str], ...]


class MalformedMessage(ValueError):
    """The datagram is not a SIP message; the text names the rule, never the content."""


@dataclass(frozen=True, kw_only=True)
class SipMessage:
    """A request (method, uri) or a response (status, phrase); compact header names are expanded."""

    method: str = ""
    uri: str = ""
    status: int = 0
    phrase: str = ""
    headers: Headers = ()
    body: bytes = b""

    def all(self, name: str) -> list[str]:
        """Every value of a header, in order; lists (Via, Route, ...) are split at commas."""
        wanted = name.lower()
        values = [value for key, value in self.headers if key.lower() == wanted]
        return [part for value in values for part in split_list(value)] if wanted in LISTS else values

    def get(self, name: str) -> str | None:
        """The first value of a header, or None."""
        values = self.all(name)
        return values[0] if values else None

    def need(self, name: str) -> str:
        """The first value of a header. Raises MalformedMessage when it is absent."""
        value = self.get(name)
        if value is None:
            raise MalformedMessage(f"{name} is required")
        return value

    @property
    def call_id(self) -> str:
        """Call-ID."""
        return self.need("Call-ID")

    @property
    def cseq(self) -> tuple[int, str]:
        """Sequence number and method of CSeq."""
        number, _, method = self.need("CSeq").strip().partition(" ")
        if not number.isdigit() or not method.strip():
            raise MalformedMessage("CSeq must be a number and a method")
        return int(number), method.strip().upper()

    @property
    def from_tag(self) -> str | None:
        """The From tag, if any."""
        return parameter(self.need("From"), "tag")

    @property
    def to_tag(self) -> str | None:
        """The To tag, if any."""
        return parameter(self.need("To"), "tag")

    @property
    def branch(self) -> str:
        """The topmost Via's branch; empty for an RFC 2543 peer."""
        return parameter(self.need("Via"), "branch") or ""


def parse(data: bytes) -> SipMessage:
    """Read one datagram. Raises MalformedMessage. A body longer than Content-Length is cut (RFC 3261 18.3)."""
    head, _, body = data.partition(b"\r\n\r\n")
    try:
        lines = head.decode("utf-8").lstrip("\r\n").split("\r\n")
    except UnicodeDecodeError as error:
        raise MalformedMessage("headers must be UTF-8") from error
    headers = _headers(lines[1:])
    length = next((value for name, value in headers if name.lower() == "content-length"), str(len(body)))
    if not length.isdigit() or int(length) > len(body):
        raise MalformedMessage("Content-Length must be a number no larger than the body")
    message = _start(lines[0], headers, body[: int(length)])
    for name in ("Via", "From", "To", "Call-ID", "CSeq"):
        message.need(name)
    _ = message.cseq
    return message


def write(message: SipMessage) -> bytes:
    """Bytes of a message; Content-Length is computed, whatever the headers say."""
    if message.status:
        start = f"SIP/2.0 {message.status} {message.phrase or PHRASES.get(message.status, 'Unknown')}"
    else:
        start = f"{message.method} {message.uri} SIP/2.0"
    lines = [start, *(f"{name}: {value}" for name, value in message.headers if name.lower() != "content-length")]
    lines.append(f"Content-Length: {len(message.body)}")
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + message.body


def response(
    request: SipMessage,
    status: int,
    *,
    source: Address,
    to_tag: str | None = None,
    extra: Headers = (),
    body: bytes = b"",
) -> SipMessage:
    """A response to `request` (RFC 3261 8.2.6); Via gets received and rport (RFC 3581)."""
    vias = request.all("Via")
    vias[0] = _answered_via(vias[0], source)
    to = request.need("To")
    if to_tag and not parameter(to, "tag"):
        to = f"{to};tag={to_tag}"
    headers = [("Via", via) for via in vias]
    headers += [("Record-Route", route) for route in request.all("Record-Route")]
    headers += [
        ("From", request.need("From")),
        ("To", to),
        ("Call-ID", request.call_id),
        ("CSeq", request.need("CSeq")),
    ]
    headers += extra
    if body:
        headers.append(("Content-Type", "application/sdp"))
    return SipMessage(status=status, phrase=PHRASES.get(status, "Unknown"), headers=tuple(headers), body=body)


def reply_address(request: SipMessage, source: Address) -> Address:
    """Where a response goes: the source when rport was asked for, else the port of the Via (RFC 3261 18.2.2)."""
    via = request.need("Via")
    if re.search(r";\s*rport\b", via):
        return source
    sent_by = via.split(";")[0].split()[-1]
    port = sent_by.rpartition(":")[2]
    return source[0], int(port) if ":" in sent_by and port.isdigit() else 5060


def parameter(value: str, name: str) -> str | None:
    """A header parameter such as tag or branch, outside the angle brackets; None when absent."""
    outside = value.rpartition(">")[2] if "<" in value else value
    for part in outside.split(";")[1:]:
        key, _, content = part.strip().partition("=")
        if key.strip().lower() == name:
            return content.strip().strip('"')
    return None


def uri_of(value: str) -> str:
    """The URI of a name-addr or addr-spec (From, To, Contact, Route)."""
    inside = re.search(r"<([^>]*)>", value)
    return inside.group(1) if inside else value.split(";")[0].strip()


def uri_user(uri: str) -> str:
    """The user part of a SIP URI without escapes; empty when there is none."""
    found = _URI.match(uri)
    return unquote(found.group(1) or "").split(";")[0] if found else ""


def uri_address(uri: str) -> Address | None:
    """IPv4 host and port (default 5060) of a SIP URI; None when it is not one or names a host that only DNS knows."""
    found = _URI.match(uri)
    host = found.group(2) if found else ""
    host = "127.0.0.1" if host.lower() == "localhost" else host
    if found is None or not re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3}){3}", host):
        return None
    return host, int(found.group(3) or 5060)


def split_list(value: str) -> list[str]:
    """Split a comma list outside quotes and angle brackets."""
    parts, depth, quoted, start = [], 0, False, 0
    for place, letter in enumerate(value):
        if letter == '"':
            quoted = not quoted
        elif not quoted and letter in "<>":
            depth += 1 if letter == "<" else -1
        elif letter == "," and not quoted and depth <= 0:
            parts.append(value[start:place].strip())
            start = place + 1
    parts.append(value[start:].strip())
    return [part for part in parts if part]


def _headers(lines: list[str]) -> Headers:
    unfolded: list[str] = []
    for line in lines:
        if line[:1] in (" ", "\t") and unfolded:
            unfolded[-1] += " " + line.strip()
        elif line:
            unfolded.append(line)
    headers = []
    for line in unfolded:
        name, colon, value = line.partition(":")
        name = name.strip()
        if not colon or not name:
            raise MalformedMessage("a header must be name: value")
        headers.append((COMPACT.get(name.lower(), name), value.strip()))
    return tuple(headers)


def _start(line: str, headers: Headers, body: bytes) -> SipMessage:
    parts = line.split(" ", 2)
    if len(parts) >= 2 and parts[0] == "SIP/2.0" and parts[1].isdigit() and 100 <= int(parts[1]) <= 699:
        phrase = parts[2] if len(parts) == 3 else ""
        return SipMessage(status=int(parts[1]), phrase=phrase, headers=headers, body=body)
    if len(parts) == 3 and parts[2].strip() == "SIP/2.0" and parts[0].isupper():
        return SipMessage(method=parts[0], uri=parts[1], headers=headers, body=body)
    raise MalformedMessage("the first line must be a request or a status line")


def _answered_via(via: str, source: Address) -> str:
    if not re.search(r";\s*rport\b", via):
        return via
    via = re.sub(r";\s*rport(=\d*)?", f";rport={source[1]}", via, count=1)
    return f"{via};received={source[0]}"
