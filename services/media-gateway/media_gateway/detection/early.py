"""What is heard before the answer: ringing, busy, special information tones, an announcement. Never an answer.

Ringback may be followed by any of the others, and SIT by an announcement that adds nothing, so verdicts move along one
table and each is given at most once.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from media_gateway.detection.activity import Activity, ActivityProfile
from media_gateway.detection.call_progress import SIT_TONES, Tone, name_tone
from media_gateway.detection.spectrum import FRAME_MS, Ear, Heard
from media_gateway.detection.tones import IllegalTransition, ToneTracker

ANNOUNCEMENT_SPEECH_MS = 1_500
_JUDGE_EVERY_FRAMES = 5


class EarlyMedia(StrEnum):
    """What the line says before an answer; also the detector's states, from SILENT on."""

    SILENT = "silent"
    RINGBACK = "ringback"
    BUSY = "busy"
    REORDER = "reorder"
    SIT = "sit"
    ANNOUNCEMENT = "announcement"


FINAL = frozenset({EarlyMedia.BUSY, EarlyMedia.REORDER, EarlyMedia.SIT})

# A final state takes whatever follows as part of itself: the announcement after SIT, the next burst of busy.
_HEARABLE = tuple(media for media in EarlyMedia if media is not EarlyMedia.SILENT)
TRANSITIONS: dict[tuple[EarlyMedia, EarlyMedia], EarlyMedia] = {
    **{(EarlyMedia.SILENT, heard): heard for heard in _HEARABLE},
    **{(EarlyMedia.RINGBACK, heard): heard for heard in _HEARABLE},
    **{(EarlyMedia.ANNOUNCEMENT, heard): heard for heard in _HEARABLE},
    (EarlyMedia.ANNOUNCEMENT, EarlyMedia.RINGBACK): EarlyMedia.ANNOUNCEMENT,
    **{(final, heard): final for final in FINAL for heard in _HEARABLE},
}


@dataclass(frozen=True, kw_only=True, slots=True)
class EarlyVerdict:
    """A change of what is heard; `decided_ms` in ms of audio fed, `tone` names the SIT."""

    media: EarlyMedia
    decided_ms: int
    tone: Tone | None = None

    @property
    def is_final(self) -> bool:
        """Whether the call can be ended on it; an announcement or ringing may still be followed by an answer."""
        return self.media in FINAL


class EarlyMediaDetector:
    """Feed every 20 ms frame between 183 and the answer."""

    def __init__(self, activity: ActivityProfile | None = None) -> None:
        self.state = EarlyMedia.SILENT
        self.ear = Ear()
        self._tones = ToneTracker()
        self._activity = Activity(activity or ActivityProfile())
        self._frames = 0

    def feed(self, frame: NDArray[np.int16]) -> EarlyVerdict | None:
        """Takes int16[160]; returns a verdict on the frame that changes it, None on every other."""
        return self.feed_heard(self.ear.hear(frame))

    def feed_heard(self, heard: Heard) -> EarlyVerdict | None:
        """The same for callers that judge many channels in one `spectrum.hear_windows`."""
        self._tones.feed(self._frames, heard)
        self._activity.feed(heard.level_dbov)
        self._frames += 1
        current = self._tones.current
        if current is not None and current.length_ms >= 120:
            self._activity.mark_tone(current.start_frame - 2, current.last_frame + 4)
        tone = name_tone(self._tones.runs)
        media = (_MEDIA_OF_TONE.get(tone) if tone else None) or self._announcement()
        return None if media is None else self._move(media, tone)

    def _announcement(self) -> EarlyMedia | None:
        if self._frames % _JUDGE_EVERY_FRAMES:
            return None
        spoken_ms = sum(end - start for start, end in self._activity.speech().bursts) * FRAME_MS
        return EarlyMedia.ANNOUNCEMENT if spoken_ms >= ANNOUNCEMENT_SPEECH_MS else None

    def _move(self, media: EarlyMedia, tone: Tone | None) -> EarlyVerdict | None:
        try:
            after = TRANSITIONS[self.state, media]
        except KeyError:
            raise IllegalTransition(f"{self.state.value} has no {media.value}") from None
        if after is self.state:
            return None
        self.state = after
        return EarlyVerdict(media=after, decided_ms=self._frames * FRAME_MS, tone=tone)


_MEDIA_OF_TONE = {
    Tone.RINGBACK: EarlyMedia.RINGBACK,
    Tone.BUSY: EarlyMedia.BUSY,
    Tone.REORDER: EarlyMedia.REORDER,
    **dict.fromkeys(SIT_TONES, EarlyMedia.SIT),
}
