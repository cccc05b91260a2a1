"""Passes packets of one source on under our own stream's numbers, so a bridge and a prompt form one unbroken stream.

Sequence and timestamp keep their distance to the source's: what the network lost or swapped before us stays visible to
the far end's own jitter buffer, which conceals better than a second guess here.
"""

from __future__ import annotations

from dataclasses import dataclass

from media_gateway.rtp.g711 import FRAME_SAMPLES
from media_gateway.rtp.packet import SEQUENCE_MODULUS, TIMESTAMP_MODULUS, RtpPacket, pack_rtp_fields, sequence_distance
from media_gateway.rtp.stream import MAX_DROPOUT_PACKETS, SendStream


@dataclass(kw_only=True, slots=True)
class Relay:
    """One direction of a bridge into `stream`."""

    stream: SendStream
    _ssrc: int | None = None
    _sequence_offset: int = 0
    _timestamp_offset: int = 0

    def forward(self, packet: RtpPacket, payload: bytes, payload_type: int) -> bytes:
        """Returns the wire packet for the far end; a new source or a leap of its numbers is joined on seamlessly."""
        stream = self.stream
        sequence = (packet.sequence + self._sequence_offset) % SEQUENCE_MODULUS
        ahead = sequence_distance(sequence, stream.sequence)
        joining = packet.ssrc != self._ssrc or abs(ahead) > MAX_DROPOUT_PACKETS
        if joining:
            self._ssrc = packet.ssrc
            self._sequence_offset = stream.sequence - packet.sequence
            self._timestamp_offset = stream.timestamp - packet.timestamp
            sequence, ahead = stream.sequence, 0
        timestamp = (packet.timestamp + self._timestamp_offset) % TIMESTAMP_MODULUS
        if ahead >= 0:
            stream.sequence = (sequence + 1) % SEQUENCE_MODULUS
            stream.timestamp = (timestamp + FRAME_SAMPLES) % TIMESTAMP_MODULUS
        stream.packets_sent += 1
        stream.bytes_sent += len(payload)
        marker = joining or packet.marker
        return pack_rtp_fields(payload_type, sequence, timestamp, stream.ssrc, payload, marker=marker)
