"""What every implementation of ports.Media does: the world's, and the real plane with sound over RTP on loopback."""

from __future__ import annotations

import asyncio
import random
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from outdial_world.ports.air import Air
from outdial_world.ports.callees import Behaviour, draw_plan
from outdial_world.ports.media import WorldMedia

from media_gateway.adapters.media_plane import MediaPlane
from media_gateway.adapters.rtp_udp import MediaPort, MediaPump
from media_gateway.detection.early import EarlyMedia, EarlyMediaDetector, EarlyVerdict
from media_gateway.detection.greeting import AnswerDetector, Answerer, Verdict
from media_gateway.ports import Media, MediaLeg, NoMediaLeg
from media_gateway.rtp.codec import Codec
from media_gateway.rtp.g711 import decode
from media_gateway.rtp.packet import RtpPacket, TelephoneEvent, pack_rtp, pack_telephone_event
from media_gateway.rtp.port_pool import PortPool
from outdial_sim.voices import ringback, speech_like

from .trunk_suite import until

PROMPTS = Path(__file__).parents[4] / "examples" / "prompts"
LEGS = 3
PCMU, DTMF = 0, 101


class Outside(ABC):
    """Whoever is at the other end of a leg, silent until told otherwise."""

    address: tuple[str, int]
    heard: int = 0

    @abstractmethod
    def connect(self, leg: MediaLeg) -> None:
        """Whom it will speak to."""

    @abstractmethod
    def leave(self) -> None:
        """Is silent from now on."""

    @abstractmethod
    def greet(self) -> None:
        """Says one short word, as a person does who answers."""

    @abstractmethod
    def ring_back(self) -> None:
        """Ringback, as before an answer."""

    @abstractmethod
    def talk(self) -> None:
        """Speaks from now on."""

    @abstractmethod
    def press(self, key: str) -> None:
        """A key of the phone."""


class Studio(ABC):
    """The port under test, and people to put at the other end of a leg."""

    media: Media

    @abstractmethod
    async def outside(self) -> Outside: ...

    async def call(self) -> tuple[MediaLeg, Outside]:
        """A leg whose other end is somebody who says nothing yet."""
        leg, outside = await self.media.open_leg(), await self.outside()
        outside.connect(leg)
        leg.set_remote(*outside.address, PCMU, DTMF)
        return leg, outside


class MediaSuite(ABC):
    """Inherit it and give `studio`."""

    @pytest.fixture
    @abstractmethod
    def studio(self) -> Any: ...

    async def test_legs_have_addresses_of_their_own_until_none_is_left(self, studio: Studio) -> None:
        legs = [await studio.media.open_leg() for _ in range(LEGS)]
        assert len({(leg.local_host, leg.local_port) for leg in legs}) == LEGS
        with pytest.raises(NoMediaLeg):
            await studio.media.open_leg()
        for leg in legs:
            leg.close()
            leg.close()
            assert leg.closed

    async def test_prompt_is_found_by_its_file_name_only(self, studio: Studio) -> None:
        assert len(studio.media.prompt("anywhere/safe_harbour.wav") or []) > 100
        assert studio.media.prompt("absent.wav") is None

    async def test_prompt_is_played_to_its_end_in_its_own_time(self, studio: Studio) -> None:
        leg, _ = await studio.call()
        began = asyncio.get_running_loop().time()
        async with asyncio.timeout(5):
            assert await leg.play([bytes(160)] * 20)
        assert asyncio.get_running_loop().time() - began >= 0.37

    @pytest.mark.parametrize("cut", ["stop_playing", "close"])
    async def test_prompt_that_is_cut_says_so(self, studio: Studio, cut: str) -> None:
        leg, _ = await studio.call()
        played = leg.play([bytes(160)] * 500)
        await asyncio.sleep(0.05)
        getattr(leg, cut)()
        assert await played is False

    async def test_second_prompt_cuts_the_first(self, studio: Studio) -> None:
        leg, _ = await studio.call()
        first, second = leg.play([bytes(160)] * 500), leg.play([bytes(160)] * 5)
        async with asyncio.timeout(5):
            assert [await first, await second] == [False, True]

    async def test_empty_prompt_is_over_at_once_and_a_closed_leg_plays_nothing(self, studio: Studio) -> None:
        leg, _ = await studio.call()
        assert await leg.play([])
        leg.close()
        assert await leg.play([bytes(160)]) is False

    async def test_short_greeting_is_heard_as_a_person_soon_after_its_end(self, studio: Studio) -> None:
        leg, outside = await studio.call()
        verdicts: list[Verdict] = []
        outside.greet()
        studio.media.listen(leg, AnswerDetector(), verdicts.append)
        await until(lambda: bool(verdicts))
        [verdict] = verdicts
        assert verdict.answerer is Answerer.HUMAN
        assert verdict.greeting_end_ms is not None
        assert 600 <= verdict.decided_ms - verdict.greeting_end_ms <= 1200

    async def test_nobody_is_heard_as_silence(self, studio: Studio) -> None:
        leg, _ = await studio.call()
        verdicts: list[Verdict] = []
        studio.media.listen(leg, AnswerDetector(), verdicts.append)
        await until(lambda: bool(verdicts))
        assert [(v.answerer, v.decided_ms) for v in verdicts] == [(Answerer.SILENCE, 3520)]

    async def test_ringback_before_the_answer_is_heard_as_such(self, studio: Studio) -> None:
        leg, outside = await studio.call()
        verdicts: list[EarlyVerdict] = []
        outside.ring_back()
        studio.media.listen(leg, EarlyMediaDetector(), verdicts.append)
        await until(lambda: bool(verdicts))
        assert [verdict.media for verdict in verdicts] == [EarlyMedia.RINGBACK]

    async def test_listener_that_was_taken_away_says_nothing_more(self, studio: Studio) -> None:
        leg, outside = await studio.call()
        verdicts: list[Any] = []
        outside.greet()
        studio.media.listen(leg, AnswerDetector(), verdicts.append)
        assert leg.on_frame is not None
        leg.on_frame = None
        await asyncio.sleep(4.0)
        assert verdicts == []

    async def test_closed_leg_says_nothing_more(self, studio: Studio) -> None:
        leg, _ = await studio.call()
        verdicts: list[Any] = []
        studio.media.listen(leg, AnswerDetector(), verdicts.append)
        leg.close()
        await asyncio.sleep(4.0)
        assert verdicts == []

    async def test_bridge_passes_sound_on_until_it_ends(self, studio: Studio) -> None:
        (trunk, callee), (phone, agent) = await studio.call(), await studio.call()
        callee.talk()
        agent.talk()
        await asyncio.sleep(0.1)
        before = phone.stats().sent
        studio.media.bridge(trunk, phone)
        await until(lambda: phone.stats().sent > before + 3, 2.0)
        await until(lambda: callee.heard > 0 and agent.heard > 0, 2.0)
        studio.media.unbridge(trunk)
        studio.media.unbridge(phone)
        after = phone.stats().sent
        await asyncio.sleep(0.3)
        assert phone.stats().sent <= after + 1

    async def test_bridge_needs_two_open_legs(self, studio: Studio) -> None:
        (one, _), (other, _) = await studio.call(), await studio.call()
        with pytest.raises(ValueError, match="two open legs"):
            studio.media.bridge(one, one)
        other.close()
        with pytest.raises(ValueError, match="two open legs"):
            studio.media.bridge(one, other)
        studio.media.unbridge(one)

    async def test_key_is_told_once(self, studio: Studio) -> None:
        leg, outside = await studio.call()
        keys: list[str] = []
        leg.on_digit = lambda _, key: keys.append(key)
        outside.press("9")
        await until(lambda: bool(keys))
        await asyncio.sleep(0.1)
        assert keys == ["9"]

    async def test_leg_knows_when_it_was_last_spoken_to(self, studio: Studio) -> None:
        leg, outside = await studio.call()
        before = leg.heard_at
        assert before is None
        outside.talk()
        await until(lambda: leg.heard_at is not None)
        heard_at = leg.heard_at or 0.0
        assert abs(asyncio.get_running_loop().time() - heard_at) < 1.5
        await asyncio.sleep(0.1)
        outside.leave()
        await asyncio.sleep(0.1)
        last = leg.heard_at
        await asyncio.sleep(1.5)
        assert leg.heard_at == last

    async def test_only_g711_is_spoken(self, studio: Studio) -> None:
        leg = await studio.media.open_leg()
        with pytest.raises(ValueError, match=r"18|0 or 8"):
            leg.set_remote("127.0.0.1", 9, 18)


class WorldOutside(Outside):
    """A speaker at an address of the air."""

    def __init__(self, air: Air) -> None:
        self.address = air.address()
        self._air = air
        self._leg: Any = None
        self._verdict: Verdict | None = None
        self._early: tuple[EarlyVerdict, ...] = ()
        self._left_at: float | None = None

    def connect(self, leg: MediaLeg) -> None:
        self._leg = leg

    def greet(self) -> None:
        plan = draw_plan(random.Random(1), {Behaviour.HUMAN: 1.0})
        self._verdict = plan.heard
        self._air.speakers[self.address] = self

    def ring_back(self) -> None:
        self._early = (EarlyVerdict(media=EarlyMedia.RINGBACK, decided_ms=700),)
        self._air.speakers[self.address] = self

    def talk(self) -> None:
        self._air.speakers[self.address] = self

    def leave(self) -> None:
        self._left_at = asyncio.get_running_loop().time()

    def press(self, key: str) -> None:
        self._air.ears[self._leg.local_host, self._leg.local_port].key(key)

    def early_verdicts(self) -> tuple[EarlyVerdict, ...]:
        return self._early

    def verdict(self) -> Verdict | None:
        return self._verdict

    def spoke_at(self) -> float | None:
        return self._left_at or asyncio.get_running_loop().time()

    def hears(self) -> None:
        self.heard += 1


class WorldStudio(Studio):
    """The fake."""

    def __init__(self) -> None:
        self.air = Air()
        self.media = WorldMedia(self.air, prompts={"prompts/safe_harbour.wav": 4.0}, legs=LEGS)

    async def outside(self) -> Outside:
        return WorldOutside(self.air)


@pytest.mark.looptime
class TestWorldMedia(MediaSuite):
    @pytest.fixture
    async def studio(self) -> Studio:
        return WorldStudio()

    async def test_dead_gateway_hears_nothing(self, studio: WorldStudio) -> None:
        leg, outside = await studio.call()
        told: list[Any] = []
        leg.on_digit = lambda _, key: told.append(key)
        outside.greet()
        studio.media.listen(leg, AnswerDetector(), told.append)
        assert isinstance(studio.media, WorldMedia)
        studio.media.die()
        await asyncio.sleep(5)
        assert told == []
        with pytest.raises(NoMediaLeg):
            await studio.media.open_leg()


class RtpOutside(Outside):
    """A leg of another pump."""

    def __init__(self, port: MediaPort) -> None:
        self.address = port.local_host, port.local_port
        self._port = port
        self._talking: asyncio.TimerHandle | None = None
        self._leg: Any = None
        port.on_frame = self._on_frame

    def connect(self, leg: MediaLeg) -> None:
        self._leg = leg

    def greet(self) -> None:
        self._speak()
        self._port.play(_frames(speech_like(0.9, seed=3)))

    def ring_back(self) -> None:
        self._speak()
        self._port.play(_frames(ringback()))

    def talk(self) -> None:
        self._speak()
        self._port.play(_frames(speech_like(5.0, seed=4)))

    def leave(self) -> None:
        self._port.close()

    def press(self, key: str) -> None:
        self._speak()
        for n in range(4):
            report = TelephoneEvent(event=int(key), end=n >= 2, volume_dbm0=10, duration=160 * (n + 1))
            packet = RtpPacket(
                payload_type=DTMF, sequence=n, timestamp=160, ssrc=4, payload=pack_telephone_event(report)
            )
            transport: Any = self._port._transport
            transport.sendto(pack_rtp(packet), (self._leg.local_host, self._leg.local_port))

    def _speak(self) -> None:
        self._port.set_remote(self._leg.local_host, self._leg.local_port, PCMU, DTMF)

    def _on_frame(self, leg: MediaPort, frame: Any) -> None:
        self.heard += int(np.abs(frame).max() > 500)


class RtpStudio(Studio):
    """The real plane; who is outside speaks through a pump of their own."""

    def __init__(self, gateway: MediaPump, world: MediaPump) -> None:
        self.media = MediaPlane(gateway, PROMPTS)
        self._world = world

    async def outside(self) -> Outside:
        return RtpOutside(await self._world.open_port())


@pytest.mark.slow
class TestMediaPlane(MediaSuite):
    @pytest.fixture
    async def studio(self) -> AsyncIterator[Studio]:
        gateway = MediaPump(host="127.0.0.1", ports=PortPool(first=42_000, last=42_000 + 2 * LEGS - 1))
        world = MediaPump(host="127.0.0.1", ports=PortPool(first=42_100, last=42_199))
        running = [asyncio.create_task(pump.run()) for pump in (gateway, world)]
        await asyncio.sleep(0)
        yield RtpStudio(gateway, world)
        for pump in (gateway, world):
            pump.close()
        await asyncio.gather(*running)
        await asyncio.sleep(0)


def _frames(payload: bytes) -> list[Any]:
    samples = decode(Codec.PCMU, payload)
    return list(samples[: len(samples) // 160 * 160].reshape(-1, 160))
