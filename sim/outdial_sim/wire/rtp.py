"""RTP packets (RFC 3550 section 5.1) and telephone events (RFC 4733 section 2.3). Pure."""

import struct
from dataclasses import dataclass

SAMPLE_RATE = 8000
FRAME_SECONDS = 0.02
FRAME_SAMPLES = 160
KEYS = "0123456789*#ABCD"
_HEADER = struct.Struct("!BBHII")


@dataclass(frozen=True, slots=True)
class RtpPacket:
    """The fields a G.711 peer needs; payload is one byte per sample."""

    payload_type: int
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


class Packetiser:
    """Numbers outgoing frames of one stream; timestamps advance with frames whether or not they are sent."""

    def __init__(self, *, ssrc: int, sequence: int, timestamp: int) -> None:
        self._ssrc = ssrc
        self._sequence = sequence
        self._timestamp = timestamp
        self._talking = False

    def pack(self, payload_type: int, payload: bytes) -> bytes:
        """The next packet; the first one after a gap carries the marker bit."""
        marker = 0 if self._talking else 0x80
        self._talking = True
        header = _HEADER.pack(0x80, marker | payload_type, self._sequence, self._timestamp, self._ssrc)
        self._sequence = (self._sequence + 1) & 0xFFFF
        self._timestamp = (self._timestamp + len(payload)) & 0xFFFFFFFF
        return header + payload

    def skip(self, samples: int) -> None:
        """Let time pass without a packet."""
        self._talking = False
        self._timestamp = (self._timestamp + samples) & 0xFFFFFFFF


def unpack(data: bytes) -> RtpPacket | None:
    """One received packet, or None for what is not RTP version 2 (RTCP, STUN); padding and extensions are removed."""
    if len(data) < 12 or data[0] >> 6 != 2:
        return None
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(data)
    start, end = 12 + 4 * (first & 0x0F), len(data)
    if first & 0x10:
        if len(data) < start + 4:
            return None
        start += 4 + 4 * int.from_bytes(data[start + 2 : start + 4], "big")
    if first & 0x20:
        end -= data[-1]
    if start > end or 72 <= second & 0x7F <= 76:
        return None
    return RtpPacket(second & 0x7F, sequence, timestamp, ssrc, data[start:end])


class KeyListener:
    """Turns telephone-event packets into keys, one per event timestamp however often a packet is repeated."""

    def __init__(self) -> None:
        self._last_timestamp: int | None = None

    def hear(self, packet: RtpPacket) -> str | None:
        """The key that begins with this packet, or None."""
        if packet.timestamp == self._last_timestamp or len(packet.payload) < 4 or packet.payload[0] >= len(KEYS):
            return None
        self._last_timestamp = packet.timestamp
        return KEYS[packet.payload[0]]
