"""RTP packets (RFC 3550, section 5.1) and telephone events (RFC 4733, section 2.3): bytes in, values out, no I/O.

Whatever arrives on an open UDP port is untrusted: `parse_rtp` and `parse_telephone_event` raise a named error for
anything that is not a well-formed packet and never raise anything else.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import StrEnum

RTP_VERSION = 2
HEADER_BYTES = 12
SEQUENCE_MODULUS = 1 << 16
TIMESTAMP_MODULUS = 1 << 32

_HEADER = struct.Struct("!BBHII")
_EVENT = struct.Struct("!BBH")
_DIGITS = "0123456789*#ABCD"


class PacketFault(StrEnum):
    """Why bytes are not the packet they should be."""

    TOO_SHORT = "too_short"
    WRONG_VERSION = "wrong_version"
    RTCP = "rtcp"
    TRUNCATED_CSRC = "truncated_csrc"
    TRUNCATED_EXTENSION = "truncated_extension"
    BAD_PADDING = "bad_padding"
    RESERVED_BIT = "reserved_bit"


class PacketError(ValueError):
    """Bytes that are not a packet; `fault` says why and no payload is repeated in the text."""

    def __init__(self, fault: PacketFault, size_bytes: int) -> None:
        super().__init__(f"{fault.value} ({size_bytes} bytes)")
        self.fault = fault


@dataclass(frozen=True, kw_only=True, slots=True)
class RtpPacket:
    """One packet; `timestamp` counts samples at 8,000 Hz modulo 2^32, `sequence` packets modulo 2^16."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes
    marker: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class TelephoneEvent:
    """A DTMF event report: `duration` in timestamp units since the event's start, `volume_dbm0` 0..63 below 0 dBm0."""

    event: int
    end: bool
    volume_dbm0: int
    duration: int

    @property
    def digit(self) -> str | None:
        """The key of events 0-15, None for any other event code."""
        return _DIGITS[self.event] if self.event < len(_DIGITS) else None


def pack_rtp(packet: RtpPacket) -> bytes:
    """Returns the wire form without padding, extension or CSRC list. Raises struct.error for fields out of range."""
    return pack_rtp_fields(
        packet.payload_type, packet.sequence, packet.timestamp, packet.ssrc, packet.payload, marker=packet.marker
    )


def pack_rtp_fields(
    payload_type: int, sequence: int, timestamp: int, ssrc: int, payload: bytes, *, marker: bool = False
) -> bytes:
    """The same from loose fields: the relay sends 50 packets a second per leg and skips the intermediate object."""
    return _HEADER.pack(RTP_VERSION << 6, (marker << 7) | payload_type, sequence, timestamp, ssrc) + payload


def parse_rtp(data: bytes) -> RtpPacket:
    """Returns the packet; CSRCs, header extension and padding are checked and dropped. Raises PacketError."""
    size = len(data)
    if size < HEADER_BYTES:
        raise PacketError(PacketFault.TOO_SHORT, size)
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    if first >> 6 != RTP_VERSION:
        raise PacketError(PacketFault.WRONG_VERSION, size)
    if 192 <= second <= 223:  # RFC 5761, section 4: these are RTCP packet types on a shared port
        raise PacketError(PacketFault.RTCP, size)
    start, end = (HEADER_BYTES, size) if first == RTP_VERSION << 6 else _payload_bounds(data, first)
    return RtpPacket(
        payload_type=second & 0x7F,
        sequence=sequence,
        timestamp=timestamp,
        ssrc=ssrc,
        payload=data[start:end],
        marker=bool(second & 0x80),
    )


def _payload_bounds(data: bytes, first: int) -> tuple[int, int]:
    size = len(data)
    start = HEADER_BYTES + 4 * (first & 0x0F)
    if start > size:
        raise PacketError(PacketFault.TRUNCATED_CSRC, size)
    if first & 0x10:
        if start + 4 > size:
            raise PacketError(PacketFault.TRUNCATED_EXTENSION, size)
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4])
        if start > size:
            raise PacketError(PacketFault.TRUNCATED_EXTENSION, size)
    if not first & 0x20:
        return start, size
    padding = data[-1] if start < size else 0
    if padding == 0 or start + padding > size:
        raise PacketError(PacketFault.BAD_PADDING, size)
    return start, size - padding


def parse_telephone_event(payload: bytes) -> TelephoneEvent:
    """Returns the first event report of a payload (a sender may append earlier ones). Raises PacketError."""
    if len(payload) < _EVENT.size:
        raise PacketError(PacketFault.TOO_SHORT, len(payload))
    event, flags, duration = _EVENT.unpack_from(payload)
    if flags & 0x40:
        raise PacketError(PacketFault.RESERVED_BIT, len(payload))
    return TelephoneEvent(event=event, end=bool(flags & 0x80), volume_dbm0=flags & 0x3F, duration=duration)


def pack_telephone_event(event: TelephoneEvent) -> bytes:
    """Returns the 4 bytes of an event report. Raises struct.error for fields out of range."""
    return _EVENT.pack(event.event, (event.end << 7) | event.volume_dbm0, event.duration)


def sequence_distance(later: int, earlier: int) -> int:
    """Returns later - earlier on the 16-bit circle, in -32,768..32,767: positive when `later` comes after."""
    return (later - earlier + 0x8000) % SEQUENCE_MODULUS - 0x8000
