"""The adapter: a real socket, one timer, nothing left behind."""

import asyncio
import itertools
import socket

import pytest

from media_gateway.adapters.sip_udp import SipUdp, open_sip_udp
from media_gateway.sip.dialog import LocalIdentity
from media_gateway.sip.endpoint import Endpoint
from media_gateway.sip.events import Ended, EndReason, Event
from media_gateway.sip.invitation import Invitation
from media_gateway.sip.sdp import offer
from media_gateway.sip.timers import Timing
from media_gateway.sip.uri import Address


async def open_on(port: int, events: list[Event]) -> SipUdp:
    tokens = (f"token{number}" for number in itertools.count())
    identity = LocalIdentity(host="127.0.0.1", port=port, user_agent="t", new_token=lambda: next(tokens))
    endpoint = Endpoint(identity=identity, timing=Timing(t1_seconds=0.002))
    return await open_sip_udp(endpoint, bind=("127.0.0.1", port), on_event=events.append)


def call_to(destination: Address) -> Invitation:
    sdp = offer(address="127.0.0.1", port=40000, session_id=1)
    return Invitation(call_id="a.1@x", destination=destination, target="sip:c@h", caller="sip:d@h", sdp=sdp)


def held_socket() -> socket.socket:
    held = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    held.bind(("127.0.0.1", 0))
    return held


def free_port() -> int:
    with held_socket() as held:
        return int(held.getsockname()[1])


async def test_taken_port_is_an_error_at_once() -> None:
    with held_socket() as held, pytest.raises(OSError, match="in use"):
        await open_on(held.getsockname()[1], [])


async def test_silent_peer_ends_by_the_loops_timer_and_closing_leaves_nothing() -> None:
    events: list[Event] = []
    with held_socket() as silent:
        sip = await open_on(free_port(), events)
        sip.invite(call_to(silent.getsockname()))
        async with asyncio.timeout(10):
            while not events:
                await asyncio.sleep(0.01)
        await sip.close()
    assert [event.reason for event in events if isinstance(event, Ended)] == [EndReason.TIMER_B]
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_closing_with_a_call_under_way_fires_no_timer_later() -> None:
    events: list[Event] = []
    with held_socket() as silent:
        sip = await open_on(free_port(), events)
        sip.invite(call_to(silent.getsockname()))
        await sip.close()
        await asyncio.sleep(0.2)  # over 64 × T1
    assert events == []


async def test_destination_the_socket_refuses_is_told_as_not_sent() -> None:
    events: list[Event] = []
    sip = await open_on(free_port(), events)
    sip.invite(call_to(("255.255.255.255", 5060)))  # broadcasting needs a permission that the socket lacks
    await sip.close()
    (ended,) = events
    assert isinstance(ended, Ended)
    assert ended.reason is EndReason.NOT_SENT
