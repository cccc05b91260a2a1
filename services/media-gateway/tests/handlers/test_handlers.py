"""call.dial, standing knowledge, ticks, requests: what each handler answers and does."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from media_gateway.app import REQUESTS, SUBSCRIPTIONS
from media_gateway.domain.agent_legs import AgentLeg as Leg
from media_gateway.handlers.dial import on_call_dial
from media_gateway.handlers.rpc import on_claim, on_get_calls, on_hang_up, on_release
from media_gateway.handlers.standing import on_document_published, on_suppression_changed, on_team_owner
from media_gateway.handlers.ticks import capacity, drain, on_capacity_tick
from outdial_contracts.events import (
    CallEnded,
    DialRefusal,
    DialRefused,
    DocumentKind,
    DocumentPublished,
    EndClass,
    Fault,
    GatewayCapacity,
    SuppressionChanged,
    SuppressionSource,
    TeamOwner,
)
from outdial_contracts.rpc import outdial_pb2 as pb
from outdial_contracts.topics import TOPICS
from outdial_runtime.outcome import NOTHING, Drop, Emit, Outcome, Publish
from outdial_runtime.service import HttpRoute, Received, Request, TickInput

from .fakes import AGENT, CLAIMS, DIAL, ROUTE, START, TRUNK
from .world import World, settle, world

OTHER_ATTEMPT = "00000000-0000-5000-8000-000000000001"
pytestmark = pytest.mark.looptime


def received(event: Any) -> Received[Any]:
    return Received(event=event, cause="c", time=START, now=START, topic=event.TOPIC, partition=0, offset=0, raw=b"")


def asked(message: Any) -> Request:
    return Request(message=message, now=START, cause="r")


def refusal(outcome: Outcome) -> DialRefused:
    assert isinstance(outcome, Publish)
    [event] = outcome.events
    assert isinstance(event, DialRefused)
    return event


async def dial(w: World, **changes: Any) -> Outcome:
    return await on_call_dial(received(replace(DIAL, **changes)), w.deps)


def test_gateway_subscribes_to_the_topics_that_name_it_as_consumer() -> None:
    named = {topic.name for topic in TOPICS.values() if "media-gateway" in topic.consumers}
    assert {event.TOPIC for event in SUBSCRIPTIONS} == named


def test_requests_name_real_rpc_methods() -> None:
    services = pb.DESCRIPTOR.services_by_name
    for request in REQUESTS:
        if not isinstance(request, HttpRoute):
            assert request.method in services[request.service].methods_by_name


async def test_admitted_dial_lives_and_holds_its_channel() -> None:
    async with world() as w:
        assert await dial(w) is NOTHING
        await settle(0.1)
        assert capacity(w.deps).free_channels == 9
        assert capacity(w.deps).live_attempt_ids == (DIAL.attempt_id,)
        assert w.deps.standing.loads[TRUNK.trunk_id].live == 1
        w.trunks.lines[0].reject(486)
    assert not w.deps.standing.calls
    assert w.deps.standing.loads[TRUNK.trunk_id].live == 0


async def test_dial_delivered_twice_dials_once() -> None:
    async with world() as w:
        await dial(w)
        assert await dial(w) == Drop("ALREADY_LIVE")
        await settle(0.1)
        w.trunks.lines[0].reject(486)
    assert w.gate.redeemed == 1
    assert len(w.trunks.placed) == 1


async def test_without_a_media_port_nothing_is_redeemed() -> None:
    async with world() as w:
        w.media.no_ports = True
        refused = refusal(await dial(w))
    assert (refused.reason, refused.lease_id) == (DialRefusal.CAPACITY, "channel-1")
    assert w.gate.redeemed == 0
    assert not w.deps.standing.calls


async def test_nobody_is_called_who_could_not_hear_the_message() -> None:
    async with world() as w:
        assert refusal(await dial(w, safe_harbour="prompts/absent.wav")).reason is DialRefusal.POLICY
    assert w.gate.redeemed == 0


async def test_what_is_refused_leaves_no_trace_at_the_gate() -> None:
    async with world() as w:
        assert refusal(await dial(w, token="forged")).reason is DialRefusal.BAD_CLEARANCE
        assert refusal(await dial(w, route_id="unknown")).reason is DialRefusal.NO_ROUTE
        w.deps.standing.draining = True
        assert refusal(await dial(w)).reason is DialRefusal.DRAINING
    assert w.gate.redeemed == 0
    assert not w.media.legs


async def test_calls_beyond_the_trunks_rate_are_refused_before_a_port_is_opened() -> None:
    async with world() as w:
        w.deps.standing.routes[ROUTE.route_id] = replace(ROUTE, trunks=(replace(TRUNK, calls_per_second=1.0),))
        assert await dial(w) is NOTHING
        w.claims = replace(CLAIMS, attempt_id=OTHER_ATTEMPT)
        assert refusal(await dial(w, attempt_id=OTHER_ATTEMPT)).reason is DialRefusal.CPS
        assert len(w.media.legs) == 1
        await settle(0.1)
        w.trunks.lines[0].reject(486)


async def test_newest_owner_fences_an_older_ones_dial() -> None:
    async with world() as w:
        owner = TeamOwner(team_id="blue", epoch=43, owner_id="pacer-1", address="127.0.0.1:7013", at=START)
        assert await on_team_owner(received(owner), w.deps) is NOTHING
        assert await on_team_owner(received(replace(owner, epoch=42)), w.deps) == Drop("OLDER_EPOCH")
        assert refusal(await dial(w)).reason is DialRefusal.STALE_OWNER
        assert await dial(w, owner_epoch=43) is NOTHING
        await settle(0.1)
        w.trunks.lines[0].reject(486)


async def test_published_route_is_the_one_dialled_on() -> None:
    async with world() as w:
        document = DocumentPublished(
            document_id="demo-carrier",
            kind=DocumentKind.ROUTE,
            version=2,
            published_at=START,
            published_by="test",
            route=replace(ROUTE, trunks=(replace(TRUNK, trunk_id="demo-b"),)),
        )
        await on_document_published(received(document), w.deps)
        await dial(w)
        await settle(0.1)
        w.trunks.lines[0].reject(486)
        pool = replace(document, kind=DocumentKind.NUMBER_POOL, route=None)
        assert await on_document_published(received(pool), w.deps) == Drop("NOT_A_ROUTE")
    assert w.trunks.placed[0]["trunk"].trunk_id == "demo-b"
    assert w.outbox.of(CallEnded)[0].trunk_id == "demo-b"


@pytest.mark.parametrize(
    ("persons", "numbers", "answered", "cancelled"),
    [
        (("1.person",), (), False, True),
        ((), ("1.callee", "2.callee"), False, True),
        (("1.other",), ("1.another",), False, False),
        (("1.person",), (), True, False),
    ],
)
async def test_suppression_cancels_only_that_persons_unanswered_call(
    persons: tuple[str, ...], numbers: tuple[str, ...], answered: bool, cancelled: bool
) -> None:
    async with world() as w:
        _, line = await (w.answered() if answered else w.invited())
        changed = SuppressionChanged(
            suppression_id="s",
            seller_id="S1",
            source=SuppressionSource.CRM,
            requested_at=START,
            changed_at=START,
            person_tokens=persons,
            callee_tokens=numbers,
        )
        await on_suppression_changed(received(changed), w.deps)
        await settle(0.1)
        assert bool(line.hung_up) is cancelled
        line.bye() if answered else line.reject(487)


async def test_capacity_is_told_with_the_boot_and_the_partition() -> None:
    async with world() as w:
        outcome = await on_capacity_tick(TickInput(now=START, partition=None), w.deps)
    assert isinstance(outcome, Publish)
    [emit] = outcome.events
    assert isinstance(emit, Emit)
    told = emit.event
    assert isinstance(told, GatewayCapacity)
    assert (told.boot_id, told.partition, told.free_channels, told.draining) == ("boot-1", 0, 10, False)


async def test_drain_lets_talk_end_gives_up_ringing_and_then_hangs_up() -> None:
    async with world() as w:
        ringing, ringing_line = await w.invited()
        talking, talking_line = await w.answered(attempt_id=OTHER_ATTEMPT)
        phone = w.agent_phone()
        loop_started = w.deps.clock.monotonic()
        draining = w.tasks.create_task(drain(w.deps))
        await settle(1)
        assert (ringing_line.hung_up, talking_line.hung_up) == (1, 0)
        ringing_line.reject(487)
        await draining
        assert 5 <= w.deps.clock.monotonic() - loop_started < 5.5
        assert talking_line.hung_up == 1
        assert ringing.over.is_set()
        assert talking.over.is_set()
    assert not phone.closed
    assert [end.end_class for end in w.outbox.of(CallEnded)] == [EndClass.CANCELLED, EndClass.ABANDONED]
    assert capacity(w.deps).free_channels == 0
    assert w.outbox.of(GatewayCapacity)[0].draining


async def test_drain_waits_for_an_opt_out_but_not_for_ever() -> None:
    async with world() as w:
        w.gate.away.clear()
        await w.answered()
        w.media.legs[0].on_digit(None, "9")
        await settle(0.1)
        began = w.deps.clock.monotonic()
        await drain(w.deps)
        assert 7.9 <= w.deps.clock.monotonic() - began < 9
        w.gate.away.set()
    assert w.gate.suppressed == [DIAL.attempt_id]


async def test_leg_is_a_lock_taken_by_compare_and_set() -> None:
    async with world() as w:
        w.deps.standing.legs.up(Leg(leg_id=AGENT.leg_id, team_id="blue", agent_id="agent-1"))

        async def claim(attempt: str, epoch: int, leg: str = AGENT.leg_id) -> tuple[bool, str]:
            request = asked(pb.ClaimRequest(leg_id=leg, attempt_id=attempt, epoch=epoch))
            reply = (await on_claim(request, w.deps)).reply
            return reply.claimed, reply.reason

        assert await claim("a", 42) == (True, "")
        assert await claim("a", 42) == (True, "")
        assert await claim("b", 42) == (False, "held")
        await on_release(asked(pb.ReleaseRequest(leg_id=AGENT.leg_id, attempt_id="b")), w.deps)
        assert await claim("b", 43) == (False, "held")
        await on_release(asked(pb.ReleaseRequest(leg_id=AGENT.leg_id, attempt_id="a")), w.deps)
        assert await claim("b", 43) == (True, "")
        await on_release(asked(pb.ReleaseRequest(leg_id=AGENT.leg_id, attempt_id="b")), w.deps)
        assert await claim("c", 42) == (False, "stale_epoch")
        assert await claim("c", 43, "no-such-leg") == (False, "leg_down")


async def test_console_hangs_up_for_its_agent_and_hears_whether_the_call_is_here() -> None:
    async with world() as w:
        _, line = await w.answered()
        found = await on_hang_up(asked(pb.HangUpRequest(attempt_id=DIAL.attempt_id, agent_id="agent-1")), w.deps)
        lost = await on_hang_up(asked(pb.HangUpRequest(attempt_id="elsewhere", agent_id="agent-1")), w.deps)
        await settle(0.1)
        counted = (await on_get_calls(asked(b""), w.deps)).reply.body
    assert (found.reply.found, lost.reply.found) == (True, False)
    assert line.hung_up == 1
    assert w.outbox.of(CallEnded)[0].hung_up_by is Fault.AGENT
    assert (counted["gateway_id"], counted["agent_legs"]) == ("gateway-0", 0)


async def test_expired_dial_is_refused() -> None:
    async with world() as w:
        assert refusal(await dial(w, expires_at=START - timedelta(seconds=1))).reason is DialRefusal.EXPIRED
