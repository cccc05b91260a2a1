"""Steady tones: a run of frames whose one or two spectral lines stay put; those of speech move on."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field
from enum import StrEnum

from media_gateway.detection.spectrum import FRAME_MS, Heard

TONAL_SHARE = 0.8
SECOND_LINE_SHARE = 0.06
MIN_LEVEL_DBOV = -52.0
CONFIRM_FRAMES = 3
FORGIVEN_FRAMES = 5
DISTURBED_TOLERANCE = 0.12
REMEMBERED_RUNS = 8


@dataclass(kw_only=True, slots=True)
class ToneRun:
    """One tone: its lines in Hz, low first, and its frames; `ended` once it is over."""

    hz: tuple[float, ...]
    start_frame: int
    last_frame: int
    ended: bool = False

    @property
    def length_ms(self) -> int:
        """From its first to its last steady frame."""
        return (self.last_frame - self.start_frame + 1) * FRAME_MS

    def is_near(self, *wanted_hz: float, tolerance: float = 0.03) -> bool:
        """Whether the run has just these lines, each within the relative tolerance."""
        return len(self.hz) == len(wanted_hz) and all(
            abs(have - want) <= tolerance * want for have, want in zip(self.hz, wanted_hz, strict=True)
        )


class ToneState(StrEnum):
    """Where the tracker stands."""

    IDLE = "idle"
    RISING = "rising"
    STEADY = "steady"
    FALTERING = "faltering"


class ToneEvent(StrEnum):
    """What one frame is to the tracker; CONFIRMED and EXPIRED are SAME and NONE after enough of them."""

    SAME = "same"
    CONFIRMED = "confirmed"
    OTHER = "other"
    NONE = "none"
    EXPIRED = "expired"


TRANSITIONS: dict[tuple[ToneState, ToneEvent], ToneState] = {
    (ToneState.IDLE, ToneEvent.OTHER): ToneState.RISING,
    (ToneState.IDLE, ToneEvent.NONE): ToneState.IDLE,
    (ToneState.RISING, ToneEvent.SAME): ToneState.RISING,
    (ToneState.RISING, ToneEvent.CONFIRMED): ToneState.STEADY,
    (ToneState.RISING, ToneEvent.OTHER): ToneState.RISING,
    (ToneState.RISING, ToneEvent.NONE): ToneState.IDLE,
    (ToneState.STEADY, ToneEvent.SAME): ToneState.STEADY,
    (ToneState.STEADY, ToneEvent.OTHER): ToneState.RISING,
    (ToneState.STEADY, ToneEvent.NONE): ToneState.FALTERING,
    (ToneState.FALTERING, ToneEvent.SAME): ToneState.STEADY,
    (ToneState.FALTERING, ToneEvent.OTHER): ToneState.RISING,
    (ToneState.FALTERING, ToneEvent.NONE): ToneState.FALTERING,
    (ToneState.FALTERING, ToneEvent.EXPIRED): ToneState.IDLE,
}


class IllegalTransition(RuntimeError):
    """The table has no cell for this state and event."""


@dataclass(kw_only=True, slots=True)
class ToneTracker:
    """Feed every frame; `current` is the steady tone now, `runs` the last few including it, oldest first."""

    current: ToneRun | None = None
    runs: deque[ToneRun] = field(default_factory=lambda: deque(maxlen=REMEMBERED_RUNS))
    _state: ToneState = ToneState.IDLE
    _candidate: ToneRun | None = None
    _misses: int = 0

    def feed(self, frame_no: int, heard: Heard) -> None:
        """Takes frame number `frame_no`, counted from 0 without gaps."""
        hz = _lines(heard)
        event = self._event(hz)
        before, self._state = self._state, _next_state(self._state, event)
        if event is ToneEvent.OTHER:
            self._candidate = ToneRun(hz=hz, start_frame=frame_no, last_frame=frame_no)
        elif event in (ToneEvent.SAME, ToneEvent.CONFIRMED) and self._candidate is not None:
            self._candidate.last_frame = frame_no
        self._misses = self._misses + 1 if event is ToneEvent.NONE else 0
        if event is ToneEvent.CONFIRMED and self._candidate is not None:
            self.current = self._candidate
            self.runs.append(self.current)
        elif before in (ToneState.STEADY, ToneState.FALTERING) and event in (ToneEvent.OTHER, ToneEvent.EXPIRED):
            self._end_current()

    def _event(self, hz: tuple[float, ...]) -> ToneEvent:
        if not hz or self._is_disturbed(hz):
            expired = self._state is ToneState.FALTERING and self._misses >= FORGIVEN_FRAMES
            return ToneEvent.EXPIRED if expired else ToneEvent.NONE
        if self._state is ToneState.IDLE or self._candidate is None or not self._candidate.is_near(*hz):
            return ToneEvent.OTHER
        length = self._candidate.last_frame - self._candidate.start_frame + 2
        rising = self._state is ToneState.RISING
        return ToneEvent.CONFIRMED if rising and length >= CONFIRM_FRAMES else ToneEvent.SAME

    def _is_disturbed(self, hz: tuple[float, ...]) -> bool:
        """A concealed packet breaks the phase, and for a window's length the line looks split or moved a little."""
        if self.current is None or self.current.is_near(*hz):
            return False
        return all(any(abs(line - own) <= DISTURBED_TOLERANCE * own for own in self.current.hz) for line in hz)

    def _end_current(self) -> None:
        if self.current is not None:
            self.current.ended = True
        self.current = None


def _next_state(state: ToneState, event: ToneEvent) -> ToneState:
    try:
        return TRANSITIONS[state, event]
    except KeyError:
        raise IllegalTransition(f"{state.value} has no {event.value}") from None


def _lines(heard: Heard) -> tuple[float, ...]:
    if heard.level_dbov < MIN_LEVEL_DBOV:
        return ()
    two = heard.second_share >= SECOND_LINE_SHARE and heard.first_share + heard.second_share >= TONAL_SHARE
    if two:
        return tuple(sorted((heard.first_hz, heard.second_hz)))
    return (heard.first_hz,) if heard.first_share >= TONAL_SHARE else ()
