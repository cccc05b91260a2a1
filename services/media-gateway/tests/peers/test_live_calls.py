"""Whole attempts against SIPp: the gateway's live call over its own sockets, a gate that grants, no agents.

What an independent carrier sees is SIPp's verdict; what the rest of outdial is told is the call.ended.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest

from media_gateway.adapters.media_plane import MediaPlane
from media_gateway.adapters.rtp_udp import MediaPump
from media_gateway.adapters.sip_lines import SipTrunks
from media_gateway.adapters.sip_udp import bind_udp, serve_sip_udp
from media_gateway.domain.call_states import CallState
from media_gateway.handlers.live_call import LiveCall
from media_gateway.handlers.mailbox import HangUp
from media_gateway.rtp.port_pool import PortPool
from media_gateway.sip.dialog import LocalIdentity
from media_gateway.sip.endpoint import Endpoint
from outdial_contracts.events import CallAnswered, CallEnded, EndClass, Fault, ProgressStage

from ..handlers.fakes import DIAL, TRUNK
from ..handlers.world import World, world
from .sipp import ABSENT, SIPP, Sipp

S = ProgressStage
pytestmark = [pytest.mark.peers, pytest.mark.skipif(SIPP is None, reason=ABSENT)]


@asynccontextmanager
async def gateway(folder: Path) -> AsyncIterator[World]:
    """The world of the handlers' tests with real signalling and real media in it."""
    trunks = SipTrunks("127.0.0.1", {"TRUNK_PASSWORD": "secret"}, lambda: 1)
    udp = bind_udp(("127.0.0.1", 0))
    tokens = iter(f"{n:016x}" for n in range(1, 10**6))
    identity = LocalIdentity(
        host="127.0.0.1", port=udp.getsockname()[1], user_agent="outdial", new_token=lambda: next(tokens)
    )
    trunks.sip = await serve_sip_udp(Endpoint(identity=identity), udp, on_event=trunks.dispatch)
    pump = MediaPump(host="127.0.0.1", ports=PortPool(first=22500, last=22599))
    running = asyncio.create_task(pump.run())
    try:
        async with world() as w:
            w.deps = replace(w.deps, trunks=trunks, media=MediaPlane(pump, folder))
            yield w
            async with asyncio.timeout(5):
                while trunks.sip.live_call_ids:
                    await asyncio.sleep(0.02)
    finally:
        pump.close()
        await running
        await trunks.sip.close()


@pytest.fixture
async def sipp(tmp_path: Path) -> AsyncIterator[Callable[[str], Sipp]]:
    started: list[Sipp] = []

    def make(scenario: str) -> Sipp:
        started.append(Sipp(scenario, tmp_path))
        return started[-1]

    yield make
    for peer in started:
        await peer.kill()


async def place(w: World, peer: Sipp, ring_timeout_seconds: int = 8) -> LiveCall:
    trunk = replace(TRUNK, port=peer.port, username="trunk", password_env="TRUNK_PASSWORD")
    dial = replace(DIAL, ring_timeout_seconds=ring_timeout_seconds)
    call = LiveCall(dial, trunk, 60, await w.deps.media.open_leg(), w.deps)
    w.start(call.run())
    return call


@pytest.mark.parametrize(
    ("scenario", "end_class", "fault", "hung_up_by", "status", "cause", "stages"),
    [
        ("ring_no_answer", EndClass.NO_ANSWER, Fault.CALLEE, Fault.US, 487, None, [S.INVITED, S.ALERTING]),
        ("early_media_busy", EndClass.BUSY, Fault.CALLEE, Fault.CALLEE, 486, 17, [S.INVITED]),
        ("not_found", EndClass.NOT_IN_SERVICE, Fault.US, Fault.CARRIER, 404, 1, [S.INVITED]),
        ("unavailable", EndClass.CONGESTION, Fault.CARRIER, Fault.CARRIER, 503, 41, [S.INVITED]),
        ("far_end_bye", EndClass.CALLEE_HUNG_UP, Fault.CALLEE, Fault.CALLEE, 200, 16, [S.INVITED, S.ALERTING]),
        ("answer_crosses_cancel", EndClass.ABANDONED, Fault.US, Fault.US, 200, None, [S.INVITED, S.ALERTING]),
    ],
)
async def test_attempt_ends_as_the_carrier_played_it(
    tmp_path: Path,
    sipp: Callable[[str], Sipp],
    scenario: str,
    end_class: EndClass,
    fault: Fault,
    hung_up_by: Fault,
    status: int,
    cause: int | None,
    stages: list[ProgressStage],
) -> None:
    async with gateway(tmp_path) as w:
        peer = await sipp(scenario).start()
        await place(w, peer, ring_timeout_seconds=1)
        ended = await w.ended()
        assert await peer.succeeded()
    assert (ended.dialled, ended.end_class, ended.fault, ended.hung_up_by) == (True, end_class, fault, hung_up_by)
    assert (ended.sip_status, ended.q850_cause) == (status, cause)
    assert w.stages() == stages
    answered = scenario in ("far_end_bye", "answer_crosses_cancel")
    assert (ended.answered_at is not None) is answered
    assert len(w.outbox.of(CallAnswered)) == answered


@pytest.mark.parametrize("scenario", ["answer", "proxy_auth", "trunk_auth"])
async def test_answered_call_is_listened_to_and_hung_up_by_us(
    tmp_path: Path, sipp: Callable[[str], Sipp], scenario: str
) -> None:
    async with gateway(tmp_path) as w:
        peer = await sipp(scenario).start()
        call = await place(w, peer)
        async with asyncio.timeout(8):
            while call.state is not CallState.LISTENING:
                await asyncio.sleep(0.01)
        call.mailbox.put(HangUp(by_agent=False))
        ended = await w.ended()
        assert await peer.succeeded()
    assert (ended.end_class, ended.fault, ended.hung_up_by) == (EndClass.ABANDONED, Fault.US, Fault.US)
    assert (ended.sip_status, ended.trunk_id) == (200, "demo-a")
    assert len(w.outbox.of(CallEnded)) == 1


async def test_line_that_stays_silent_after_the_answer_is_dead_air(tmp_path: Path, sipp: Callable[[str], Sipp]) -> None:
    async with gateway(tmp_path) as w:
        peer = await sipp("answer").start()
        await place(w, peer)
        ended = await w.ended()
        assert await peer.succeeded()
    assert (ended.end_class, ended.fault, ended.hung_up_by) == (EndClass.DEAD_AIR, Fault.CALLEE, Fault.US)
    assert w.stages() == [S.INVITED, S.ALERTING, S.VERDICT]
