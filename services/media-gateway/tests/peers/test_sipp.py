"""The UDP adapter against SIPp: what a carrier and a phone that we did not write make of our messages."""

import asyncio
import secrets
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import TypeVar

import pytest
import uvloop

from media_gateway.adapters.sip_udp import SipUdp, open_sip_udp
from media_gateway.sip.dialog import LocalIdentity
from media_gateway.sip.digest import Authenticator, Credentials
from media_gateway.sip.endpoint import Endpoint
from media_gateway.sip.events import (
    Alerting,
    Answered,
    Connected,
    Discarded,
    Ended,
    EndedBy,
    EndReason,
    Event,
    IncomingCall,
    Proceeding,
)
from media_gateway.sip.invitation import Invitation
from media_gateway.sip.sdp import offer

from .sipp import ABSENT, SIPP, Sipp, free_port

CALL_ID = "6f9619ff-8b86-5011-b42d-00cf4fc964ff.1@127.0.0.1"
EventT = TypeVar("EventT", bound=Event)

pytestmark = [
    pytest.mark.peers,
    pytest.mark.skipif(SIPP is None, reason=ABSENT),
]


class Gateway:
    """The adapter on a loopback port, its events in a queue and a list."""

    def __init__(self) -> None:
        self.port = free_port()
        self.events: list[Event] = []
        self._arrived: asyncio.Queue[Event] = asyncio.Queue()

    async def open(self) -> "Gateway":
        endpoint = Endpoint(
            identity=LocalIdentity(
                host="127.0.0.1", port=self.port, user_agent="outdial", new_token=lambda: secrets.token_hex(8)
            ),
            authenticator=Authenticator(realm="phones", key=b"test key", password_of={"agent7": "pass7"}.get),
        )
        self.sip: SipUdp = await open_sip_udp(endpoint, bind=("127.0.0.1", self.port), on_event=self._take)
        return self

    def _take(self, event: Event) -> None:
        self.events.append(event)
        self._arrived.put_nowait(event)

    async def wait_for(self, kind: type[EventT]) -> EventT:
        async with asyncio.timeout(8):
            while True:
                event = await self._arrived.get()
                if isinstance(event, kind):
                    return event

    def call(self, peer: "Sipp") -> None:
        self.sip.invite(
            Invitation(
                call_id=CALL_ID,
                destination=("127.0.0.1", peer.port),
                target=f"sip:+12125550123@127.0.0.1:{peer.port}",
                caller=f"sip:+12125550100@127.0.0.1:{self.port}",
                sdp=offer(address="127.0.0.1", port=40000, session_id=1),
                credentials=Credentials(username="trunk", password="secret"),
                headers=(("X-Traceparent", "00-6f9619ff8b865011b42d00cf4fc964ff-00f067aa0ba902b7-01"),),
            )
        )


@pytest.fixture
async def gateway() -> AsyncIterator[Gateway]:
    opened = await Gateway().open()
    yield opened
    await opened.sip.close()


@pytest.fixture
async def sipp(tmp_path: Path) -> AsyncIterator[Callable[[str], Sipp]]:
    started: list[Sipp] = []

    def make(scenario: str) -> Sipp:
        started.append(Sipp(scenario, tmp_path))
        return started[-1]

    yield make
    for peer in started:
        await peer.kill()


async def test_answered_call_is_acknowledged_and_hung_up_by_us(gateway: Gateway, sipp: Callable[[str], Sipp]) -> None:
    peer = await sipp("answer").start()
    gateway.call(peer)
    answered = await gateway.wait_for(Answered)
    gateway.sip.hang_up(CALL_ID)
    ended = await gateway.wait_for(Ended)
    assert await peer.succeeded()
    assert answered.sdp.dtmf_payload_type == 101
    assert (ended.by, ended.reason) == (EndedBy.LOCAL, EndReason.HUNG_UP)
    assert [type(event) for event in gateway.events] == [Proceeding, Alerting, Answered, Ended]


async def test_ringing_phone_stops_ringing_when_we_cancel(gateway: Gateway, sipp: Callable[[str], Sipp]) -> None:
    peer = await sipp("ring_no_answer").start()
    gateway.call(peer)
    await gateway.wait_for(Alerting)
    gateway.sip.hang_up(CALL_ID)
    ended = await gateway.wait_for(Ended)
    assert await peer.succeeded()
    assert (ended.by, ended.reason, ended.status) == (EndedBy.LOCAL, EndReason.CANCELLED, 487)


async def test_cancel_wanted_before_any_response_waits_for_one(gateway: Gateway, sipp: Callable[[str], Sipp]) -> None:
    peer = await sipp("silent_then_ring").start()
    gateway.call(peer)
    gateway.sip.hang_up(CALL_ID)
    ended = await gateway.wait_for(Ended)
    assert await peer.succeeded()
    assert ended.reason is EndReason.CANCELLED


async def test_answer_that_crosses_our_cancel_is_hung_up(gateway: Gateway, sipp: Callable[[str], Sipp]) -> None:
    peer = await sipp("answer_crosses_cancel").start()
    gateway.call(peer)
    await gateway.wait_for(Alerting)
    gateway.sip.hang_up(CALL_ID)
    answered = await gateway.wait_for(Answered)
    ended = await gateway.wait_for(Ended)
    assert await peer.succeeded()
    assert answered.crossed_cancel
    assert ended.reason is EndReason.CROSSED


async def test_early_media_then_busy_keeps_the_cause(gateway: Gateway, sipp: Callable[[str], Sipp]) -> None:
    peer = await sipp("early_media_busy").start()
    gateway.call(peer)
    alerting = await gateway.wait_for(Alerting)
    ended = await gateway.wait_for(Ended)
    assert await peer.succeeded()
    assert alerting.status == 183
    assert alerting.sdp is not None
    assert ended.times.early_media is not None
    assert ended.times.ringing is None
    assert (ended.by, ended.reason, ended.status, ended.q850) == (EndedBy.REMOTE, EndReason.REJECTED, 486, 17)


@pytest.mark.parametrize(
    ("scenario", "status", "q850", "retry_after_seconds"), [("not_found", 404, 1, None), ("unavailable", 503, None, 30)]
)
async def test_refusal_is_acknowledged_and_told_in_full(
    gateway: Gateway,
    sipp: Callable[[str], Sipp],
    scenario: str,
    status: int,
    q850: int | None,
    retry_after_seconds: int | None,
) -> None:
    peer = await sipp(scenario).start()
    gateway.call(peer)
    ended = await gateway.wait_for(Ended)
    assert await peer.succeeded()
    assert (ended.status, ended.q850, ended.retry_after_seconds) == (status, q850, retry_after_seconds)


@pytest.mark.parametrize("scenario", ["proxy_auth", "trunk_auth"])
async def test_carrier_accepts_our_digest_for_the_same_call(
    gateway: Gateway, sipp: Callable[[str], Sipp], scenario: str
) -> None:
    peer = await sipp(scenario).start()
    gateway.call(peer)
    await gateway.wait_for(Answered)
    gateway.sip.hang_up(CALL_ID)
    assert await peer.succeeded()
    assert (await gateway.wait_for(Ended)).reason is EndReason.HUNG_UP


async def test_callee_hanging_up_ends_the_call(gateway: Gateway, sipp: Callable[[str], Sipp]) -> None:
    peer = await sipp("far_end_bye").start()
    gateway.call(peer)
    ended = await gateway.wait_for(Ended)
    assert await peer.succeeded()
    assert (ended.by, ended.reason, ended.q850) == (EndedBy.REMOTE, EndReason.HUNG_UP, 16)
    assert ended.times.bye is not None


async def test_agent_phone_signs_in_with_digest_and_stays(gateway: Gateway, sipp: Callable[[str], Sipp]) -> None:
    phone = await sipp("agent_phone").start(f"127.0.0.1:{gateway.port}")
    incoming = await gateway.wait_for(IncomingCall)
    gateway.sip.accept(incoming.call_id, offer(address="127.0.0.1", port=40002, session_id=2))
    await gateway.wait_for(Connected)
    await asyncio.sleep(0.3)  # the phone's OPTIONS goes first
    gateway.sip.hang_up(incoming.call_id)
    assert await phone.succeeded()
    assert incoming.username == "agent7"
    assert not any(isinstance(event, Discarded) for event in gateway.events)


def test_adapter_works_on_uvloop_too(tmp_path: Path) -> None:
    async def one_call() -> Ended:
        gateway = await Gateway().open()
        peer = await Sipp("far_end_bye", tmp_path).start()
        gateway.call(peer)
        ended = await gateway.wait_for(Ended)
        assert await peer.succeeded()
        await gateway.sip.close()
        return ended

    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        assert runner.run(one_call()).by is EndedBy.REMOTE
