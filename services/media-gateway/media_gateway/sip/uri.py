"""SIP and tel URIs, name-addr and Via values (RFC 3261 sections 19.1, 20.10 and 20.42, RFC 3966), read tolerantly."""

import ipaddress
import re
from dataclasses import dataclass, field

from media_gateway.sip.errors import RemoteProtocolError

Params = tuple[tuple[str, str | None], ...]
Address = tuple[str, int]
"""An IP address and a UDP port."""

DEFAULT_PORT = 5060
_HOST = re.compile(r"[A-Za-z0-9._\-]+|\[[0-9A-Fa-f:.%]+\]")
_UNSAFE = re.compile(r"[\x00-\x20\x7f<>\"]")


@dataclass(frozen=True, kw_only=True, slots=True)
class Uri:
    """`scheme:user@host:port;params`; a tel URI has its number as user and an empty host.

    The user part is a callee's number more often than not, so no representation shows it.
    """

    scheme: str
    user: str | None = field(default=None, repr=False)
    host: str
    port: int | None = None
    params: Params = field(default=(), repr=False)

    def param(self, name: str) -> str | None:
        """The parameter's value, "" for one without a value, None when absent; names compare without case."""
        return param_of(self.params, name)

    def address(self) -> Address | None:
        """Where to send when the host is an IP literal, else None: this package resolves no names."""
        literal = self.host.strip("[]")
        try:
            ipaddress.ip_address(literal)
        except ValueError:
            return None
        return literal, self.port or DEFAULT_PORT

    def __str__(self) -> str:
        if self.scheme == "tel":
            return f"tel:{self.user}{_join_params(self.params)}"
        user = f"{self.user}@" if self.user is not None else ""
        port = f":{self.port}" if self.port is not None else ""
        return f"{self.scheme}:{user}{self.host}{port}{_join_params(self.params)}"


@dataclass(frozen=True, kw_only=True, slots=True)
class NameAddr:
    """A From, To, Contact, Route or Record-Route value."""

    display: str = field(default="", repr=False)
    uri: Uri
    params: Params = ()

    def param(self, name: str) -> str | None:
        """A header parameter (such as the tag), as Uri.param."""
        return param_of(self.params, name)


@dataclass(frozen=True, kw_only=True, slots=True)
class Via:
    """One hop: who sent this message and under which branch."""

    transport: str
    host: str
    port: int | None
    params: Params

    def param(self, name: str) -> str | None:
        """A Via parameter, as Uri.param."""
        return param_of(self.params, name)

    @property
    def branch(self) -> str:
        """The transaction's branch, "" when the peer (RFC 2543) sent none."""
        return self.param("branch") or ""

    @property
    def sent_by(self) -> str:
        """host:port in lower case with the default port written out, to compare with our own."""
        return f"{self.host.lower()}:{self.port or DEFAULT_PORT}"


def parse_uri(text: str) -> Uri:
    """Read a SIP, SIPS or tel URI.

    Raises:
        RemoteProtocolError: another scheme, an impossible host or port, or characters no URI may hold.
    """
    scheme, colon, rest = text.strip().partition(":")
    scheme = scheme.lower()
    if not colon or scheme not in {"sip", "sips", "tel"} or _UNSAFE.search(rest):
        raise RemoteProtocolError("not a SIP or tel URI")
    if scheme == "tel":
        number, semicolon, tail = rest.partition(";")
        return Uri(scheme=scheme, user=number, host="", params=parse_params(semicolon + tail))
    # The user part may hold ';' and '?', so the last '@' decides before either is looked at.
    user, at, tail = rest.rpartition("@")
    tail = tail.partition("?")[0]
    hostport, semicolon, params = tail.partition(";")
    host, port = parse_hostport(hostport)
    return Uri(scheme=scheme, user=user if at else None, host=host, port=port, params=parse_params(semicolon + params))


def parse_name_addr(text: str) -> NameAddr:
    """Read `"Display" <uri>;params`, `Display <uri>;params` or `uri;params` (then the parameters are the header's).

    Raises:
        RemoteProtocolError: no URI can be found.
    """
    text = text.strip()
    open_at = _find_unquoted(text, "<")
    if open_at < 0:
        bare, semicolon, params = text.partition(";")
        return NameAddr(uri=parse_uri(bare), params=parse_params(semicolon + params))
    close_at = text.find(">", open_at)
    if close_at < 0:
        raise RemoteProtocolError("name-addr without a closing bracket")
    display = text[:open_at].strip()
    if display.startswith('"') and display.endswith('"') and len(display) > 1:
        display = re.sub(r"\\(.)", r"\1", display[1:-1])
    return NameAddr(
        display=display, uri=parse_uri(text[open_at + 1 : close_at]), params=parse_params(text[close_at + 1 :])
    )


def parse_via(text: str) -> Via:
    """Read `SIP/2.0/UDP host:port;params`, with white space wherever RFC 3261 lets it be.

    Raises:
        RemoteProtocolError: not a SIP/2.0 hop.
    """
    sent, semicolon, params = text.strip().partition(";")
    parts = [part.strip() for part in sent.split("/", 2)]
    if len(parts) != 3 or parts[0].upper() != "SIP" or parts[1] != "2.0":
        raise RemoteProtocolError("Via is not SIP/2.0")
    transport, _, hostport = parts[2].partition(" ")
    host, port = parse_hostport(hostport)
    return Via(transport=transport.upper(), host=host, port=port, params=parse_params(semicolon + params))


def parse_hostport(text: str) -> tuple[str, int | None]:
    """Split `host[:port]`; an IPv6 host keeps its brackets.

    Raises:
        RemoteProtocolError: no host, or a port outside 1..65535.
    """
    text = text.strip()
    match = _HOST.match(text)
    if match is None:
        raise RemoteProtocolError("no host where one is needed")
    rest = text[match.end() :].strip()
    if not rest:
        return match.group(), None
    port = rest[1:].strip()
    if rest[0] != ":" or not (port.isascii() and port.isdigit()) or len(port) > 5 or not 0 < int(port) < 65536:
        raise RemoteProtocolError("a port is not a number of 1..65535")
    return match.group(), int(port)


def parse_params(text: str) -> Params:
    """Read `;name=value;flag`, names in lower case, quotes kept off the values."""
    if not text:
        return ()
    params: list[tuple[str, str | None]] = []
    for part in split_unquoted(text, ";"):
        name, equals, value = part.partition("=")
        if name.strip():
            params.append((name.strip().lower(), value.strip().strip('"') if equals else None))
    return tuple(params)


def param_of(params: Params, name: str) -> str | None:
    """The value of a parameter: "" for a flag, None when it is not there."""
    for key, value in params:
        if key == name:
            return value or ""
    return None


def split_unquoted(text: str, separator: str) -> list[str]:
    """Split at a separator that stands outside quotes and angle brackets; empty parts are dropped."""
    if '"' not in text and "<" not in text:
        return [part for part in (piece.strip() for piece in text.split(separator)) if part]
    parts: list[str] = []
    start, position = 0, 0
    while position >= 0:
        position = _find_unquoted(text, separator, start)
        part = (text[start:position] if position >= 0 else text[start:]).strip()
        if part:
            parts.append(part)
        start = position + 1
    return parts


def _find_unquoted(text: str, wanted: str, start: int = 0) -> int:
    quoted, bracketed, escaped = False, False, False
    for position in range(start, len(text)):
        char = text[position]
        if escaped:
            escaped = False
        elif quoted:
            escaped, quoted = char == "\\", char != '"'
        elif char == wanted and not bracketed:
            return position
        elif char == '"':
            quoted = True
        elif char in "<>":
            bracketed = char == "<"
    return -1


def _join_params(params: Params) -> str:
    return "".join(f";{name}" if value is None else f";{name}={value}" for name, value in params)
