"""Which frames are speech, judged again each time as more is heard.

Theory of operation. A threshold fixed at the start is wrong as soon as the first word is louder or the street noisier
than expected, so the floor and the peak are percentiles of everything heard so far, and the *whole past* is cut into
speech and pauses anew with them. That stays causal (a verdict uses only what was heard before it) while a greeting
that began on the very first frame, when no floor was known, is still measured from its beginning.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from media_gateway.detection.spectrum import FLOOR_DBOV, FRAME_MS

MAX_FRAMES = 1_000


@dataclass(frozen=True, kw_only=True, slots=True)
class ActivityProfile:
    """Levels in dB or dBov, times in ms."""

    quietest_speech_dbov: float = -48.0
    loudest_floor_dbov: float = -20.0
    floor_percentile: float = 10.0
    peak_percentile: float = 95.0
    threshold_fraction: float = 0.42
    min_above_floor_db: float = 6.0
    joined_gap_ms: int = 120
    min_burst_ms: int = 100
    min_context_frames: int = 10


@dataclass(frozen=True, kw_only=True, slots=True)
class Speech:
    """The past as bursts of speech: start and end frame of each (end exclusive), oldest first, and the frames heard."""

    bursts: tuple[tuple[int, int], ...]
    frames: int

    @property
    def silence_ms(self) -> int:
        """Since the last burst ended; 0 while one goes on, everything when there was none."""
        return (self.frames - (self.bursts[-1][1] if self.bursts else 0)) * FRAME_MS


class Activity:
    """Remembers the levels of one channel; `speech()` cuts them. Holds 20 s, enough for any verdict."""

    def __init__(self, profile: ActivityProfile) -> None:
        self._profile = profile
        self._levels: NDArray[np.float32] = np.full(MAX_FRAMES, FLOOR_DBOV, dtype=np.float32)
        self._tonal: NDArray[np.bool_] = np.zeros(MAX_FRAMES, dtype=np.bool_)
        self.frames = 0

    def feed(self, level_dbov: float) -> None:
        """Takes one frame's level; past the capacity nothing more is remembered."""
        if self.frames < MAX_FRAMES:
            self._levels[self.frames] = level_dbov
            self.frames += 1

    def mark_tone(self, start_frame: int, last_frame: int) -> None:
        """Says that these frames were a tone: neither speech nor evidence about the noise floor."""
        self._tonal[max(0, start_frame) : last_frame + 1] = True

    def speech(self) -> Speech:
        """Returns the past cut into bursts."""
        levels = self._levels[: self.frames]
        heard = levels[~self._tonal[: self.frames]]
        if len(heard) < self._profile.min_context_frames:
            return Speech(bursts=(), frames=self.frames)
        active = (levels > self._threshold_dbov(heard)) & ~self._tonal[: self.frames]
        return Speech(bursts=self._bursts(active), frames=self.frames)

    def _threshold_dbov(self, heard: NDArray[np.float32]) -> float:
        profile = self._profile
        ordered = np.sort(heard)
        floor = min(float(ordered[int(len(ordered) * profile.floor_percentile / 100)]), profile.loudest_floor_dbov)
        peak = float(ordered[int(len(ordered) * profile.peak_percentile / 100)])
        above = max(profile.min_above_floor_db, profile.threshold_fraction * (peak - floor))
        return max(floor + above, profile.quietest_speech_dbov)

    def _bursts(self, active: NDArray[np.bool_]) -> tuple[tuple[int, int], ...]:
        framed = np.zeros(len(active) + 2, dtype=np.bool_)  # np.diff with prepend costs four times as much
        framed[1:-1] = active
        edges = (framed[1:] != framed[:-1]).nonzero()[0].tolist()
        bursts: list[tuple[int, int]] = []
        for start, end in zip(edges[::2], edges[1::2], strict=True):
            if bursts and (start - bursts[-1][1]) * FRAME_MS <= self._profile.joined_gap_ms:
                bursts[-1] = (bursts[-1][0], end)
            else:
                bursts.append((start, end))
        return tuple(burst for burst in bursts if (burst[1] - burst[0]) * FRAME_MS >= self._profile.min_burst_ms)
