"""An opt-out is at the gate before anything of it is published; bad messages go to the dead letters."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from disposition.handlers.attempts import on_get_attempt
from outdial_contracts.events import DispositionCode
from outdial_runtime.outcome import NOTHING, DeadLetter, RetryLater
from outdial_runtime.service import Request


async def test_opt_out_goes_to_the_gate_under_the_consoles_id(world: Any, attempt: Any) -> None:
    word = attempt.wrapup("DNC_REQUESTED", suppression_id="s-1")
    for event in (*attempt.conversation(), word):
        await world.take(event, 45.0)
    assert world.gate.suppressed == [(attempt.attempt_id, "s-1", word.at)]
    assert [(d.code, d.dnc) for d in world.published] == [(DispositionCode.DNC_REQUESTED, True)]


async def test_gate_away_publishes_nothing_and_tries_again(world: Any, attempt: Any) -> None:
    for event in attempt.conversation():
        await world.take(event, 40.0)
    world.gate.away = True
    outcome = await world.take(attempt.wrapup("DNC_REQUESTED"), 45.0, cause="w")
    assert isinstance(outcome, RetryLater)
    assert world.store.records[attempt.attempt_id].wrapup is None, "the message comes again, nothing is half done"
    assert not world.published
    world.gate.away = False
    await world.take(attempt.wrapup("DNC_REQUESTED"), 46.0, cause="w")
    assert [d.code for d in world.published] == [DispositionCode.DNC_REQUESTED]


async def test_opt_out_on_a_call_that_was_not_bridged_still_reaches_the_gate(world: Any, attempt: Any) -> None:
    for event in (attempt.closed(), attempt.wrapup("DNC_REQUESTED", 20.0), attempt.ended("CALLEE_HUNG_UP")):
        await world.take(event, 30.0)
    assert [(d.code, d.dnc) for d in world.published] == [(DispositionCode.CALLEE_HUNG_UP, True)]
    assert len(world.gate.suppressed) == 1


async def test_a_wrap_up_of_an_unknown_attempt_holds_up_nobody(world: Any, attempt: Any) -> None:
    assert await world.take(attempt.wrapup("INTERESTED"), 45.0) == NOTHING
    await world.tick(500.0)
    assert not world.outbox


async def test_an_attempt_id_that_is_none_is_a_dead_letter(world: Any, attempt: Any) -> None:
    outcome = await world.take(attempt.wrapup("INTERESTED", attempt_id="urn:nonsense"), 45.0)
    assert isinstance(outcome, DeadLetter)
    assert "nonsense" not in outcome.detail


async def test_the_newest_word_of_the_agent_counts_not_the_last_to_come(world: Any, attempt: Any) -> None:
    for event in attempt.conversation():
        await world.take(event, 40.0)
    await world.take(attempt.wrapup("INTERESTED", 50.0), 50.0)
    await world.take(attempt.wrapup("NOT_INTERESTED", 45.0), 51.0)
    assert [d.code for d in world.published] == [DispositionCode.INTERESTED]


async def test_get_attempt_shows_all_that_is_known(world: Any, attempt: Any) -> None:
    for event in (*attempt.conversation(), attempt.wrapup("INTERESTED")):
        await world.take(event, 45.0)
    reply = (await on_get_attempt(_get(attempt.attempt_id), world.deps)).reply
    assert reply.status == 200
    assert reply.body["said"][0]["event"]["code"] == "INTERESTED"
    for unknown in ("no-uuid", "5f0b6e1e-0000-5000-8000-00000000ffff"):
        assert (await on_get_attempt(_get(unknown), world.deps)).reply.status == 404


def _get(attempt_id: str) -> Request:
    return Request(message=b"", now=datetime(2026, 11, 17, tzinfo=UTC), cause="x", path={"attempt_id": attempt_id})
