"""Agents' phones: each is accepted or refused, a leg is up from its ACK to its end, and its end ends the call on it."""

from __future__ import annotations

from typing import Any

import pytest

from media_gateway.handlers.agents import announce_legs, hang_up_silent_phones, on_phone_call
from media_gateway.handlers.ticks import drain, on_legs_tick
from media_gateway.sip.events import CallTimes, Connected, EndedBy, EndReason, IncomingCall, MediaChanged
from media_gateway.sip.sdp import Codec, SessionDescription
from outdial_contracts.events import AgentLeg
from outdial_runtime.outcome import NOTHING, Publish
from outdial_runtime.service import TickInput

from .fakes import DIAL, SDP, START, FakeLine
from .world import World, settle, world

pytestmark = pytest.mark.looptime


def incoming(call_id: str = "phone-1", username: str = "blue.agent-1", sdp: Any = SDP) -> IncomingCall:
    return IncomingCall(call_id=call_id, username=username, called="agents", sdp=sdp, source=("127.0.0.1", 5060))


async def up(w: World, call_id: str = "phone-1", username: str = "blue.agent-1") -> FakeLine:
    await on_phone_call(incoming(call_id, username), w.deps)
    line = w.phones.accepted[call_id]
    line.say(Connected(call_id=call_id, sdp=None, times=CallTimes()))
    return line


def said(w: World) -> list[tuple[str, bool]]:
    return [(leg.leg_id, leg.up) for leg in w.outbox.of(AgentLeg)]


async def test_leg_is_up_from_the_phones_ack_to_its_end() -> None:
    async with world() as w:
        await on_phone_call(incoming(), w.deps)
        assert said(w) == []
        assert announce_legs(w.deps) == []
        line = w.phones.accepted["phone-1"]
        line.say(Connected(call_id="phone-1", sdp=None, times=CallTimes()))
        [leg] = announce_legs(w.deps)
        assert (leg.agent_id, leg.team_id, leg.gateway_address) == ("agent-1", "blue", "127.0.0.1:7004")
        line.bye()
        assert announce_legs(w.deps) == []
    assert said(w) == [(leg.leg_id, True), (leg.leg_id, False)]
    assert w.media.legs[0].closed
    assert not w.deps.standing.phones


@pytest.mark.parametrize(
    ("phone", "status"),
    [
        (incoming(username="no-team"), 480),
        (incoming(username="blue."), 480),
        (incoming(sdp=None), 488),
    ],
)
async def test_phone_that_can_not_be_an_agents_is_refused(phone: IncomingCall, status: int) -> None:
    async with world() as w:
        await on_phone_call(phone, w.deps)
    assert w.phones.refused == {"phone-1": status}
    assert not w.media.legs


async def test_phone_is_refused_when_ports_are_out_or_the_gateway_drains() -> None:
    async with world() as w:
        w.media.no_ports = True
        await on_phone_call(incoming("a"), w.deps)
        w.media.no_ports = False
        w.deps.standing.draining = True
        await on_phone_call(incoming("b"), w.deps)
    assert w.phones.refused == {"a": 503, "b": 480}
    assert not w.phones.accepted


async def test_phone_that_withdraws_while_its_port_opens_holds_nothing() -> None:
    async with world() as w:
        w.phones.withdrawn = True
        await on_phone_call(incoming(), w.deps)
    assert w.media.legs[0].closed
    assert not w.deps.standing.phones
    assert said(w) == []


async def test_second_phone_of_an_agent_replaces_the_first_once_it_works() -> None:
    async with world() as w:
        first = await up(w)
        await on_phone_call(incoming("phone-2"), w.deps)
        hung_up_before = first.hung_up
        w.phones.accepted["phone-2"].say(Connected(call_id="phone-2", sdp=None, times=CallTimes()))
        await up(w, "phone-3", "red.agent-1")
        [second, third] = announce_legs(w.deps)
    assert (hung_up_before, first.hung_up) == (0, 1)
    assert first.ended
    assert [is_up for _, is_up in said(w)] == [True, False, True, True]
    assert said(w)[1][0] != second.leg_id
    assert third.team_id == "red"
    assert [leg.closed for leg in w.media.legs] == [True, False, False]


@pytest.mark.parametrize("how", ["bye", "replaced", "no_ack"])
async def test_lost_leg_ends_the_call_that_it_carried(how: str) -> None:
    async with world() as w:
        phone = await up(w)
        call, trunk = await w.answered()
        [leg] = announce_legs(w.deps)
        assert w.deps.standing.legs.claim(leg.leg_id, DIAL.attempt_id, 42) is None
        if how == "bye":
            phone.bye()
        elif how == "replaced":
            await up(w, "phone-2")
        else:
            phone.end(EndedBy.NOBODY, EndReason.ACK_TIMEOUT)
        await settle(0.1)
        assert call.over.is_set()
    assert trunk.hung_up == 1


async def test_phone_that_never_acknowledges_never_had_a_leg() -> None:
    async with world() as w:
        await on_phone_call(incoming(), w.deps)
        w.phones.accepted["phone-1"].end(EndedBy.NOBODY, EndReason.ACK_TIMEOUT)
    assert said(w) == []
    assert w.media.legs[0].closed


async def test_phone_that_falls_silent_or_never_spoke_is_hung_up() -> None:
    async with world() as w:
        talking, mute, gone = await up(w, "a", "blue.a"), await up(w, "b", "blue.b"), await up(w, "c", "blue.c")
        w.media.legs[2].heard_at = 1.0
        await settle(6.5)
        w.media.legs[0].heard_at = 6.0
        hang_up_silent_phones(w.deps)
        assert (talking.hung_up, mute.hung_up, gone.hung_up) == (0, 1, 0)
        await settle(1.0)
        hang_up_silent_phones(w.deps)
        assert (talking.hung_up, gone.hung_up) == (0, 1)


async def test_phone_may_move_its_media_and_offer_any_numbering() -> None:
    odd = SessionDescription(address="10.0.0.9", port=4000, codecs=(Codec.PCMA,), payload_types=(97,))
    async with world() as w:
        line = await up(w)
        line.say(MediaChanged(call_id="phone-1", sdp=odd))
    assert w.media.legs[0].remote == ("10.0.0.9", 4000, 8, 101)


async def test_legs_are_repeated_for_a_pacer_that_starts_anew() -> None:
    async with world() as w:
        tick = TickInput(now=START, partition=None)
        assert await on_legs_tick(tick, w.deps) is NOTHING
        await up(w)
        outcome = await on_legs_tick(tick, w.deps)
    assert isinstance(outcome, Publish)
    assert len(outcome.events) == 1


async def test_drain_lets_phones_go() -> None:
    async with world() as w:
        line = await up(w)
        await drain(w.deps)
    assert line.hung_up == 1
    assert [is_up for _, is_up in said(w)] == [True, False]
