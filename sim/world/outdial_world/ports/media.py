"""The media plane without samples: verdicts come when the sound at the leg's address would have led to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from media_gateway.detection.batch import Listener
from media_gateway.detection.early import EarlyMediaDetector
from media_gateway.detection.greeting import Answerer, Profile, Verdict, VerdictReason
from media_gateway.ports import MediaLeg, NoMediaLeg
from media_gateway.rtp.g711 import Frame
from media_gateway.rtp.stream import ReceiveReport
from outdial_world.ports.air import Address, Air, Speaker

V = TypeVar("V")
FRAME_SECONDS = 0.02
IDLE_SECONDS = 1.0
"""A leg with nothing to say sends one packet so often."""


@dataclass(frozen=True, kw_only=True)
class WorldStats:
    """media_gateway.ports.LegStats."""

    sent: int
    received: ReceiveReport


class WorldLeg:
    """Implements media_gateway.ports.MediaLeg."""

    def __init__(self, air: Air, forget: Callable[[WorldLeg], object]) -> None:
        self.local_host, self.local_port = air.address()
        self.on_frame: Callable[..., None] | None = None
        self.on_digit: Callable[..., None] | None = None
        self.closed = self.dead = False
        self.peer: WorldLeg | None = None
        self._air, self._forget = air, forget
        self._loop = asyncio.get_running_loop()
        self._remote: Address | None = None
        self._remote_since = 0.0
        self._heard_before: float | None = None
        self._prompt: asyncio.Future[bool] | None = None
        self._prompt_ends: asyncio.TimerHandle | None = None
        self._sent, self._sending_since, self._every_seconds = 0, self._loop.time(), 0.0
        air.ears[self.local_host, self.local_port] = self

    @property
    def speaker(self) -> Speaker | None:
        """Who speaks at the other side, if anybody does."""
        return self._air.speakers.get(self._remote) if self._remote else None

    @property
    def heard_at(self) -> float | None:
        speaker = self.speaker
        spoke_at = speaker.spoke_at() if speaker else None
        self._heard_before = spoke_at if spoke_at is not None else self._heard_before
        return self._heard_before

    def set_remote(self, host: str, port: int, payload_type: int, telephone_event_type: int | None = None) -> None:
        """Takes the peer's description. ValueError unless the payload type is 0 or 8."""
        if payload_type not in (0, 8):
            raise ValueError("a payload type is 0 or 8")
        self._remote, self._remote_since = (host, port), self._loop.time()
        self._pace()

    def play(self, frames: Iterable[Frame | bytes]) -> asyncio.Future[bool]:
        """Plays a prompt in place of a current one; True when it ended, False when it was cut."""
        self.stop_playing()
        count, done = sum(1 for _ in frames), self._loop.create_future()
        if not count or self.closed:
            done.set_result(not self.closed)
            return done
        self._prompt = done
        self._prompt_ends = self._loop.call_later(count * FRAME_SECONDS, self._finish_prompt, True)
        self._pace()
        self._tell_speaker()
        return done

    def stop_playing(self) -> None:
        """Cuts the current prompt, if any."""
        self._finish_prompt(False)

    def stats(self) -> WorldStats:
        """The figures so far."""
        packets = int((self._loop.time() - self._remote_since) / FRAME_SECONDS) if self._remote else 0
        report = ReceiveReport(
            packets=packets,
            bytes=packets * 160,
            expected=packets,
            lost=0,
            duplicates_and_late=0,
            jitter_ms=0.0,
            source_changes=0,
        )
        return WorldStats(sent=self._count_sent(), received=report)

    def close(self) -> None:
        """Leaves the bridge; closing twice is harmless."""
        if self.closed:
            return
        self.unbridge()
        self.stop_playing()
        self.closed = True
        self._pace()
        self._air.ears.pop((self.local_host, self.local_port), None)
        self._forget(self)

    def join(self, peer: WorldLeg) -> None:
        """Passes on to the peer what comes here."""
        self.peer = peer
        self.stop_playing()
        self._pace()
        if peer.speaker is not None:
            self._tell_speaker()

    def unbridge(self) -> None:
        """Ends the bridge; harmless without one."""
        peer, self.peer = self.peer, None
        self._pace()
        if peer is not None:
            peer.peer = None
            peer._pace()

    def key(self, key: str) -> None:
        """A pressed key arrives."""
        if self.on_digit is not None and not self.closed and not self.dead:
            self.on_digit(self, key)

    def later(self, seconds: float, listening: Callable[..., None], what: Callable[[], None]) -> None:
        """Calls `what` then, if the leg still listens with this `on_frame`."""

        def due() -> None:
            if self.on_frame is listening and self.peer is None and not self.closed and not self.dead:
                what()

        self._loop.call_later(seconds, due)

    def _tell_speaker(self) -> None:
        if self.speaker is not None and not self.dead:
            self.speaker.hears()

    def _finish_prompt(self, ended: bool) -> None:
        prompt, self._prompt = self._prompt, None
        if self._prompt_ends is not None:
            self._prompt_ends.cancel()
            self._prompt_ends = None
        self._pace()
        if prompt is not None and not prompt.done():
            prompt.set_result(ended)

    def _pace(self) -> None:
        """Begins to count packets anew after whatever changes how often one leaves."""
        self._sent, self._sending_since = self._count_sent(), self._loop.time()
        relays = self.peer is not None and self.peer.speaker is not None
        talks = relays or self._prompt is not None
        idle = IDLE_SECONDS if self.peer is None and self._remote is not None else 0.0
        self._every_seconds = 0.0 if self.closed else FRAME_SECONDS if talks else idle

    def _count_sent(self) -> int:
        if not self._every_seconds:
            return self._sent
        return self._sent + int((self._loop.time() - self._sending_since) / self._every_seconds + 1e-9)


class WorldMedia:
    """Implements media_gateway.ports.Media for one boot of a gateway."""

    def __init__(self, air: Air, *, prompts: Mapping[str, float], legs: int = 1000) -> None:
        """`prompts`: file name -> seconds; `legs`: so many ports."""
        self._air, self._most = air, legs
        self._prompts: dict[str, Any] = {
            name.rpartition("/")[2]: [b""] * round(seconds / FRAME_SECONDS) for name, seconds in prompts.items()
        }
        self._legs: dict[int, WorldLeg] = {}
        self._dead = False

    @property
    def open_legs(self) -> int:
        """Legs opened and not closed."""
        return len(self._legs)

    async def open_leg(self) -> MediaLeg:
        """A leg at an address of its own. Raises NoMediaLeg."""
        await asyncio.sleep(0)
        if len(self._legs) >= self._most or self._dead:
            raise NoMediaLeg("all media ports are in use")
        leg = WorldLeg(self._air, lambda leg: self._legs.pop(leg.local_port, None))
        self._legs[leg.local_port] = leg
        return leg

    def listen(self, leg: MediaLeg, listener: Listener[V], on_verdict: Callable[[V], None]) -> None:
        """Gives the listener's verdicts, each when its audio would be over, until `on_frame` is taken away."""
        mine = _ours(leg)

        def listening(*frame: object) -> None:
            """Frames are never made."""

        mine.on_frame = listening
        for verdict in _verdicts(listener, mine.speaker):
            mine.later(verdict.decided_ms / 1000, listening, _say(on_verdict, verdict))

    def bridge(self, one: MediaLeg, other: MediaLeg) -> None:
        """Passes sound both ways; an earlier bridge of either ends. ValueError unless two open legs."""
        a, b = _ours(one), _ours(other)
        if a is b or a.closed or b.closed:
            raise ValueError("a bridge needs two open legs")
        a.unbridge()
        b.unbridge()
        a.peer, b.peer = b, a
        a.join(b)
        b.join(a)

    def unbridge(self, leg: MediaLeg) -> None:
        """Ends a bridge; harmless without one."""
        _ours(leg).unbridge()

    def prompt(self, name: str) -> list[Frame] | None:
        """Frames of a prompt by the last part of its path."""
        found: list[Frame] | None = self._prompts.get(name.rpartition("/")[2])
        return found

    def die(self) -> None:
        """The gateway is gone: its legs neither hear nor speak."""
        self._dead = True
        for leg in self._legs.values():
            leg.dead = True
            self._air.ears.pop((leg.local_host, leg.local_port), None)


DEAD_AIR_MS = Profile().dead_air_ms + 20
"""Every second frame is judged."""
_SILENCE = Verdict(answerer=Answerer.SILENCE, reason=VerdictReason.DEAD_AIR, decided_ms=DEAD_AIR_MS)


def _verdicts(listener: object, speaker: Speaker | None) -> list[Any]:
    """What this detector will say of who speaks, in order; silence is heard as silence."""
    if isinstance(listener, EarlyMediaDetector):
        return list(speaker.early_verdicts()) if speaker is not None else []
    return [(speaker.verdict() if speaker is not None else None) or _SILENCE]


def _say(on_verdict: Callable[[V], None], verdict: V) -> Callable[[], None]:
    return lambda: on_verdict(verdict)


def _ours(leg: MediaLeg) -> WorldLeg:
    if not isinstance(leg, WorldLeg):
        raise TypeError("this plane bridges its own legs only")
    return leg
