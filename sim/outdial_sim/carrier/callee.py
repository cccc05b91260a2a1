"""A callee on the line: what it plays in the next 20 ms, given what it heard. Pure; times are seconds of one clock.

Phases: quiet -> early (ringback or SIT) -> greeting -> waiting -> conversing, or recording, or deaf. The step of each
phase is one function; an event is a name that the carrier's journal records.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

from outdial_sim.callees import CalleePlan
from outdial_sim.scenario import Kind
from outdial_sim.voices import Role, Voices, beep, ringback, special_information_tones
from outdial_sim.wire.rtp import FRAME_SAMPLES, SAMPLE_RATE

VOICEMAIL_RECORDS_SECONDS = 30.0
DEAD_AIR_SECONDS = 30.0
FILLER_MAX_SECONDS = 3.0
ANSWER_AFTER_PAUSE_SECONDS = 0.5
SPOKEN_TO_SECONDS = 0.4


class Phase(StrEnum):
    """What the callee is doing."""

    QUIET = "quiet"
    EARLY = "early"
    GREETING = "greeting"
    WAITING = "waiting"
    CONVERSING = "conversing"
    RECORDING = "recording"
    DEAF = "deaf"
    GONE = "gone"


@dataclass(frozen=True, kw_only=True)
class Frame:
    """The next 20 ms: 160 mu-law bytes, what began or ended with it, and why the callee hangs up, if it does."""

    payload: bytes
    events: tuple[str, ...] = ()
    hangs_up: str | None = None
    early_over: bool = False


@dataclass
class _Piece:
    audio: bytes
    starts: str | None = None
    ends: str | None = None
    position: int = 0


@dataclass
class Callee:
    """One callee, driven by `frame` every 20 ms."""

    plan: CalleePlan
    voices: Voices
    phase: Phase = Phase.QUIET
    _queue: deque[_Piece] = field(default_factory=deque)
    _room: int = 0
    _since: float = 0.0
    _answered_at: float = 0.0
    _first_heard: float | None = None
    _last_heard: float | None = None
    _heard_seconds: float = 0.0
    _hangs_up: str | None = None

    def start_early(self, now: float) -> None:
        """Early media begins: ringback until something else happens, or tones and announcement once."""
        self.phase = Phase.EARLY
        self._since = now
        if self.plan.kind is not Kind.SIT:
            return
        clip = self.voices.pick(Role.INTERCEPT, self.plan.greeting_pick)
        if not clip.has_lead:
            self._queue.append(_Piece(special_information_tones()))
        self._queue.append(_Piece(clip.audio, "announcement_start", "announcement_end"))

    def answer(self, now: float) -> None:
        """The call is answered; whatever was playing stops."""
        self._queue.clear()
        self._answered_at = self._since = now
        if self.plan.kind is Kind.DEAD_AIR:
            self.phase = Phase.DEAF
            return
        self.phase = Phase.GREETING
        self._queue.append(_Piece(self._quiet(self.plan.greeting_delay_seconds)))
        role = Role.VOICEMAIL_GREETING if self.plan.kind is Kind.VOICEMAIL else Role.HUMAN_GREETING
        clip = self.voices.pick(role, self.plan.greeting_pick)
        self._queue.append(_Piece(clip.audio[: clip.speech_end], "greeting_start", "greeting_end"))
        if self.plan.kind is Kind.VOICEMAIL:
            tail = clip.audio[clip.speech_end :] if clip.has_beep else beep(self.plan.beep_hz)
            self._queue.append(_Piece(tail, None, "beep_end"))

    def frame(self, now: float, *, heard: bool) -> Frame:
        """Advance 20 ms; `heard` says whether speech came from the other side during the last 20 ms."""
        if heard:
            self._first_heard = self._first_heard if self._first_heard is not None else now
            self._last_heard = now
            self._heard_seconds += FRAME_SAMPLES / SAMPLE_RATE
        playing = bool(self._queue)
        payload, events = self._play()
        early_over = playing and not self._queue and self.phase is Phase.EARLY
        _STEPS[self.phase](self, now)
        reason = self._hangs_up
        if reason is not None:
            self.phase, self._hangs_up = Phase.GONE, None
            events += [piece.ends for piece in list(self._queue)[:1] if piece.position and piece.ends]
            self._queue.clear()
        return Frame(payload=payload, events=tuple(events), hangs_up=reason, early_over=early_over)

    def _play(self) -> tuple[bytes, list[str]]:
        """160 bytes from the queue, topped up with the noise of the room."""
        payload, events = b"", []
        while self._queue and len(payload) < FRAME_SAMPLES:
            piece = self._queue[0]
            if piece.position == 0 and piece.starts:
                events.append(piece.starts)
            taken = piece.audio[piece.position : piece.position + FRAME_SAMPLES - len(payload)]
            piece.position += len(taken)
            payload += taken
            if piece.position >= len(piece.audio):
                self._queue.popleft()
                if piece.ends:
                    events.append(piece.ends)
        if len(payload) < FRAME_SAMPLES:
            payload += self._quiet((FRAME_SAMPLES - len(payload)) / SAMPLE_RATE)
        return payload, events

    def _quiet(self, seconds: float) -> bytes:
        room, count = self.voices.room, round(seconds * SAMPLE_RATE)
        start = self._room % len(room)
        self._room += count
        if start + count <= len(room):
            return room[start : start + count]
        return (room * (2 + count // len(room)))[start : start + count]

    def _step_early(self, now: float) -> None:
        if not self._queue and self.plan.kind is not Kind.SIT:
            self._queue.append(_Piece(ringback()))

    def _step_greeting(self, now: float) -> None:
        if self.plan.kind is Kind.HANGUP and now - self._answered_at >= self.plan.hang_up_after_seconds:
            self._hangs_up = "hung_up_after_greeting"
        elif not self._queue and self.plan.kind is not Kind.HANGUP:
            self.phase = Phase.RECORDING if self.plan.kind is Kind.VOICEMAIL else Phase.WAITING
            self._since = now

    def _step_waiting(self, now: float) -> None:
        """Silence after the greeting: an abandoned person waits only so long."""
        if self._last_heard is not None and self._last_heard >= self._since:
            self.phase, self._heard_seconds = Phase.CONVERSING, 0.0
        elif now - self._since >= self.plan.patience_seconds:
            self._hangs_up = "patience"

    def _step_conversing(self, now: float) -> None:
        """Answers when spoken to, stays for a while, and leaves when nobody speaks any more."""
        first = now if self._first_heard is None else self._first_heard
        last = now if self._last_heard is None else self._last_heard
        silent_since = max(last, self._since)
        if self._queue:
            self._since = now
        elif self._heard_seconds >= SPOKEN_TO_SECONDS and now - silent_since >= ANSWER_AFTER_PAUSE_SECONDS:
            clip = self.voices.pick(Role.HUMAN_FILLER, self.plan.filler_pick)
            self._queue.append(_Piece(clip.audio[: int(FILLER_MAX_SECONDS * SAMPLE_RATE)]))
            self._heard_seconds = 0.0
        elif now - silent_since >= 2 * self.plan.patience_seconds:
            self._hangs_up = "silence"
        elif now - first >= self.plan.stay_seconds:
            self._hangs_up = "finished"

    def _step_recording(self, now: float) -> None:
        if now - self._since >= VOICEMAIL_RECORDS_SECONDS:
            self._hangs_up = "recorded"

    def _step_deaf(self, now: float) -> None:
        if now - self._since >= DEAD_AIR_SECONDS:
            self._hangs_up = "dead_air_over"

    def _step_nothing(self, now: float) -> None:
        return


_STEPS: dict[Phase, Callable[[Callee, float], None]] = {
    Phase.QUIET: Callee._step_nothing,
    Phase.EARLY: Callee._step_early,
    Phase.GREETING: Callee._step_greeting,
    Phase.WAITING: Callee._step_waiting,
    Phase.CONVERSING: Callee._step_conversing,
    Phase.RECORDING: Callee._step_recording,
    Phase.DEAF: Callee._step_deaf,
    Phase.GONE: Callee._step_nothing,
}
