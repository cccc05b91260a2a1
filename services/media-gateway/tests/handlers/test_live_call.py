"""One attempt's life, in virtual time: up to the answer, and what is said about every way it can end before it."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from media_gateway.detection.early import EarlyMedia
from media_gateway.domain.call_states import CallState
from media_gateway.handlers.mailbox import GiveUp, HangUp
from media_gateway.ports import Granted, NotGranted, Unreachable
from media_gateway.sip.events import EndedBy, EndReason
from outdial_contracts.events import CallAnswered, EndClass, Fault, NotDialledReason
from outdial_contracts.events import ProgressStage as Stage

from .fakes import NUMBER, SDP, START
from .world import early, settle, world

pytestmark = pytest.mark.looptime


async def test_grant_is_turned_into_one_invite_that_shows_number_and_caller_id() -> None:
    async with world() as w:
        _, line = await w.invited()
        line.reject(486)
    [placed] = w.trunks.placed
    assert (placed["number"], placed["caller_id"], placed["traceparent"]) == (NUMBER, "+12125550101", "00-trace")
    assert placed["call_id"] == "0f8b5f3e-5a2c-5d0b-9d5e-3c1f6a7b8c9d.1@127.0.0.1"
    assert w.media.legs[0].closed


async def test_refusal_of_the_gate_dials_nothing_and_says_nothing() -> None:
    async with world() as w:
        w.gate.answer = NotGranted()
        call = await w.call()
    assert not w.trunks.placed
    assert not w.outbox.emitted
    assert call.state is CallState.ENDED
    assert w.media.legs[0].closed


async def test_unreachable_gate_means_no_call() -> None:
    async with world() as w:
        w.gate.answer = Unreachable()
        await w.call()
        ended = await w.ended()
    assert not w.trunks.placed
    assert (ended.dialled, ended.not_dialled_reason) == (False, NotDialledReason.GATE_UNREACHABLE)
    assert (ended.end_class, ended.invited_at) == (EndClass.NOT_DIALLED, None)


async def test_grant_that_ran_out_is_not_used() -> None:
    async with world() as w:
        w.gate.answer = Granted(e164=NUMBER, deadline_seconds=0.02)
        await w.call()
        ended = await w.ended()
    assert not w.trunks.placed
    assert ended.not_dialled_reason is NotDialledReason.GRANT_EXPIRED


async def test_invite_that_the_socket_refused_is_an_attempt_not_dialled() -> None:
    async with world() as w:
        w.trunks.refuses = True
        await w.call()
        ended = await w.ended()
    assert (ended.dialled, ended.not_dialled_reason) == (False, NotDialledReason.SEND_FAILED)
    assert w.stages() == []


@pytest.mark.parametrize("letter", [GiveUp(), HangUp(by_agent=False)])
async def test_suppression_during_the_last_look_stops_the_invite(letter: GiveUp | HangUp) -> None:
    async with world() as w:
        call = await w.call()
        call.mailbox.put(letter)
        ended = await w.ended()
    assert not w.trunks.placed
    assert (ended.dialled, ended.not_dialled_reason) == (False, NotDialledReason.CANCELLED)


@pytest.mark.parametrize(
    ("status", "q850", "end_class", "fault", "cause"),
    [
        (486, 17, EndClass.BUSY, Fault.CALLEE, 17),
        (486, None, EndClass.BUSY, Fault.CALLEE, 17),
        (404, None, EndClass.NOT_IN_SERVICE, Fault.US, 1),
        (503, None, EndClass.CONGESTION, Fault.CARRIER, 41),
        (480, None, EndClass.NO_ANSWER, Fault.CALLEE, 18),
        (603, None, EndClass.DECLINED, Fault.CALLEE, 21),
        (407, None, EndClass.NETWORK_FAILED, Fault.US, 21),
    ],
)
async def test_final_refusal_is_classed(
    status: int, q850: int | None, end_class: EndClass, fault: Fault, cause: int
) -> None:
    async with world() as w:
        _, line = await w.invited()
        line.reject(status, q850)
        ended = await w.ended()
    assert (ended.dialled, ended.end_class, ended.fault) == (True, end_class, fault)
    assert (ended.sip_status, ended.q850_cause) == (status, cause)
    assert ended.alerting_at is None
    assert not line.hung_up


async def test_ring_time_over_cancels_and_waits_for_the_carriers_word() -> None:
    async with world() as w:
        call, line = await w.invited()
        line.ring()
        await settle(18.1)
        assert call.state is CallState.CANCELLING
        assert line.hung_up == 1
        line.reject(487)
        ended = await w.ended()
    assert (ended.end_class, ended.fault, ended.hung_up_by) == (EndClass.NO_ANSWER, Fault.CALLEE, Fault.US)
    assert ended.alerting_at == START + timedelta(seconds=0.02)
    assert w.stages() == [Stage.INVITED, Stage.ALERTING]


async def test_nothing_at_all_from_the_carrier_is_unknown_even_after_the_ring_time() -> None:
    async with world() as w:
        _, line = await w.invited()
        await settle(32)
        line.end(EndedBy.NOBODY, EndReason.TIMER_B)
        ended = await w.ended()
    assert (ended.dialled, ended.end_class, ended.fault) == (True, EndClass.UNKNOWN, Fault.CARRIER)
    assert ended.hung_up_by is Fault.UNKNOWN


async def test_cancel_that_nobody_honours_still_ends_the_attempt() -> None:
    async with world() as w:
        _, line = await w.invited()
        line.ring()
        ended = await w.ended()
    assert ended.end_class is EndClass.NO_ANSWER
    assert ended.ended_at < START + timedelta(seconds=60)


async def test_suppressed_person_stops_ringing() -> None:
    async with world() as w:
        call, line = await w.invited()
        line.ring()
        await settle()
        call.mailbox.put(GiveUp())
        await settle()
        assert line.hung_up == 1
        line.reject(487)
        ended = await w.ended()
    assert (ended.end_class, ended.fault) == (EndClass.CANCELLED, Fault.US)


async def test_answer_that_crosses_our_cancel_is_abandoned() -> None:
    async with world() as w:
        _, line = await w.invited()
        line.ring()
        await settle(18.1)
        line.answer()
        ended = await w.ended()
    assert (ended.end_class, ended.fault) == (EndClass.ABANDONED, Fault.US)
    assert ended.answered_at is not None
    assert len(w.outbox.of(CallAnswered)) == 1


async def test_answer_in_the_instant_the_ring_time_ends_is_taken() -> None:
    async with world() as w:
        call, line = await w.invited()
        asyncio.get_running_loop().call_at(18.02, line.answer)
        await settle(18.2)
        assert call.answered
        line.bye()
        ended = await w.ended()
    assert ended.end_class in (EndClass.CALLEE_HUNG_UP, EndClass.ABANDONED)


@pytest.mark.parametrize(
    ("heard", "status", "end_class"),
    [
        (EarlyMedia.SIT, 487, EndClass.NOT_IN_SERVICE),
        (EarlyMedia.SIT, 480, EndClass.NOT_IN_SERVICE),
        (EarlyMedia.BUSY, 487, EndClass.BUSY),
        (EarlyMedia.REORDER, 404, EndClass.NOT_IN_SERVICE),
        (EarlyMedia.RINGBACK, 487, EndClass.NO_ANSWER),
    ],
)
async def test_tone_before_the_answer_names_what_a_vague_status_does_not(
    heard: EarlyMedia, status: int, end_class: EndClass
) -> None:
    async with world() as w:
        _, line = await w.invited()
        line.ring(183, SDP)
        await settle()
        w.media.on_verdict(early(EarlyMedia.RINGBACK))
        w.media.on_verdict(early(heard))
        await settle(18.1)
        line.reject(status)
        ended = await w.ended()
    assert ended.end_class is end_class
    assert w.stages() == [Stage.INVITED, Stage.EARLY_MEDIA]
    assert ended.alerting_at is None
