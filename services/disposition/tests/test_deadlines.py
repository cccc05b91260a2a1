"""What nobody says any more: the gateway is gone or silent, the agent does not wrap up; by the outbox, once."""

from __future__ import annotations

from typing import Any

import pytest

from disposition.domain.watch import GatewayWatch
from outdial_contracts.events import DispositionCode, RuleOutcome
from outdial_runtime.outcome import Publish

C, R = DispositionCode, RuleOutcome


async def test_another_boot_of_the_gateway_ends_its_attempts_unknown(world: Any, attempt: Any) -> None:
    await world.take(attempt.closed())
    await world.take(attempt.capacity(9.0, boot_id="boot-2", lists=False), 9.0)
    await world.tick(10.0)
    [said] = world.outbox
    assert (said.code, said.charged, said.closed_by_deadline, said.revision) == (C.UNKNOWN, True, True, 1)
    assert said.rule_outcomes == (R.NO_ANSWER,)


async def test_a_silent_gateway_ends_its_attempts_unknown(world: Any, attempt: Any) -> None:
    await world.take(attempt.closed())
    await world.take(attempt.capacity(1.0), 1.0)
    await world.tick(8.9)
    assert not world.outbox
    await world.tick(9.1)
    assert [d.code for d in world.outbox] == [C.UNKNOWN]


async def test_unknown_after_the_answer_counts_as_conversation_and_abandonment(world: Any, attempt: Any) -> None:
    for event in (attempt.closed(), attempt.progress("INVITED", 0.1), attempt.answered()):
        await world.take(event, 6.0)
    await world.tick(20.0)
    [said] = world.outbox
    assert set(said.rule_outcomes) == {R.CONVERSATION, R.ABANDONED}
    assert (said.abandoned, said.reached, said.connected) == (True, True, False)


async def test_deadline_is_ring_time_and_30_seconds_after_redemption(world: Any, attempt: Any) -> None:
    await world.take(attempt.closed())
    await world.take(attempt.progress("INVITED", 0.1), 0.2)
    for seconds in (40.0, 47.9):
        await world.take(attempt.capacity(seconds, lists=False), seconds)
        await world.tick(seconds)
    assert not world.outbox
    await world.tick(48.0)
    assert [d.code for d in world.outbox] == [C.UNKNOWN]


async def test_an_attempt_that_its_gateway_lists_lives_on(world: Any, attempt: Any) -> None:
    await world.take(attempt.closed())
    for seconds in range(2, 200, 2):
        await world.take(attempt.capacity(float(seconds)), float(seconds))
        await world.tick(float(seconds))
    assert not world.outbox
    await world.take(attempt.ended("MACHINE", 200.0), 200.0)
    assert [d.code for d in world.published] == [C.MACHINE]


async def test_a_live_call_whose_redemption_is_late_lives_on(world: Any, attempt: Any) -> None:
    await world.take(attempt.progress("INVITED", 0.1), 0.2)
    await world.take(attempt.capacity(30.0), 30.0)
    await world.tick(31.0)
    assert not world.outbox, "the gate's outbox is slow, but the gateway has the call"


async def test_deadline_speaks_exactly_once(world: Any, attempt: Any) -> None:
    await world.take(attempt.closed())
    for seconds in (50.0, 51.0, 52.0, 500.0):
        await world.tick(seconds)
    assert [d.revision for d in world.outbox] == [1]


async def test_the_end_that_comes_after_all_is_revision_2(world: Any, attempt: Any) -> None:
    await world.take(attempt.closed())
    await world.tick(50.0)
    await world.take(attempt.ended("BUSY", 0.4), 51.0)
    assert [(d.code, d.revision, d.closed_by_deadline) for d in world.published] == [(C.BUSY, 2, False)]


async def test_connected_without_wrap_up_is_said_after_60_seconds(world: Any, attempt: Any) -> None:
    for event in attempt.conversation():
        await world.take(event, 40.0)
    await world.tick(99.9)
    assert not world.outbox
    await world.tick(100.0)
    assert [(d.code, d.connected) for d in world.outbox] == [(C.CONNECTED, True)]


async def test_late_wrap_up_is_revision_2(world: Any, attempt: Any) -> None:
    for event in attempt.conversation():
        await world.take(event, 40.0)
    await world.tick(100.0)
    await world.take(attempt.wrapup("INTERESTED", 130.0), 130.0)
    assert [(d.code, d.revision) for d in world.published] == [(C.INTERESTED, 2)]


async def test_late_progress_wakes_no_deadline(world: Any, attempt: Any) -> None:
    await world.take(attempt.closed())
    await world.take(attempt.ended("BUSY", 0.4), 1.0)
    await world.take(attempt.progress("ALERTING", 0.3), 2.0)
    assert world.store.records[attempt.attempt_id].deadline_at is None
    assert await world.store.due(attempt.ended("BUSY", 9e5).ended_at, 10) == []


async def test_an_agents_word_on_a_bridged_call_outlives_its_gateway(world: Any, attempt: Any) -> None:
    for event in attempt.conversation()[:-1]:
        await world.take(event, 7.0)
    await world.tick(20.0)
    await world.take(attempt.wrapup("CALLBACK", 25.0), 25.0)
    assert [d.code for d in world.outbox] == [C.UNKNOWN]
    assert [(d.code, d.connected, d.revision) for d in world.published] == [(C.CALLBACK, True, 2)]


async def test_an_agents_word_before_the_gateway_was_given_up_needs_the_gate(world: Any, attempt: Any) -> None:
    for event in (*attempt.conversation()[:-1], attempt.wrapup("DNC_REQUESTED", 12.0)):
        await world.take(event, 12.0)
    world.gate.away = True
    await world.tick(20.0)
    assert not world.outbox
    world.gate.away = False
    await world.tick(21.0)
    assert [(d.code, d.dnc) for d in world.outbox] == [(C.DNC_REQUESTED, True)]
    assert len(world.gate.suppressed) == 1


async def test_nobody_is_given_up_before_gateways_had_time_to_speak(world: Any, attempt: Any) -> None:
    await world.take(attempt.closed())
    world.deps.watch.since = attempt.closed(seconds=100.0).closed_at
    await world.tick(105.0)
    assert not world.outbox
    await world.tick(108.1)
    assert [d.code for d in world.outbox] == [C.UNKNOWN]


async def test_nobody_is_given_up_while_a_backlog_is_read(world: Any, attempt: Any) -> None:
    await world.take(attempt.closed(), seconds=300.0, age=300.0)
    await world.tick(301.0)
    assert not world.outbox, "the call's end may be further on in the backlog"
    await world.take(attempt.ended("BUSY", 0.4), seconds=301.0, age=299.0)
    await world.tick(400.0)
    assert not world.outbox
    assert [(d.code, d.revision) for d in world.published] == [(C.BUSY, 1)]


def test_a_process_that_stood_still_listens_anew(attempt: Any) -> None:
    watch = GatewayWatch(since=attempt.closed(seconds=-60.0).closed_at)
    watch.heard(attempt.capacity(0.0), attempt.closed().closed_at)
    assert watch.may_judge(attempt.closed(seconds=1.0).closed_at)
    awake = attempt.closed(seconds=30.0).closed_at
    assert not watch.may_judge(awake)
    assert not watch.boot_is_gone("gw-0", "boot-1", awake)


def test_an_older_capacity_does_not_bring_a_boot_back(attempt: Any) -> None:
    now = attempt.closed(seconds=5.0).closed_at
    watch = GatewayWatch(since=attempt.closed().closed_at)
    watch.heard(attempt.capacity(4.0, boot_id="boot-2"), now)
    watch.heard(attempt.capacity(3.0, boot_id="boot-1"), now)
    assert watch.boot_is_gone("gw-0", "boot-1", now)
    assert not watch.boot_is_gone("gw-0", "boot-2", now)


@pytest.mark.parametrize("number", range(7))
async def test_a_redelivered_cause_says_the_same_again(world: Any, attempt: Any, number: int) -> None:
    events = [*attempt.conversation()[:number], attempt.ended("MACHINE")]
    for event in events[:-1]:
        await world.take(event, 8.0)
    first = await world.take(events[-1], 30.0, cause="m1")
    await world.take(attempt.progress("ALERTING", 0.9), 31.0)
    await world.take(attempt.closed(), 32.0)
    again = await world.take(events[-1], 90.0, cause="m1")
    assert isinstance(first, Publish)
    assert again == first, "also after other facts came"
