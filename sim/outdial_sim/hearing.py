"""Hearing by loudness alone: whether and since when somebody speaks on a line. Pure; `now` is seconds of one clock."""

from collections import deque

from outdial_sim.wire.g711 import is_digital_silence, loudness

SPEECH_LOUDNESS = 250.0
WINDOW_FRAMES = 5
SPEECH_FRAMES = 3
LINE_GAP_SECONDS = 0.3


class Ear:
    """Fed with every G.711 payload; speech is 3 loud frames of the last 5 (mean amplitude over 250, about -42 dBov)."""

    def __init__(self) -> None:
        self._recent: deque[float | None] = deque(maxlen=WINDOW_FRAMES)
        self._last_line: float | None = None
        self.speech_first_at: float | None = None
        self.speech_last_at: float | None = None
        self.line_since: float | None = None

    def hear(self, payload: bytes, now: float, *, alaw: bool = False) -> bool:
        """Whether speech is on after this frame. Also keeps the time of the first loud frame of the first speech."""
        self._follow_line(payload, now)
        self._recent.append(now if loudness(payload, alaw=alaw) > SPEECH_LOUDNESS else None)
        loud = [at for at in self._recent if at is not None]
        if len(loud) < SPEECH_FRAMES:
            return False
        self.speech_last_at = now
        if self.speech_first_at is None:
            self.speech_first_at = loud[0]
        return True

    def speaking(self, now: float, *, within_seconds: float = 0.3) -> bool:
        """Whether speech was heard within the last moments."""
        return self.speech_last_at is not None and now - self.speech_last_at <= within_seconds

    def line_open(self, now: float) -> bool:
        """Whether a live (not digitally silent) stream has been coming in without a gap until now."""
        return self.line_since is not None and self._last_line is not None and now - self._last_line <= LINE_GAP_SECONDS

    def line_settled(self, now: float, *, for_seconds: float = 0.2) -> bool:
        """Whether a live stream has been coming in for a while: somebody is on the line."""
        return self.line_since is not None and self.line_open(now) and now - self.line_since >= for_seconds

    def _follow_line(self, payload: bytes, now: float) -> None:
        """`line_since` is the first frame of the present run of frames that are not digital silence."""
        if is_digital_silence(payload):
            return
        if not self.line_open(now):
            self.line_since = now
        self._last_line = now
