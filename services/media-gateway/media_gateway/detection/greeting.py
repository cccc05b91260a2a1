"""Who answered: a person, a machine, a fax or nobody, from the timing of the first words after the answer.

Theory of operation. People answer with a word or two and then wait; recordings talk on. So the greeting is measured
from its first burst to its last, with pauses shorter than `end_of_greeting_ms` inside it. A short greeting followed by
that silence is a person; one that runs past `machine_greeting_ms` is a machine; what lies between is left to the
`uncertain` verdict, which goes to an agent, because hanging up on a person is the costlier mistake. Tones come first:
fax, special information, busy and a recording's beep are certain where timing is a guess. The past is judged anew on
every step (see activity.py), so the rules are an ordered list over one snapshot rather than a chain of states.

Every time here is audio time: ms of frames fed since the answer, independent of any clock.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

from media_gateway.detection.activity import Activity, ActivityProfile, Speech
from media_gateway.detection.call_progress import SIT_TONES, Tone, name_tone
from media_gateway.detection.spectrum import FRAME_MS, WINDOW_LAG_MS, Ear, Heard
from media_gateway.detection.tones import ToneTracker


class Answerer(StrEnum):
    """Who or what answered."""

    HUMAN = "human"
    MACHINE = "machine"
    FAX = "fax"
    SILENCE = "silence"
    UNCERTAIN = "uncertain"


class VerdictReason(StrEnum):
    """The rule that decided."""

    SHORT_GREETING = "short_greeting"
    LONG_GREETING = "long_greeting"
    BEEP = "beep"
    FAX_TONE = "fax_tone"
    NETWORK_TONE = "network_tone"
    DEAD_AIR = "dead_air"
    GREETING_BETWEEN = "greeting_between"
    TIME_OUT = "time_out"


@dataclass(frozen=True, kw_only=True, slots=True)
class Profile:
    """The thresholds, in ms of audio. `end_of_greeting_ms` < `uncertain_after_ms` <= 1,200 (the budget of the law)."""

    end_of_greeting_ms: int = 760
    human_greeting_ms: int = 2_000
    machine_greeting_ms: int = 3_400
    uncertain_after_ms: int = 1_000
    dead_air_ms: int = 3_500
    give_up_ms: int = 12_000
    beep_min_ms: int = 180
    beep_after_speech_ms: int = 1_000
    fsk_min_ms: int = 500
    judge_every_frames: int = 2
    activity: ActivityProfile = field(default_factory=ActivityProfile)


@dataclass(frozen=True, kw_only=True, slots=True)
class Verdict:
    """The one decision on a call; times in ms since the first frame, None where there was no greeting."""

    answerer: Answerer
    reason: VerdictReason
    decided_ms: int
    greeting_start_ms: int | None = None
    greeting_end_ms: int | None = None
    tone: Tone | None = None

    @property
    def delay_ms(self) -> int | None:
        """From the end of the greeting to the decision; None without a greeting."""
        return None if self.greeting_end_ms is None else self.decided_ms - self.greeting_end_ms


class AnswerDetector:
    """Feed every 20 ms frame from the answer on; gives its verdict once, then only listens for the beep."""

    def __init__(self, profile: Profile | None = None) -> None:
        self.profile = profile or Profile()
        self.beep_started_ms: int | None = None
        self.verdict: Verdict | None = None
        self.ear = Ear()
        self._tones = ToneTracker()
        self._activity = Activity(self.profile.activity)
        self._frames = 0
        self._fsk_frames = 0
        self._speech_before_tone_ms = 0
        self._last_tone_frame = 0

    def feed(self, frame: NDArray[np.int16]) -> Verdict | None:
        """Takes int16[160]; returns the verdict on the frame that decides, None on every other."""
        return self.feed_heard(self.ear.hear(frame))

    def feed_heard(self, heard: Heard) -> Verdict | None:
        """The same for callers that judge many channels in one `spectrum.hear_windows`."""
        self._tones.feed(self._frames, heard)
        self._activity.feed(heard.level_dbov)
        self._fsk_frames = self._fsk_frames + 1 if heard.fsk_share > 0.85 and heard.level_dbov > -50 else 0
        self._frames += 1
        self._mark_tone()
        if self.verdict is None and self._frames % self.profile.judge_every_frames == 0:
            self.verdict = self._judge()
            return self.verdict
        return None

    def _mark_tone(self) -> None:
        tone = self._tones.current
        if tone is None or tone.length_ms < self.profile.beep_min_ms:
            return
        first_time = tone.last_frame - tone.start_frame == self.profile.beep_min_ms // FRAME_MS
        # The window smears a tone's edges over its neighbours, which would pass for short bursts of speech.
        self._activity.mark_tone(tone.start_frame - 2, tone.last_frame + 4)
        self._last_tone_frame = tone.last_frame
        if first_time and self.beep_started_ms is None and len(tone.hz) == 1:
            self._note_beep(tone.start_frame)

    def _note_beep(self, start_frame: int) -> None:
        bursts = self._activity.speech().bursts
        spoken_ms = sum(end - start for start, end in bursts if start < start_frame) * FRAME_MS
        if spoken_ms >= self.profile.beep_after_speech_ms:
            self.beep_started_ms = max(0, start_frame * FRAME_MS - WINDOW_LAG_MS // 2)

    def _judge(self) -> Verdict | None:
        moment = _Moment(
            now_ms=self._frames * FRAME_MS,
            speech=self._activity.speech(),
            tone=name_tone(self._tones.runs),
            fsk_ms=self._fsk_frames * FRAME_MS,
            beeped=self.beep_started_ms is not None,
            last_tone_ms=self._last_tone_frame * FRAME_MS,
        )
        for rule in _RULES:
            found = rule(moment, self.profile)
            if found is not None:
                return _verdict(moment, *found)
        return None


@dataclass(frozen=True, kw_only=True, slots=True)
class _Moment:
    now_ms: int
    speech: Speech
    tone: Tone | None
    fsk_ms: int
    beeped: bool
    last_tone_ms: int

    @property
    def greeting_ms(self) -> int:
        bursts = self.speech.bursts
        return (bursts[-1][1] - bursts[0][0]) * FRAME_MS if bursts else 0


_Found = tuple[Answerer, VerdictReason] | None


def _verdict(moment: _Moment, answerer: Answerer, reason: VerdictReason) -> Verdict:
    bursts = moment.speech.bursts
    return Verdict(
        answerer=answerer,
        reason=reason,
        decided_ms=moment.now_ms,
        greeting_start_ms=_audio_ms(bursts[0][0]) if bursts else None,
        greeting_end_ms=_audio_ms(bursts[-1][1]) if bursts else None,
        tone=moment.tone,
    )


def _audio_ms(frame: int) -> int:
    """A level is that of the window's middle, so an edge was heard half a window before it shows."""
    return max(0, frame * FRAME_MS - WINDOW_LAG_MS)


def _fax(moment: _Moment, profile: Profile) -> _Found:
    calling = moment.tone is Tone.FAX_CALLING and moment.greeting_ms == 0
    if calling or moment.tone is Tone.FAX_ANSWERING or moment.fsk_ms >= profile.fsk_min_ms:
        return Answerer.FAX, VerdictReason.FAX_TONE
    return None


def _network_tone(moment: _Moment, profile: Profile) -> _Found:
    busy = moment.tone in (Tone.BUSY, Tone.REORDER) and moment.greeting_ms == 0
    if moment.tone in SIT_TONES or busy:
        return Answerer.MACHINE, VerdictReason.NETWORK_TONE
    return None


def _beep(moment: _Moment, profile: Profile) -> _Found:
    return (Answerer.MACHINE, VerdictReason.BEEP) if moment.beeped else None


def _long_greeting(moment: _Moment, profile: Profile) -> _Found:
    if moment.greeting_ms >= profile.machine_greeting_ms:
        return Answerer.MACHINE, VerdictReason.LONG_GREETING
    return None


def _short_greeting(moment: _Moment, profile: Profile) -> _Found:
    short = 0 < moment.greeting_ms <= profile.human_greeting_ms
    if short and moment.speech.silence_ms >= profile.end_of_greeting_ms - WINDOW_LAG_MS:
        return Answerer.HUMAN, VerdictReason.SHORT_GREETING
    return None


def _between(moment: _Moment, profile: Profile) -> _Found:
    if moment.greeting_ms > 0 and moment.speech.silence_ms >= profile.uncertain_after_ms - WINDOW_LAG_MS:
        return Answerer.UNCERTAIN, VerdictReason.GREETING_BETWEEN
    return None


def _dead_air(moment: _Moment, profile: Profile) -> _Found:
    quiet_ms = moment.now_ms - moment.last_tone_ms
    if moment.greeting_ms == 0 and quiet_ms >= profile.dead_air_ms:
        return Answerer.SILENCE, VerdictReason.DEAD_AIR
    return None


def _time_out(moment: _Moment, profile: Profile) -> _Found:
    return (Answerer.UNCERTAIN, VerdictReason.TIME_OUT) if moment.now_ms >= profile.give_up_ms else None


# The first that finds something decides: certain evidence before timing, timing before giving up.
_RULES: tuple[Callable[[_Moment, Profile], _Found], ...] = (
    _fax,
    _network_tone,
    _beep,
    _long_greeting,
    _short_greeting,
    _between,
    _dead_air,
    _time_out,
)
