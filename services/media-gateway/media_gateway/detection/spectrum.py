"""From samples to what the detectors reason about: one level and at most two spectral lines per 20 ms frame.

A frame is judged in the window of the last 80 ms (Hann, 12.5 Hz bins), the shortest that keeps 440 and 480 Hz apart.
`hear_windows` does any number of channels in one transform, which is what makes 800 channels a core possible.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

SAMPLE_RATE_HZ = 8_000
FRAME_SAMPLES = 160
FRAME_MS = 20
WINDOW_FRAMES = 4
WINDOW_SAMPLES = WINDOW_FRAMES * FRAME_SAMPLES
WINDOW_LAG_MS = WINDOW_FRAMES * FRAME_MS // 2
FLOOR_DBOV = -80.0

_BIN_HZ = SAMPLE_RATE_HZ / WINDOW_SAMPLES
_HANN = np.hanning(WINDOW_SAMPLES + 1)[:-1].astype(np.float32)
_LOW_BIN, _HIGH_BIN = int(250 / _BIN_HZ), int(3_450 / _BIN_HZ)
_FSK_LOW, _FSK_HIGH = int(1_600 / _BIN_HZ), int(1_900 / _BIN_HZ)
_LINE_HALF_BINS = 2
# Full-scale sine = -3.01 dBov: Parseval for a one-sided spectrum of the window's energy.
_POWER_SCALE = 2.0 / (WINDOW_SAMPLES * float(np.sum(_HANN**2)) * 32_768.0**2)


@dataclass(frozen=True, kw_only=True, slots=True)
class Heard:
    """One frame: level of 250-3,450 Hz in dBov, and its strongest line or two with their share of that band's power."""

    level_dbov: float
    first_hz: float
    first_share: float
    second_hz: float
    second_share: float
    fsk_share: float


class Ear:
    """Keeps one channel's last 80 ms."""

    def __init__(self) -> None:
        self.window: NDArray[np.int16] = np.zeros(WINDOW_SAMPLES, dtype=np.int16)

    def hear(self, frame: NDArray[np.int16]) -> Heard:
        """Takes int16[160]; returns what the line sounds like now. Raises ValueError for another shape."""
        self.push(frame)
        return hear_windows(self.window[np.newaxis])[0]

    def push(self, frame: NDArray[np.int16]) -> None:
        """Takes a frame without judging it, for callers that judge many windows in one `hear_windows`."""
        if frame.shape != (FRAME_SAMPLES,):
            raise ValueError(f"a frame has shape (160,), not {frame.shape}")
        self.window[:-FRAME_SAMPLES] = self.window[FRAME_SAMPLES:]
        self.window[-FRAME_SAMPLES:] = frame


def hear_windows(windows: NDArray[np.int16]) -> list[Heard]:
    """Takes int16[channels, 640]; returns one `Heard` per channel."""
    spectrum = np.fft.rfft(windows * _HANN, axis=1)
    power = (spectrum.real**2 + spectrum.imag**2) * _POWER_SCALE
    band = power[:, _LOW_BIN:_HIGH_BIN]
    total = band.sum(axis=1) + 1e-12
    level = np.maximum(10.0 * np.log10(total), FLOOR_DBOV)
    fsk = power[:, _FSK_LOW:_FSK_HIGH].sum(axis=1) / total
    first_hz, first_share = _take_line(band, total)
    second_hz, second_share = _take_line(band, total)
    columns = (level, first_hz, first_share, second_hz, second_share, fsk)
    return [
        Heard(level_dbov=lv, first_hz=h1, first_share=s1, second_hz=h2, second_share=s2, fsk_share=fs)
        for lv, h1, s1, h2, s2, fs in zip(*(column.tolist() for column in columns), strict=True)
    ]


def _take_line(
    band: NDArray[np.float64], total: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Returns frequency and share of the strongest line, and removes it from `band`."""
    rows = np.arange(len(band))
    peak = np.clip(band.argmax(axis=1), 1, band.shape[1] - 2)
    left, centre, right = (np.sqrt(band[rows, peak + step]) for step in (-1, 0, 1))
    # Hann's main lobe: the ratio of the two highest bins gives the offset exactly (Grandke 1983).
    neighbour = np.maximum(left, right)
    ratio = neighbour / (centre + 1e-12)
    offset = np.where(right >= left, 1.0, -1.0) * np.clip((2 * ratio - 1) / (1 + ratio), 0.0, 0.5)
    columns = np.clip(peak[:, np.newaxis] + np.arange(-_LINE_HALF_BINS, _LINE_HALF_BINS + 1), 0, band.shape[1] - 1)
    share = band[rows[:, np.newaxis], columns].sum(axis=1) / total
    band[rows[:, np.newaxis], columns] = 0.0
    return (peak + _LOW_BIN + offset) * _BIN_HZ, share
