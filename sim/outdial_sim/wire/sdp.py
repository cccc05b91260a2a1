"""One audio stream of SDP (RFC 4566, RFC 3264): G.711 and telephone-event only. Pure."""

import re
from dataclasses import dataclass

PCMU = 0
PCMA = 8
TELEPHONE_EVENT = 101
_NAMES = {PCMU: "PCMU/8000", PCMA: "PCMA/8000"}
_MIRROR = {"sendrecv": "sendrecv", "sendonly": "recvonly", "recvonly": "sendonly", "inactive": "inactive"}


class MalformedSdp(ValueError):
    """The body has no audio stream that this peer could use."""


@dataclass(frozen=True, kw_only=True)
class AudioStream:
    """Where a peer wants RTP, its G.711 payload types in order of preference, its telephone-event type if any."""

    host: str
    port: int
    codecs: tuple[int, ...]
    event_type: int | None = TELEPHONE_EVENT
    direction: str = "sendrecv"


def parse(body: bytes) -> AudioStream:
    """The first audio stream of a description. Raises MalformedSdp."""
    text = body.decode("utf-8", "replace").replace("\r\n", "\n")
    session, _, media = text.partition("\nm=audio ")
    if not media:
        raise MalformedSdp("no audio stream")
    media = media.split("\nm=")[0]
    words = media.split("\n", 1)[0].split()
    if len(words) < 3 or not words[0].isdigit():
        raise MalformedSdp("the media line must have port, profile and formats")
    host = re.search(r"^c=IN IP4 (\S+)", media, re.MULTILINE) or re.search(r"^c=IN IP4 (\S+)", session, re.MULTILINE)
    codecs = tuple(int(word) for word in words[2:] if word in ("0", "8"))
    if host is None or not codecs:
        raise MalformedSdp("an IPv4 connection and PCMU or PCMA are required")
    event = re.search(r"^a=rtpmap:(\d+) telephone-event/8000", media, re.MULTILINE | re.IGNORECASE)
    direction = re.search(r"^a=(sendrecv|sendonly|recvonly|inactive)\s*$", media, re.MULTILINE)
    return AudioStream(
        host=host.group(1),
        port=int(words[0]),
        codecs=codecs,
        event_type=int(event.group(1)) if event else None,
        direction=direction.group(1) if direction else "sendrecv",
    )


def offer(host: str, port: int, session: int, *, version: int = 1) -> bytes:
    """An offer of PCMU, PCMA and telephone-event."""
    return write(AudioStream(host=host, port=port, codecs=(PCMU, PCMA)), session, version)


def answer(offered: AudioStream, host: str, port: int, session: int, *, version: int = 1) -> bytes:
    """An answer that takes the first codec offered and mirrors the direction (RFC 3264 section 6)."""
    stream = AudioStream(
        host=host,
        port=port,
        codecs=offered.codecs[:1],
        event_type=offered.event_type,
        direction=_MIRROR[offered.direction],
    )
    return write(stream, session, version)


def write(stream: AudioStream, session: int, version: int) -> bytes:
    """A description of one stream; the same lines in the same order whoever is called."""
    formats = [*stream.codecs, *([] if stream.event_type is None else [stream.event_type])]
    lines = [
        "v=0",
        f"o=- {session} {version} IN IP4 {stream.host}",
        "s=-",
        f"c=IN IP4 {stream.host}",
        "t=0 0",
        f"m=audio {stream.port} RTP/AVP {' '.join(map(str, formats))}",
        *(f"a=rtpmap:{codec} {_NAMES[codec]}" for codec in stream.codecs),
    ]
    if stream.event_type is not None:
        lines += [f"a=rtpmap:{stream.event_type} telephone-event/8000", f"a=fmtp:{stream.event_type} 0-15"]
    lines += ["a=ptime:20", f"a={stream.direction}"]
    return ("\r\n".join(lines) + "\r\n").encode()
