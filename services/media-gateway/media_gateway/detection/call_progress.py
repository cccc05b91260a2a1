"""Names the tones of a telephone network (ITU-T E.180): ringback, busy, reorder, and special information tones (SIT).

Ringback and busy share their frequencies in most countries, so the cadence decides: a ring lasts 0.9 s or more, or is
one of the dual tones that only ring, or the double ring of 0.4 s, 0.2 s, 0.4 s; busy and congestion are equal bursts
and pauses. SIT is three rising tones; which of the first two are high and long says why the call failed.
"""

from __future__ import annotations

from collections.abc import Sequence
from enum import StrEnum

from media_gateway.detection.spectrum import FRAME_MS
from media_gateway.detection.tones import ToneRun


class Tone(StrEnum):
    """A tone or tone sequence with a meaning."""

    RINGBACK = "ringback"
    BUSY = "busy"
    REORDER = "reorder"
    SIT_INTERCEPT = "sit_intercept"
    SIT_VACANT = "sit_vacant"
    SIT_NO_CIRCUIT = "sit_no_circuit"
    SIT_REORDER = "sit_reorder"
    SIT_INEFFECTIVE = "sit_ineffective"
    SIT_OTHER = "sit_other"
    FAX_CALLING = "fax_calling"
    FAX_ANSWERING = "fax_answering"


SIT_TONES = frozenset(tone for tone in Tone if tone.value.startswith("sit_"))

RINGBACK_MIN_MS = 860
BURST_MIN_MS, BURST_MAX_MS = 120, 780
REORDER_BURST_MAX_MS = 330
PAUSE_RATIO_MIN, PAUSE_RATIO_MAX = 0.62, 1.8
DOUBLE_RING_MIN_MS = 330
DOUBLE_RING_RATIO_MIN = 0.3
FAX_MIN_MS = 380
_PROGRESS_BAND_HZ = (335.0, 660.0)
_RINGBACK_PAIRS_HZ = ((440.0, 480.0), (400.0, 450.0))
_DUAL_MIN_MS = 140
_SIT_BANDS_HZ = ((880.0, 1_025.0), (1_325.0, 1_475.0), (1_725.0, 1_860.0))
_SIT_HIGH_FIRST_HZ, _SIT_HIGH_SECOND_HZ = 950.0, 1_400.0
_SIT_LONG_MS = 330
_SIT_MIN_MS, _SIT_MAX_MS = 180, 560
_SIT_THIRD_MIN_MS = 100

# (first high, first long, second high, second long) -> meaning, after Bellcore's encodings as operators describe them.
_SIT_MEANING: dict[tuple[bool, bool, bool, bool], Tone] = {
    (False, False, False, False): Tone.SIT_INTERCEPT,
    (True, True, False, False): Tone.SIT_VACANT,
    (True, True, True, True): Tone.SIT_NO_CIRCUIT,
    (False, True, False, True): Tone.SIT_NO_CIRCUIT,
    (False, True, False, False): Tone.SIT_NO_CIRCUIT,  # in no description found; so labelled in our corpus
    (False, False, True, True): Tone.SIT_REORDER,
    (True, False, False, True): Tone.SIT_REORDER,
    (True, False, True, True): Tone.SIT_REORDER,
    (False, True, True, False): Tone.SIT_INEFFECTIVE,
}


def name_tone(runs: Sequence[ToneRun]) -> Tone | None:
    """Returns the meaning of the latest runs (oldest first, the last may still sound); None when there is none yet."""
    if not runs:
        return None
    return _sit(runs) or _fax(runs[-1]) or _ringing(runs[-1]) or _cadence(runs)


def _fax(run: ToneRun) -> Tone | None:
    if run.length_ms < FAX_MIN_MS:
        return None
    if run.is_near(1_100.0, tolerance=0.035):
        return Tone.FAX_CALLING
    answering = run.is_near(2_100.0, tolerance=0.015) or run.is_near(2_225.0, tolerance=0.015)
    return Tone.FAX_ANSWERING if answering else None


def _ringing(run: ToneRun) -> Tone | None:
    if run.length_ms >= _DUAL_MIN_MS and any(run.is_near(*pair, tolerance=0.035) for pair in _RINGBACK_PAIRS_HZ):
        return Tone.RINGBACK
    return Tone.RINGBACK if _is_progress(run) and run.length_ms >= RINGBACK_MIN_MS else None


def _cadence(runs: Sequence[ToneRun]) -> Tone | None:
    """Judges the last burst and the pause before the one that sounds now."""
    if len(runs) < 2:
        return None
    first, second = runs[-2], runs[-1]
    if not (_is_progress(first) and _is_progress(second) and second.length_ms >= BURST_MIN_MS):
        return None
    burst_ms = first.length_ms
    pause_ms = (second.start_frame - first.last_frame - 1) * FRAME_MS
    if not BURST_MIN_MS <= burst_ms <= BURST_MAX_MS:
        return None
    ratio = pause_ms / burst_ms
    if DOUBLE_RING_RATIO_MIN <= ratio < PAUSE_RATIO_MIN and burst_ms >= DOUBLE_RING_MIN_MS:
        return Tone.RINGBACK
    if not (PAUSE_RATIO_MIN <= ratio <= PAUSE_RATIO_MAX and first.is_near(*second.hz)):
        return None
    return Tone.REORDER if burst_ms <= REORDER_BURST_MAX_MS else Tone.BUSY


def _is_progress(run: ToneRun) -> bool:
    low, high = _PROGRESS_BAND_HZ
    return all(low <= hz <= high for hz in run.hz)


def _sit(runs: Sequence[ToneRun]) -> Tone | None:
    if len(runs) < 3:
        return None
    three = tuple(runs)[-3:]
    in_bands = all(
        len(run.hz) == 1 and low <= run.hz[0] <= high for run, (low, high) in zip(three, _SIT_BANDS_HZ, strict=True)
    )
    first, second, third = three
    if not in_bands or third.length_ms < _SIT_THIRD_MIN_MS:
        return None
    lengths_ms = [
        (later.start_frame - earlier.start_frame) * FRAME_MS for earlier, later in ((first, second), (second, third))
    ]
    if not all(_SIT_MIN_MS <= length <= _SIT_MAX_MS for length in lengths_ms):
        return None
    key = (
        first.hz[0] >= _SIT_HIGH_FIRST_HZ,
        lengths_ms[0] >= _SIT_LONG_MS,
        second.hz[0] >= _SIT_HIGH_SECOND_HZ,
        lengths_ms[1] >= _SIT_LONG_MS,
    )
    return _SIT_MEANING.get(key, Tone.SIT_OTHER)
