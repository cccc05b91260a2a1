"""A small reorder buffer: packets in any order in, one 20 ms frame out per tick, gaps concealed by a fading repeat.

Theory of operation. Detection and prompts work on a 20 ms grid, so the buffer is pulled by the pump's tick and never by
arrivals. It waits until `depth_frames` frames have come (40 ms by default), then gives one a tick. A missing frame is
concealed by the last one, 6 dB quieter each time, and by silence after `MAX_REPEATS`. When it runs dry it refills to
its depth; when it holds more than `max_frames` (the sender's clock is faster, or the pump stalled) the oldest are
dropped, so delay is bounded. A frame is placed by its timestamp, so a sender that pauses (DTX) leaves a silent gap
without being counted as loss.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np

from media_gateway.rtp import g711
from media_gateway.rtp.codec import Codec
from media_gateway.rtp.g711 import FRAME_SAMPLES, Frame
from media_gateway.rtp.packet import TIMESTAMP_MODULUS, RtpPacket

MAX_REPEATS = 3
RESYNC_FRAMES = 250

_SILENCE: Frame = np.zeros(FRAME_SAMPLES, dtype=np.int16)


class Arrival(StrEnum):
    """What became of a packet."""

    QUEUED = "queued"
    DUPLICATE = "duplicate"
    LATE = "late"
    RESTARTED = "restarted"
    ODD_SIZE = "odd_size"


@dataclass(kw_only=True, slots=True)
class JitterBuffer:
    """Of one source at a time; a new SSRC or a jump of the timestamp by more than 5 s empties it and starts anew."""

    depth_frames: int = 2
    max_frames: int = 10
    duplicates: int = 0
    late: int = 0
    concealed: int = 0
    dropped: int = 0
    _ssrc: int | None = None
    _next: int | None = None
    _filling: bool = True
    _repeats: int = MAX_REPEATS
    _frames: dict[int, Frame] = field(default_factory=dict)
    _last: Frame = field(default_factory=lambda: _SILENCE)

    def push(self, packet: RtpPacket, codec: Codec) -> Arrival:
        """Takes an audio packet of one or more whole 20 ms frames; says what became of it."""
        size = len(packet.payload)
        if size == 0 or size % FRAME_SAMPLES:
            return Arrival.ODD_SIZE
        restarted = self._restart_if_new(packet)
        position = _ahead(packet.timestamp, self._next) if self._next is not None else 0
        if position < 0:
            self.late += 1
            return Arrival.LATE
        if packet.timestamp in self._frames:
            self.duplicates += 1
            return Arrival.DUPLICATE
        samples = g711.decode(codec, packet.payload)
        for offset in range(0, size, FRAME_SAMPLES):
            self._frames[(packet.timestamp + offset) % TIMESTAMP_MODULUS] = samples[offset : offset + FRAME_SAMPLES]
        self._bound_delay()
        return Arrival.RESTARTED if restarted else Arrival.QUEUED

    def pop(self) -> Frame | None:
        """Returns the next 20 ms (int16[160]), concealed where missing; None while there is nothing to play yet."""
        if self._filling:
            if len(self._frames) < self.depth_frames:
                return None
            self._filling = False
            self._next = self._earliest()
        if self._next is None:
            return None
        frame = self._frames.pop(self._next, None)
        if frame is not None:
            self._next = (self._next + FRAME_SAMPLES) % TIMESTAMP_MODULUS
            return self._deliver(frame)
        return self._fill_gap(self._next)

    def _fill_gap(self, due: int) -> Frame | None:
        """Nothing stands at `due`: follow a sender whose timestamps left our grid, else conceal one frame."""
        self._frames = {timestamp: frame for timestamp, frame in self._frames.items() if _ahead(timestamp, due) > 0}
        if not self._frames:
            return self._run_dry(due)
        nearest = self._earliest()
        if _ahead(nearest, due) < FRAME_SAMPLES:
            self._next = (nearest + FRAME_SAMPLES) % TIMESTAMP_MODULUS
            return self._deliver(self._frames.pop(nearest))
        self._next = (due + FRAME_SAMPLES) % TIMESTAMP_MODULUS
        return self._conceal()

    def _run_dry(self, due: int) -> Frame | None:
        """Conceals a short gap in place; after that the source paused, and the buffer refills before it plays."""
        if self._repeats >= MAX_REPEATS:
            self._filling = True
            return None
        self._next = (due + FRAME_SAMPLES) % TIMESTAMP_MODULUS
        return self._conceal()

    def _restart_if_new(self, packet: RtpPacket) -> bool:
        changed = self._ssrc is not None and packet.ssrc != self._ssrc
        reference = self._next if self._next is not None else next(iter(self._frames), packet.timestamp)
        jumped = abs(_ahead(packet.timestamp, reference)) > RESYNC_FRAMES * FRAME_SAMPLES
        if changed or jumped:
            self._frames.clear()
            self._next = None
            self._filling = True
        self._ssrc = packet.ssrc
        return changed or jumped

    def _bound_delay(self) -> None:
        while len(self._frames) > self.max_frames:
            oldest = self._earliest()
            del self._frames[oldest]
            self.dropped += 1
            if not self._filling:
                self._next = self._earliest()

    def _earliest(self) -> int:
        base = self._next if self._next is not None else next(iter(self._frames))
        return min(self._frames, key=lambda timestamp: _ahead(timestamp, base))

    def _deliver(self, frame: Frame) -> Frame:
        self._repeats = 0
        self._last = frame
        return frame

    def _conceal(self) -> Frame:
        self.concealed += 1
        self._repeats += 1
        self._last = self._last >> 1 if self._repeats <= MAX_REPEATS else _SILENCE
        return self._last


def _ahead(timestamp: int, base: int) -> int:
    return (timestamp - base + TIMESTAMP_MODULUS // 2) % TIMESTAMP_MODULUS - TIMESTAMP_MODULUS // 2
