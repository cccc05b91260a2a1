"""From the answer on, in virtual time: agent, message, opt-out, shutdown; what is said, and that nothing stays held."""

from __future__ import annotations

import asyncio
import itertools
from datetime import timedelta

import pytest

from media_gateway.detection.greeting import Answerer
from media_gateway.domain.call_states import CallState
from media_gateway.domain.endings import ABANDON_LIMIT
from media_gateway.handlers.mailbox import HangUp
from media_gateway.ports import Granted
from outdial_contracts.events import CallEnded, CallProgress, EndClass, Fault, Verdict
from outdial_contracts.events import ProgressStage as Stage

from .fakes import AGENT, NUMBER, START
from .world import World, settle, verdict, world

pytestmark = pytest.mark.looptime


@pytest.mark.parametrize(
    ("answerer", "end_class"),
    [(Answerer.MACHINE, EndClass.MACHINE), (Answerer.FAX, EndClass.FAX), (Answerer.SILENCE, EndClass.DEAD_AIR)],
)
async def test_what_is_no_person_is_hung_up_on(answerer: Answerer, end_class: EndClass) -> None:
    async with world() as w:
        _, line = await w.answered()
        w.media.on_verdict(verdict(answerer))
        ended = await w.ended()
    assert (ended.end_class, ended.hung_up_by) == (end_class, Fault.US)
    assert ended.verdict == Verdict(answerer.value.upper())
    assert line.hung_up == 1
    assert not w.router.asked_at


@pytest.mark.parametrize("answerer", [Answerer.HUMAN, Answerer.UNCERTAIN])
async def test_person_is_bridged_to_the_assigned_agent(answerer: Answerer) -> None:
    async with world() as w:
        phone = w.agent_phone()
        call, line = await w.answered()
        await settle(1.5)
        w.media.on_verdict(verdict(answerer))
        await settle(0.1)
        assert call.state is CallState.BRIDGED
        assert w.media.legs[0].peer is phone
        assert w.deps.standing.legs.by_id[AGENT.leg_id].attempt_id == call.dial.attempt_id
        line.bye()
        ended = await w.ended()
    assert w.stages() == [Stage.INVITED, Stage.ALERTING, Stage.VERDICT, Stage.ASSIGNED, Stage.BRIDGED]
    bridged = w.outbox.of(CallProgress)[-1]
    assert (bridged.agent_id, bridged.agent_lease_id) == ("agent-1", "agent-lease-1")
    assert bridged.audio_delay_ms == pytest.approx(10, abs=3)
    assert (ended.end_class, ended.fault, ended.hung_up_by) == (EndClass.CONNECTED, Fault.CALLEE, Fault.CALLEE)
    assert (ended.agent_id, ended.agent_lease_id, ended.q850_cause) == ("agent-1", "agent-lease-1", 16)
    assert ended.greeting_ended_at == START + timedelta(seconds=0.72)
    assert phone.peer is None
    assert w.deps.standing.legs.by_id[AGENT.leg_id].attempt_id is None


async def test_causes_are_stable_and_distinct_so_that_a_repeat_is_one_event() -> None:
    async with world() as w:
        w.agent_phone()
        _, line = await w.answered()
        w.media.on_verdict(verdict(Answerer.HUMAN, greeting_end_ms=0))
        await settle(0.3)
        line.ring()  # a late 180 changes nothing
        line.bye()
        await w.ended()
    names = [
        (type(emit.event), emit.cause.removeprefix("0f8b5f3e-5a2c-5d0b-9d5e-3c1f6a7b8c9d:1:"))
        for emit in w.outbox.emitted
    ]
    assert len(set(names)) == len(names)
    assert [name for kind, name in names if kind is CallProgress] == [
        "INVITED:",
        "ALERTING:",
        "VERDICT:",
        "ASSIGNED:agent-lease-1",
        "BRIDGED:agent-lease-1",
    ]


async def test_agents_leg_that_another_attempt_holds_is_not_taken() -> None:
    async with world() as w:
        phone = w.agent_phone()
        w.deps.standing.legs.claim(AGENT.leg_id, "another-attempt", 42)
        _, line = await w.answered()
        w.media.on_verdict(verdict(Answerer.HUMAN))
        ended = await w.ended()
    assert phone.peer is None
    assert ended.end_class is EndClass.ABANDONED
    assert ended.agent_id is None
    assert line.hung_up == 1


async def test_agent_is_asked_for_every_100_ms_until_one_is_free() -> None:
    async with world() as w:
        call, line = await w.answered()
        await settle(1.0)
        w.media.on_verdict(verdict(Answerer.HUMAN, greeting_end_ms=300))
        await settle(0.65)
        asked = list(w.router.asked_at)
        w.agent_phone()
        await settle(0.15)
        assert call.state is CallState.BRIDGED
        line.bye()
    steps = [b - a for a, b in itertools.pairwise(asked)]
    assert len(asked) == 7
    assert steps == pytest.approx([0.1] * 6)


@pytest.mark.parametrize("answer_seconds", [0.01, 0.39, 10.0])
async def test_without_an_agent_the_message_begins_within_two_seconds_of_the_greeting(answer_seconds: float) -> None:
    async with world() as w:
        w.router.seconds = answer_seconds
        _, line = await w.answered()
        await settle(1.4)
        w.media.on_verdict(verdict(Answerer.HUMAN, decided_ms=1400, greeting_end_ms=640))
        ended = await w.ended()
        played_at = w.media.legs[0].played_at
    assert ended.greeting_ended_at is not None
    assert played_at is not None
    waited = START + timedelta(seconds=played_at) - ended.greeting_ended_at
    assert timedelta(seconds=1.9) < waited <= ABANDON_LIMIT
    assert ended.ended_at - ended.greeting_ended_at >= waited + timedelta(seconds=4)  # 200 frames were heard out
    assert (ended.end_class, ended.fault, ended.safe_harbour_played) == (EndClass.ABANDONED, Fault.US, True)
    assert (ended.hung_up_by, line.hung_up) == (Fault.US, 1)


async def test_verdict_after_the_limit_goes_straight_to_the_message() -> None:
    async with world() as w:
        w.agent_phone()
        await w.answered()
        await settle(3.0)
        w.media.on_verdict(verdict(Answerer.HUMAN, decided_ms=3000, greeting_end_ms=500))
        ended = await w.ended()
    assert not w.router.asked_at
    assert ended.safe_harbour_played


async def test_callee_who_leaves_during_the_message_is_still_abandoned() -> None:
    async with world() as w:
        _, line = await w.answered()
        w.media.on_verdict(verdict(Answerer.HUMAN, greeting_end_ms=0))
        await settle(2.5)
        line.bye()
        ended = await w.ended()
    assert (ended.end_class, ended.safe_harbour_played) == (EndClass.ABANDONED, True)
    assert not line.hung_up


async def test_callee_who_leaves_while_the_pacer_thinks_takes_no_agent() -> None:
    async with world() as w:
        phone = w.agent_phone()
        _, line = await w.answered()
        w.router.on_ask = line.bye
        w.media.on_verdict(verdict(Answerer.HUMAN))
        ended = await w.ended()
    assert phone.peer is None
    assert Stage.ASSIGNED not in w.stages()
    assert (ended.end_class, ended.bridged_at) == (EndClass.CALLEE_HUNG_UP, None)


async def test_callee_who_leaves_before_the_verdict_hung_up_first() -> None:
    async with world() as w:
        _, line = await w.answered()
        line.bye()
        ended = await w.ended()
    assert (ended.end_class, ended.fault, ended.verdict) == (EndClass.CALLEE_HUNG_UP, Fault.CALLEE, None)


async def test_agent_hanging_up_ends_the_call_as_his() -> None:
    async with world() as w:
        w.agent_phone()
        call, line = await w.answered()
        w.media.on_verdict(verdict(Answerer.HUMAN, greeting_end_ms=0))
        await settle(5)
        call.mailbox.put(HangUp(by_agent=True))
        call.mailbox.put(HangUp(by_agent=True))
        ended = await w.ended()
    assert (ended.end_class, ended.fault, ended.hung_up_by) == (EndClass.CONNECTED, Fault.AGENT, Fault.AGENT)
    assert line.hung_up == 1


def vanish(w: World) -> None:
    """The agent's BYE is here, and his leg is down."""
    standing = w.deps.standing
    standing.phones.pop(AGENT.leg_id).leg.close()
    standing.legs.down(AGENT.leg_id)
    w.put(HangUp(by_agent=True))


async def test_agent_whose_end_crossed_the_bridge_connected_nobody() -> None:
    async with world() as w:
        w.agent_phone()
        await w.answered()
        asyncio.get_running_loop().call_later(w.router.seconds + 0.0001, vanish, w)
        w.media.on_verdict(verdict(Answerer.HUMAN, greeting_end_ms=0))
        await settle(0.02)
        ended = await w.ended()
    assert Stage.ASSIGNED in w.stages()
    assert (ended.end_class, ended.fault, ended.safe_harbour_played) == (EndClass.ABANDONED, Fault.US, True)
    assert (ended.bridged_at, ended.agent_id) == (None, None)


async def test_person_whose_agent_crossed_the_bridge_is_given_another_in_time() -> None:
    async with world() as w:
        w.agent_phone()
        call, line = await w.answered()
        asyncio.get_running_loop().call_later(w.router.seconds + 0.0001, vanish, w)
        w.media.on_verdict(verdict(Answerer.HUMAN, greeting_end_ms=0))
        await settle(0.02)
        assert call.state is CallState.ASSIGNING
        w.agent_phone()
        await settle(0.5)
        assert call.state is CallState.BRIDGED
        line.bye()
        ended = await w.ended()
    assert w.stages().count(Stage.ASSIGNED) == 2
    assert (ended.end_class, ended.agent_id) == (EndClass.CONNECTED, AGENT.agent_id)
    assert ended.bridged_at is not None
    assert ended.greeting_ended_at is not None
    assert ended.bridged_at - ended.greeting_ended_at <= ABANDON_LIMIT


async def test_longest_duration_ends_a_forgotten_call() -> None:
    async with world() as w:
        w.agent_phone()
        await w.answered()
        w.media.on_verdict(verdict(Answerer.HUMAN, greeting_end_ms=0))
        ended = await w.ended()
    assert (ended.end_class, ended.hung_up_by) == (EndClass.CONNECTED, Fault.US)
    assert ended.answered_at is not None
    assert ended.ended_at - ended.answered_at == pytest.approx(timedelta(seconds=60), abs=timedelta(seconds=0.1))


@pytest.mark.parametrize("wait_seconds", [0.0, 0.5, 3.0])
async def test_opt_out_by_key_hangs_up_and_reaches_the_gate(wait_seconds: float) -> None:
    async with world() as w:
        w.gate.away.clear()
        _, line = await w.answered()
        if wait_seconds:
            w.media.on_verdict(verdict(Answerer.HUMAN, greeting_end_ms=0))
        await settle(wait_seconds)
        w.media.legs[0].on_digit(None, "5")
        w.media.legs[0].on_digit(None, "9")
        w.media.legs[0].on_digit(None, "9")
        ended = await w.ended()
        assert w.gate.suppressed == []
        assert len(w.deps.standing.opt_outs) == 1
        w.gate.away.set()
    assert w.gate.suppressed == [ended.attempt_id]
    assert line.hung_up == 1
    assert not w.deps.standing.opt_outs


async def test_key_pressed_while_an_agent_talks_is_the_agents_business() -> None:
    async with world() as w:
        w.agent_phone()
        _, line = await w.answered()
        w.media.on_verdict(verdict(Answerer.HUMAN, greeting_end_ms=0))
        await settle(1)
        w.media.legs[0].on_digit(None, "9")
        await settle(1)
        assert not line.hung_up
        line.bye()
    assert w.gate.suppressed == []


@pytest.mark.parametrize("stage", ["redeeming", "ringing", "listening", "bridged"])
async def test_call_cut_off_at_the_shutdown_hangs_up_and_says_its_end(stage: str) -> None:
    async with world() as w:
        phone = w.agent_phone()
        w.gate.redeem_seconds = 9 if stage == "redeeming" else 0
        call = await w.call()
        await settle(0.1)
        if stage != "redeeming":
            w.trunks.lines[0].ring()
        if stage in ("listening", "bridged"):
            w.trunks.lines[0].answer()
            await settle()
        if stage == "bridged":
            w.media.on_verdict(verdict(Answerer.HUMAN, greeting_end_ms=0))
            await settle(1)
        for task in asyncio.all_tasks() - {asyncio.current_task()}:
            task.cancel()
        ended = await w.ended()
    assert call.over.is_set()
    expected = {
        "redeeming": EndClass.NOT_DIALLED,
        "ringing": EndClass.CANCELLED,
        "listening": EndClass.ABANDONED,
        "bridged": EndClass.CONNECTED,
    }
    assert ended.end_class is expected[stage]
    assert [line.hung_up for line in w.trunks.lines] == ([] if stage == "redeeming" else [1])
    assert phone.peer is None or w.media.legs[0].closed
    assert w.deps.standing.legs.by_id[AGENT.leg_id].attempt_id is None


async def test_no_event_holds_the_called_number() -> None:
    async with world() as w:
        _, line = await w.invited()
        line.reject(486)
        await w.ended()
    assert NUMBER not in repr(w.outbox.emitted)
    assert NUMBER not in repr(Granted(e164=NUMBER, deadline_seconds=0.0))
    assert w.outbox.of(CallEnded)[0].reason_text is None
