"""Media legs over real loopback sockets: two pumps, one playing the carrier and an agent, one the gateway between."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

import numpy as np
import pytest

from media_gateway.adapters.rtp_udp import MediaPort, MediaPump
from media_gateway.rtp.codec import Codec
from media_gateway.rtp.g711 import Frame
from media_gateway.rtp.packet import RtpPacket, TelephoneEvent, pack_rtp, pack_telephone_event
from media_gateway.rtp.port_pool import PortPool

HOST = "127.0.0.1"
GATEWAY_PORTS = (41_000, 41_399)
OUTSIDE_PORTS = (41_400, 41_799)


@asynccontextmanager
async def running_pump(ports: tuple[int, int], *, drain_seconds: float = 0.0) -> AsyncIterator[MediaPump]:
    pump = MediaPump(host=HOST, ports=PortPool(first=ports[0], last=ports[1], drain_seconds=drain_seconds))
    task = asyncio.create_task(pump.run())
    await asyncio.sleep(0)
    try:
        yield pump
    finally:
        pump.close()
        await task
        await asyncio.sleep(0)  # lets the closed transports say good-bye


@asynccontextmanager
async def world() -> AsyncIterator[tuple[MediaPump, MediaPump]]:
    async with running_pump(GATEWAY_PORTS) as gateway, running_pump(OUTSIDE_PORTS) as outside:
        yield gateway, outside


def connect(one: MediaPort, other: MediaPort, codec: Codec = Codec.PCMU, event_type: int | None = None) -> None:
    one.set_remote(HOST, other.local_port, codec, event_type)
    other.set_remote(HOST, one.local_port, codec, event_type)


def tone(hz: float, seconds: float) -> list[Frame]:
    samples = np.sin(2 * np.pi * hz * np.arange(int(seconds * 8000)) / 8000) * 8000
    return list(samples.astype(np.int16).reshape(-1, 160))


def loudest_hz(frames: list[Frame]) -> float:
    spectrum = np.abs(np.fft.rfft(np.concatenate(frames).astype(np.float64)))
    return float(np.argmax(spectrum)) * 8000 / (160 * len(frames))


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.01)


def hears(leg: MediaPort) -> list[Frame]:
    heard: list[Frame] = []
    leg.on_frame = lambda _, frame: heard.append(frame)
    return heard


def loud(frames: list[Frame]) -> list[Frame]:
    return [frame for frame in frames if np.abs(frame).max() > 1000]


@pytest.mark.parametrize(("callee_codec", "agent_codec"), [(Codec.PCMU, Codec.PCMU), (Codec.PCMA, Codec.PCMU)])
async def test_a_tone_crosses_the_bridge_both_ways_in_either_law(callee_codec: Codec, agent_codec: Codec) -> None:
    async with world() as (gateway, outside):
        trunk, agent_leg = await gateway.open_port(), await gateway.open_port()
        callee, agent = await outside.open_port(), await outside.open_port()
        connect(trunk, callee, callee_codec)
        connect(agent_leg, agent, agent_codec)
        gateway.bridge(trunk, agent_leg)
        at_agent, at_callee = hears(agent), hears(callee)
        ended = await asyncio.gather(callee.play(tone(1000, 0.6)), agent.play(tone(500, 0.6)))
        await until(lambda: len(loud(at_agent)) >= 25 and len(loud(at_callee)) >= 25)
        assert all(ended)
        assert loudest_hz(loud(at_agent)[:25]) == pytest.approx(1000, abs=10)
        assert loudest_hz(loud(at_callee)[:25]) == pytest.approx(500, abs=10)
        assert agent.stats().received.lost == 0


async def test_after_the_bridge_the_leg_is_heard_by_its_owner_again() -> None:
    async with world() as (gateway, outside):
        trunk, agent_leg, callee = await gateway.open_port(), await gateway.open_port(), await outside.open_port()
        connect(trunk, callee)
        heard = hears(trunk)
        gateway.bridge(trunk, agent_leg)
        gateway.unbridge(agent_leg)
        callee.play(tone(700, 0.4))
        await until(lambda: len(loud(heard)) >= 10)
        assert loudest_hz(loud(heard)[:10]) == pytest.approx(700, abs=20)


async def test_a_leg_that_sends_nothing_is_heard_as_silence_at_the_frame_rate() -> None:
    async with running_pump(GATEWAY_PORTS) as gateway:
        trunk = await gateway.open_port()
        heard = hears(trunk)
        await until(lambda: len(heard) >= 10)
        assert not loud(heard)


async def test_the_tick_ends_after_every_leg_was_heard() -> None:
    async with running_pump(GATEWAY_PORTS) as gateway:
        legs = [await gateway.open_port() for _ in range(2)]
        heard = [hears(leg) for leg in legs]
        counts: list[tuple[int, int]] = []
        gateway.on_tick = lambda: counts.append((len(heard[0]), len(heard[1])))
        await until(lambda: len(counts) >= 3)
        assert all(one == other for one, other in counts)


async def test_media_goes_to_where_it_comes_from_rather_than_to_what_the_sdp_said() -> None:
    async with world() as (gateway, outside):
        trunk, callee = await gateway.open_port(), await outside.open_port()
        trunk.set_remote(HOST, 9, 0)
        callee.set_remote(HOST, trunk.local_port, 0)
        heard = hears(callee)
        await callee.play(tone(400, 0.06))
        await until(lambda: trunk.remote == (HOST, callee.local_port))
        trunk.play(tone(600, 0.2))
        await until(lambda: len(loud(heard)) >= 5)


async def test_a_stranger_cannot_take_over_a_live_leg() -> None:
    async with world() as (gateway, outside):
        trunk, callee = await gateway.open_port(), await outside.open_port()
        connect(trunk, callee)
        callee.play(tone(400, 1.0))
        await until(lambda: trunk.stats().received.packets > 2)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(
                pack_rtp(RtpPacket(payload_type=0, sequence=1, timestamp=1, ssrc=1, payload=b"\x00" * 160)),
                (HOST, trunk.local_port),
            )
            stranger.sendto(b"not rtp at all", (HOST, trunk.local_port))
            await until(lambda: trunk.stats().foreign == 1 and trunk.stats().invalid == 1)
        assert trunk.remote == (HOST, callee.local_port)
        assert trunk.stats().received.source_changes == 0


async def test_an_idle_agent_leg_is_kept_alive_sparsely() -> None:
    async with world() as (gateway, outside):
        leg, agent = await gateway.open_port(), await outside.open_port()
        connect(leg, agent)
        await until(lambda: agent.stats().received.packets >= 1)
        assert leg.stats().sent <= gateway.stats().ticks // 50 + 1


async def test_a_key_press_is_reported_once_for_its_repeated_reports() -> None:
    async with running_pump(GATEWAY_PORTS) as gateway:
        trunk = await gateway.open_port()
        trunk.set_remote(HOST, 9, 0, telephone_event_type=101)
        digits: list[str] = []
        trunk.on_digit = lambda _, digit: digits.append(digit)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as phone:
            for n in range(6):
                stamp = 160 if n < 4 else 3200
                report = TelephoneEvent(event=9 if n < 4 else 11, end=n >= 2, volume_dbm0=10, duration=160 * (n + 1))
                packet = RtpPacket(
                    payload_type=101, sequence=n, timestamp=stamp, ssrc=4, payload=pack_telephone_event(report)
                )
                phone.sendto(pack_rtp(packet), (HOST, trunk.local_port))
            await until(lambda: trunk.stats().received.packets == 6)
        assert digits == ["9", "#"]


async def test_a_prompt_cut_by_the_end_of_the_call_says_so() -> None:
    async with running_pump(GATEWAY_PORTS) as gateway:
        trunk = await gateway.open_port()
        trunk.set_remote(HOST, 9, 0)
        done = trunk.play(tone(400, 5.0))
        trunk.close()
        assert await done is False
        assert await trunk.play(tone(400, 0.1)) is False


async def test_closing_gives_the_port_back_only_after_it_drained() -> None:
    async with running_pump((41_000, 41_002), drain_seconds=60.0) as gateway:
        first = await gateway.open_port()
        first.close()
        first.close()
        second = await gateway.open_port()
        assert second.local_port != first.local_port
        assert gateway.open_legs == 1


async def test_a_port_held_by_another_process_is_passed_over() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
        other.bind((HOST, GATEWAY_PORTS[0]))
        async with running_pump(GATEWAY_PORTS) as gateway:
            leg = await gateway.open_port()
            assert leg.local_port == GATEWAY_PORTS[0] + 2
            leg.close()


async def test_a_fault_in_a_legs_owner_ends_the_pump_loudly() -> None:
    pump = MediaPump(host=HOST, ports=PortPool(first=GATEWAY_PORTS[0], last=GATEWAY_PORTS[1]))
    leg = await pump.open_port()

    def broken(_: MediaPort, frame: Frame) -> None:
        raise ZeroDivisionError

    leg.on_frame = broken
    async with asyncio.timeout(10):
        with pytest.raises(ZeroDivisionError):
            await pump.run()
    pump.close()
    await asyncio.sleep(0)


async def test_a_blocked_loop_is_caught_up_and_counted() -> None:
    async with running_pump(GATEWAY_PORTS) as gateway:
        leg = await gateway.open_port()
        heard = hears(leg)
        await until(lambda: len(heard) > 0)
        before = len(heard)
        blocked_until = asyncio.get_running_loop().time() + 0.15
        while asyncio.get_running_loop().time() < blocked_until:
            pass
        await asyncio.sleep(0)
        await until(lambda: gateway.stats().late_ticks > 0)
        assert len(heard) - before >= 6
        assert gateway.stats().worst_lateness_ms > 100


async def test_a_bridge_needs_two_open_legs() -> None:
    async with running_pump(GATEWAY_PORTS) as gateway:
        leg, closed = await gateway.open_port(), await gateway.open_port()
        closed.close()
        for other in (leg, closed):
            with pytest.raises(ValueError, match="two open legs"):
                gateway.bridge(leg, other)


def test_only_g711_is_taken_from_an_sdp_answer() -> None:
    pump = MediaPump(host=HOST, ports=PortPool(first=41_000, last=41_002))
    with pytest.raises(ValueError, match="18 is not a valid Codec"):
        MediaPort(pump=pump, local=(HOST, 41_000), draw_bits=lambda bits: 0).set_remote(HOST, 9, 18)
