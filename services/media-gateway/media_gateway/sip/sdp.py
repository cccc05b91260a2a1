"""Offer and answer for one G.711 audio stream with telephone-event (RFC 8866, RFC 3264, RFC 4733)."""

from dataclasses import dataclass, field, replace
from enum import StrEnum

from media_gateway.sip.errors import LocalProtocolError, RemoteProtocolError


class Codec(StrEnum):
    """The speech codecs we carry; both are 8000 Hz, one byte a sample, with fixed payload types."""

    PCMU = "PCMU"
    PCMA = "PCMA"


class Direction(StrEnum):
    """Who sends, from the point of view of the description's author."""

    SENDRECV = "sendrecv"
    SENDONLY = "sendonly"
    RECVONLY = "recvonly"
    INACTIVE = "inactive"


PAYLOAD_TYPES = {Codec.PCMU: 0, Codec.PCMA: 8}
_STATIC = {payload: codec for codec, payload in PAYLOAD_TYPES.items()}
_MIRROR = {Direction.SENDONLY: Direction.RECVONLY, Direction.RECVONLY: Direction.SENDONLY}
DTMF_PAYLOAD_TYPE = 101
PTIME_MS = 20


@dataclass(frozen=True, kw_only=True)
class SessionDescription:
    """One audio stream: where its author listens and in which codecs, best first.

    `other_media` are the stream lines that were not the audio taken, each with its place, since an answer has to
    refuse every one of them by name (RFC 3264 section 6). `port` 0 means the stream is refused.
    """

    address: str
    port: int
    codecs: tuple[Codec, ...] = (Codec.PCMU, Codec.PCMA)
    payload_types: tuple[int, ...] = (0, 8)
    dtmf_payload_type: int | None = DTMF_PAYLOAD_TYPE
    ptime_ms: int = PTIME_MS
    direction: Direction = Direction.SENDRECV
    session_id: int = 0
    version: int = 0
    other_media: tuple[tuple[int, str], ...] = field(default=(), repr=False)

    def to_bytes(self) -> bytes:
        """The wire form, `application/sdp`."""
        family = "IP6" if ":" in self.address else "IP4"
        lines = [
            "v=0",
            f"o=- {self.session_id} {self.version} IN {family} {self.address}",
            "s=-",
            f"c=IN {family} {self.address}",
            "t=0 0",
        ]
        streams = [self._audio_lines()]
        for place, media in self.other_media:
            kind, _, transport, *formats = media.split()
            streams.insert(place, [f"m={kind} 0 {transport} {' '.join(formats)}"])
        return ("\r\n".join(lines + [line for stream in streams for line in stream]) + "\r\n").encode()

    def _audio_lines(self) -> list[str]:
        dtmf = [] if self.dtmf_payload_type is None else [self.dtmf_payload_type]
        formats = " ".join(str(payload) for payload in (*self.payload_types, *dtmf))
        named = zip(self.payload_types, self.codecs, strict=True)
        lines = [f"m=audio {self.port} RTP/AVP {formats}"]
        lines += [f"a=rtpmap:{payload} {codec}/8000" for payload, codec in named]
        for payload in dtmf:
            lines += [f"a=rtpmap:{payload} telephone-event/8000", f"a=fmtp:{payload} 0-15"]
        return [*lines, f"a=ptime:{self.ptime_ms}", f"a={self.direction}"]


def offer(*, address: str, port: int, session_id: int, codecs: tuple[Codec, ...] = tuple(Codec)) -> SessionDescription:
    """What we propose: G.711 in the order given, telephone-event, 20 ms, both ways."""
    return SessionDescription(
        address=address,
        port=port,
        codecs=codecs,
        payload_types=tuple(PAYLOAD_TYPES[codec] for codec in codecs),
        session_id=session_id,
        version=session_id,
    )


def answer(remote: SessionDescription, *, address: str, port: int, session_id: int) -> SessionDescription:
    """Our answer to a peer's offer: its first codec that we carry, its payload numbers, the direction mirrored.

    Raises:
        LocalProtocolError: the offer has nothing we carry; look at `remote.codecs` first and reply 488.
    """
    if not remote.codecs:
        raise LocalProtocolError("nothing to answer: the offer has no G.711")
    return replace(
        remote,
        address=address,
        port=port if remote.port else 0,
        codecs=remote.codecs[:1],
        payload_types=remote.payload_types[:1],
        ptime_ms=PTIME_MS,
        direction=_MIRROR.get(remote.direction, remote.direction),
        session_id=session_id,
        version=session_id,
    )


def parse_sdp(body: bytes) -> SessionDescription:
    """Read the first audio stream of a description; a codec we do not carry is left out, so `codecs` may be empty.

    Raises:
        RemoteProtocolError: not SDP, no audio stream, or no address for it.
    """
    text = body.decode("utf-8", "replace")
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    if not lines or not lines[0].startswith("v="):
        raise RemoteProtocolError("not a session description")
    session, streams = _sections(lines)
    place = next((i for i, stream in enumerate(streams) if stream[0].lower().startswith("m=audio")), None)
    if place is None:
        raise RemoteProtocolError("no audio stream")
    others = tuple((i, stream[0][2:]) for i, stream in enumerate(streams) if i != place)
    if any(len(media.split()) < 4 for _, media in others):
        raise RemoteProtocolError("a stream line is cut short")
    return _audio(session, streams[place], others)


def _sections(lines: list[str]) -> tuple[list[str], list[list[str]]]:
    session: list[str] = []
    streams: list[list[str]] = []
    for line in lines:
        if line.startswith("m="):
            streams.append([line])
        else:
            (streams[-1] if streams else session).append(line)
    return session, streams


def _audio(session: list[str], stream: list[str], others: tuple[tuple[int, str], ...]) -> SessionDescription:
    fields = stream[0][2:].split()
    port_text = fields[1].partition("/")[0] if len(fields) > 3 else ""
    port = _number(port_text, "audio port", 65535)
    offered = [_number(text, "payload type", 127) for text in fields[3:]]
    names = _rtpmap(stream)
    codecs = [(payload, _codec(payload, names)) for payload in offered]
    carried = [(payload, codec) for payload, codec in codecs if codec is not None]
    dtmf = next((p for p in offered if names.get(p, "").startswith("TELEPHONE-EVENT/8000")), None)
    ptime = _attribute("ptime", stream, session)
    return SessionDescription(
        address=_connection(stream, session),
        port=port,
        codecs=tuple(codec for _, codec in carried),
        payload_types=tuple(payload for payload, _ in carried),
        dtmf_payload_type=dtmf,
        ptime_ms=int(ptime) if ptime is not None and ptime.isascii() and ptime.isdigit() and len(ptime) < 4 else 20,
        direction=_direction(stream, session),
        other_media=others,
    )


def _rtpmap(stream: list[str]) -> dict[int, str]:
    names: dict[int, str] = {}
    for line in stream:
        if line.lower().startswith("a=rtpmap:"):
            payload, _, name = line[9:].strip().partition(" ")
            names[_number(payload, "payload type", 127)] = name.strip().upper()
    return names


def _codec(payload: int, names: dict[int, str]) -> Codec | None:
    if payload not in names:
        return _STATIC.get(payload)
    name, _, rate = names[payload].partition("/")
    return Codec(name) if name in set(Codec) and rate in {"8000", "8000/1"} else None


def _connection(stream: list[str], session: list[str]) -> str:
    for line in (*stream, *session):
        if line.startswith("c="):
            fields = line[2:].split()
            if len(fields) < 3 or fields[0].upper() != "IN":
                raise RemoteProtocolError("no Internet address in c=")
            return fields[2].partition("/")[0]
    raise RemoteProtocolError("no address for the audio")


def _direction(stream: list[str], session: list[str]) -> Direction:
    for line in (*stream, *session):
        if line[2:].lower() in set(Direction):
            return Direction(line[2:].lower())
    return Direction.SENDRECV


def _attribute(name: str, stream: list[str], session: list[str]) -> str | None:
    for line in (*stream, *session):
        if line.lower().startswith(f"a={name}:"):
            return line.partition(":")[2].strip()
    return None


def _number(text: str, what: str, most: int) -> int:
    if not (text.isascii() and text.isdigit()) or len(text) > 5 or int(text) > most:
        raise RemoteProtocolError(f"{what} is not a number of 0..{most}")
    return int(text)
