"""Both directions' bookkeeping of one RTP stream: what to write into the next header, and what was lost on the way in.

Loss and interarrival jitter follow RFC 3550, sections 6.4.1, A.1, A.3 and A.8. Time is an argument in seconds.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from media_gateway.rtp.g711 import FRAME_SAMPLES, SAMPLE_RATE_HZ
from media_gateway.rtp.packet import SEQUENCE_MODULUS, TIMESTAMP_MODULUS, RtpPacket, pack_rtp_fields, sequence_distance

MAX_DROPOUT_PACKETS = 3_000
MAX_MISORDER_PACKETS = 100


@dataclass(kw_only=True, slots=True)
class SendStream:
    """Numbers outgoing packets. `sequence`, `timestamp` and `ssrc` start at random values that the caller draws."""

    ssrc: int
    sequence: int
    timestamp: int
    payload_type: int = 0
    packets_sent: int = 0
    bytes_sent: int = 0
    _talking: bool = field(default=False, init=False)

    def packet(self, payload: bytes, *, payload_type: int | None = None) -> bytes:
        """Returns the wire packet of one 20 ms frame; the marker is set on the first after a pause (RFC 3551, 4.1)."""
        wire = pack_rtp_fields(
            self.payload_type if payload_type is None else payload_type,
            self.sequence,
            self.timestamp,
            self.ssrc,
            payload,
            marker=not self._talking,
        )
        self._talking = True
        self.sequence = (self.sequence + 1) % SEQUENCE_MODULUS
        self.timestamp = (self.timestamp + FRAME_SAMPLES) % TIMESTAMP_MODULUS
        self.packets_sent += 1
        self.bytes_sent += len(payload)
        return wire

    def event_packet(self, payload: bytes, payload_type: int, *, first: bool) -> bytes:
        """Returns a telephone-event packet: every report of one event repeats the timestamp of its start (RFC 4733)."""
        wire = pack_rtp_fields(payload_type, self.sequence, self.timestamp, self.ssrc, payload, marker=first)
        self.sequence = (self.sequence + 1) % SEQUENCE_MODULUS
        self.packets_sent += 1
        self.bytes_sent += len(payload)
        return wire

    def skip_frames(self, count: int) -> None:
        """Lets `count` frames of silence pass unsent: the clock runs, the sequence waits, a marker follows."""
        self.timestamp = (self.timestamp + count * FRAME_SAMPLES) % TIMESTAMP_MODULUS
        self._talking = False


@dataclass(frozen=True, kw_only=True, slots=True)
class ReceiveReport:
    """What one leg received since it was opened; `jitter_ms` is the RFC 3550 estimate of the current source."""

    packets: int
    bytes: int
    expected: int
    lost: int
    duplicates_and_late: int
    source_changes: int
    jitter_ms: float

    @property
    def loss_fraction(self) -> float:
        """Lost over expected packets, 0 before the first."""
        return self.lost / self.expected if self.expected else 0.0


@dataclass(kw_only=True, slots=True)
class ReceiveStats:
    """Counts incoming packets of a leg; a new SSRC, or a sequence jump no network explains, starts a new source."""

    packets: int = 0
    bytes: int = 0
    source_changes: int = 0
    disordered: int = 0
    _ssrc: int | None = None
    _base: int = 0
    _highest: int = 0
    _cycles: int = 0
    _source_packets: int = 0
    _expected_before: int = 0
    _lost_before: int = 0
    _transit: float = 0.0
    _jitter: float = 0.0

    def on_packet(self, packet: RtpPacket, arrived_seconds: float) -> None:
        """Takes one packet and its monotonic time of arrival, in seconds."""
        self.packets += 1
        self.bytes += len(packet.payload)
        if packet.ssrc != self._ssrc or not self._advance(packet.sequence):
            self._start_source(packet)
        self._source_packets += 1
        self._update_jitter(packet.timestamp, arrived_seconds)

    def report(self) -> ReceiveReport:
        """Returns the figures so far; duplicates can hide as many losses, as RFC 3550 has it, but never below zero."""
        expected, lost = self._source_figures()
        return ReceiveReport(
            packets=self.packets,
            bytes=self.bytes,
            expected=self._expected_before + expected,
            lost=self._lost_before + lost,
            duplicates_and_late=self.disordered,
            source_changes=self.source_changes,
            jitter_ms=self._jitter * 1000 / SAMPLE_RATE_HZ,
        )

    def _advance(self, sequence: int) -> bool:
        step = sequence_distance(sequence, self._highest)
        if 0 < step < MAX_DROPOUT_PACKETS:
            if sequence < self._highest:
                self._cycles += SEQUENCE_MODULUS
            self._highest = sequence
            return True
        if -MAX_MISORDER_PACKETS < step <= 0:
            self.disordered += 1
            return True
        return False

    def _start_source(self, packet: RtpPacket) -> None:
        if self._ssrc is not None:
            self.source_changes += 1
            expected, lost = self._source_figures()
            self._expected_before += expected
            self._lost_before += lost
        self._ssrc = packet.ssrc
        self._base = self._highest = packet.sequence
        self._cycles = self._source_packets = 0
        self._jitter = 0.0

    def _source_figures(self) -> tuple[int, int]:
        if self._ssrc is None:
            return 0, 0
        expected = self._cycles + self._highest - self._base + 1
        return expected, max(0, expected - self._source_packets)

    def _update_jitter(self, timestamp: int, arrived_seconds: float) -> None:
        transit = (arrived_seconds * SAMPLE_RATE_HZ - timestamp) % TIMESTAMP_MODULUS
        if self._source_packets > 1:
            difference = (transit - self._transit + TIMESTAMP_MODULUS / 2) % TIMESTAMP_MODULUS - TIMESTAMP_MODULUS / 2
            self._jitter += (abs(difference) - self._jitter) / 16
        self._transit = transit
