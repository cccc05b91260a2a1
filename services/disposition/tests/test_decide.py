"""What each end means: codes, flags and what the caps count."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from disposition.domain.codes import CODE_OF_CLASS, RULE_OUTCOMES, WRAPUP_CODES
from outdial_contracts.events import DispositionCode, EndClass, Fault, RuleOutcome, Verdict

C, R = DispositionCode, RuleOutcome


def test_every_class_has_a_code_and_every_code_its_outcomes() -> None:
    assert set(CODE_OF_CLASS) == set(EndClass)
    assert set(RULE_OUTCOMES) == set(C) - {C.UNKNOWN}
    assert set(CODE_OF_CLASS.values()) | WRAPUP_CODES >= set(C) - {C.NOT_DIALLED}


@pytest.mark.parametrize(
    "end_class, code, outcomes, abandoned",
    [
        ("ABANDONED", C.ABANDONED, (R.ABANDONED,), True),
        ("CALLEE_HUNG_UP", C.CALLEE_HUNG_UP, (R.ANSWERED,), False),
        ("MACHINE", C.MACHINE, (R.MACHINE_DETECTED,), False),
        ("FAX", C.FAX, (R.MACHINE_DETECTED,), False),
        ("DEAD_AIR", C.DEAD_AIR, (R.ANSWERED,), False),
        ("NO_ANSWER", C.NO_ANSWER, (R.NO_ANSWER,), False),
        ("CANCELLED", C.NO_ANSWER, (R.NO_ANSWER,), False),
        ("BUSY", C.BUSY, (R.BUSY,), False),
        ("DECLINED", C.DECLINED, (R.REFUSED,), False),
        ("NOT_IN_SERVICE", C.NOT_IN_SERVICE, (R.NOT_IN_SERVICE,), False),
        ("CONGESTION", C.CONGESTION, (R.NETWORK_FAILED,), False),
        ("NETWORK_FAILED", C.NETWORK_FAILED, (R.NETWORK_FAILED,), False),
        ("UNKNOWN", C.UNKNOWN, (R.NO_ANSWER,), False),
    ],
)
async def test_a_call_that_reached_no_agent_is_disposed_at_once(
    world: Any, attempt: Any, end_class: str, code: DispositionCode, outcomes: tuple[RuleOutcome, ...], abandoned: bool
) -> None:
    await world.take(attempt.closed())
    await world.take(attempt.ended(end_class), 30.0)
    [said] = world.published
    assert (said.code, said.rule_outcomes, said.abandoned, said.charged) == (code, outcomes, abandoned, True)
    assert not said.connected


async def test_a_dialled_end_of_class_not_dialled_is_charged(world: Any, attempt: Any) -> None:
    await world.take(attempt.closed())
    await world.take(attempt.ended("NOT_DIALLED"), 30.0)
    assert [(d.code, d.charged) for d in world.published] == [(C.UNKNOWN, True)]


async def test_what_the_carrier_said_is_carried(world: Any, attempt: Any) -> None:
    facts = {
        "sip_status": 503,
        "q850_cause": 34,
        "fault": Fault.CARRIER,
        "trunk_id": "t1",
        "route_id": "backup",
        "caller_id": "+13125550102",
    }
    await world.take(attempt.closed())
    await world.take(attempt.ended("CONGESTION", **facts), 30.0)
    [said] = world.published
    assert {name: getattr(said, name) for name in facts} == facts
    assert (said.redeemed_at, said.gateway_id) == (attempt.closed().closed_at, "gw-0")


@pytest.mark.parametrize(
    "code, final, right_party, conversion",
    [
        ("INTERESTED", True, True, True),
        ("NOT_INTERESTED", True, True, False),
        ("CALLBACK", False, True, False),
        ("DNC_REQUESTED", True, True, False),
        ("WRONG_NUMBER", True, False, False),
        ("CONNECTED", False, False, False),
    ],
)
async def test_the_agents_word_is_the_code_of_a_conversation(
    world: Any, attempt: Any, code: str, final: bool, right_party: bool, conversion: bool
) -> None:
    for event in (*attempt.conversation(), attempt.wrapup(code)):
        await world.take(event, 45.0)
    [said] = world.published
    assert (said.code, said.final, said.right_party, said.conversion) == (C(code), final, right_party, conversion)
    assert (said.connected, said.human_answer, said.conversation, said.talk_seconds) == (True, True, True, 33.0)
    assert said.agent_id == "a1"


async def test_a_short_talk_is_no_conversation(world: Any, attempt: Any) -> None:
    for event in attempt.conversation()[:-1]:
        await world.take(event, 7.0)
    await world.take(attempt.ended("CONNECTED", 26.9), 27.0)
    await world.take(attempt.wrapup("NOT_INTERESTED"), 45.0)
    assert [(d.connected, d.conversation) for d in world.published] == [(True, False)]


@pytest.mark.parametrize("verdict, person", [("HUMAN", True), ("SCREENER", True), ("MACHINE", False), (None, False)])
async def test_a_person_who_hung_up_first_is_a_human_answer(
    world: Any, attempt: Any, verdict: str | None, person: bool
) -> None:
    await world.take(attempt.answered())
    await world.take(attempt.ended("CALLEE_HUNG_UP", verdict=Verdict(verdict) if verdict else None), 30.0)
    assert [(d.human_answer, d.reached) for d in world.published] == [(person, True)]


async def test_an_agents_word_on_a_call_that_no_agent_had_changes_no_code(world: Any, attempt: Any) -> None:
    await world.take(attempt.closed())
    await world.take(attempt.wrapup("INTERESTED"), 20.0)
    await world.take(attempt.ended("MACHINE"), 30.0)
    assert [d.code for d in world.published] == [C.MACHINE]


async def test_a_new_callback_time_is_a_new_revision(world: Any, attempt: Any) -> None:
    first = attempt.wrapup("CALLBACK", 45.0, callback_at=attempt.wrapup("CALLBACK").at + timedelta(hours=1))
    for event in (*attempt.conversation(), first):
        await world.take(event, 45.0)
    await world.take(replace(first, at=first.at + timedelta(seconds=9), callback_at=None), 54.0)
    assert [(d.revision, d.callback_at) for d in world.published] == [(1, first.callback_at), (2, None)]


@pytest.mark.parametrize("order", [(1.0, 3.0), (3.0, 1.0)])
async def test_the_earliest_of_a_stage_counts(world: Any, attempt: Any, order: tuple[float, float]) -> None:
    for seconds in order:
        await world.take(attempt.progress("ALERTING", seconds), 4.0)
    await world.take(attempt.ended("NO_ANSWER"), 30.0)
    assert [d.alerting_at for d in world.published] == [attempt.progress("ALERTING", 1.0).at]


async def test_a_person_bridged_too_late_is_abandoned_and_the_agents_word_still_counts(
    world: Any, attempt: Any
) -> None:
    *before, ended = attempt.conversation()
    for event in (*before, replace(ended, end_class=EndClass.ABANDONED)):
        await world.take(event, 40.0)
    assert not world.published, "his word is awaited"
    await world.take(attempt.wrapup("CALLBACK"), 45.0)
    [said] = world.published
    assert (said.code, said.abandoned, said.connected) == (C.CALLBACK, True, False)
    assert set(said.rule_outcomes) == {R.ABANDONED, R.CONVERSATION}
