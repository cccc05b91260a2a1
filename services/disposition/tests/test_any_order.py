"""Inputs of one attempt in any order, with repeats, give the same last word in one stream of revisions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from outdial_contracts.base import Event
from outdial_contracts.events import DispositionCode, EndClass, RuleOutcome

LIVES: dict[str, Callable[[Any], list[Event]]] = {
    "INTERESTED": lambda a: [*a.conversation(), a.wrapup("INTERESTED")],
    "DNC_REQUESTED": lambda a: [*a.conversation(), a.wrapup("DNC_REQUESTED", 41.0)],
    "CALLBACK": lambda a: [*a.conversation(), a.wrapup("INTERESTED", 42.0), a.wrapup("CALLBACK", 50.0)],
    "WRONG_NUMBER": lambda a: [
        *a.conversation()[:-1],
        replace(a.conversation()[-1], end_class=EndClass.ABANDONED),
        a.wrapup("WRONG_NUMBER"),
    ],
    "NO_ANSWER": lambda a: [
        a.closed(), a.progress("INVITED", 0.1), a.progress("ALERTING", 1.0), a.ended("NO_ANSWER", 19.0),
    ],
    "BUSY": lambda a: [a.closed(), a.progress("INVITED", 0.1), a.ended("BUSY", 0.4, sip_status=486)],
    "MACHINE": lambda a: [a.closed(), a.progress("INVITED", 0.1), a.answered(), a.ended("MACHINE", 8.0)],
    "NOT_DIALLED": lambda a: [a.closed(), a.not_dialled()],
    "UNKNOWN": lambda a: [a.closed(), a.progress("INVITED", 0.1), a.not_dialled()],
}  # fmt: skip


@st.composite
def shuffled(draw: st.DrawFn) -> tuple[str, list[int]]:
    """A life, and its events by number in some order with some repeats."""
    code = draw(st.sampled_from(sorted(LIVES)))
    places = list(range(9))
    repeats = draw(st.lists(st.sampled_from(places), max_size=6))
    return code, draw(st.permutations(places + repeats))


async def play(world: Any, events: Sequence[Event], order: Sequence[int]) -> None:
    """Feeds the events by number, a number beyond the last being none; message ids are the numbers."""
    for step, number in enumerate(n for n in order if n < len(events)):
        await world.take(events[number], seconds=60.0 + step, cause=f"message-{number}")


@given(shuffled())
@settings(max_examples=300, deadline=None)
async def test_last_word_is_the_same_in_any_order(
    new_world: Callable[[], Any], life: Any, drawn: tuple[str, list[int]]
) -> None:
    code, order = drawn
    world = new_world()
    await play(world, LIVES[code](life), order)
    record = world.store.records[life.attempt_id]
    assert record.said[-1].event.code is DispositionCode(code)
    assert [said.event.revision for said in record.said] == list(range(1, len(record.said) + 1))
    assert record.deadline_at is None, "nothing is awaited any more, so no tick may look at it again"


@given(shuffled())
@settings(max_examples=300, deadline=None)
async def test_a_repeat_never_makes_another_revision(
    new_world: Callable[[], Any], life: Any, drawn: tuple[str, list[int]]
) -> None:
    code, order = drawn
    once, repeated = new_world(), new_world()
    await play(once, LIVES[code](life), list(dict.fromkeys(order)))
    await play(repeated, LIVES[code](life), order)
    kinds = [[s.event.code for s in w.store.records[life.attempt_id].said] for w in (once, repeated)]
    assert kinds[0] == kinds[1]
    distinct = {event.revision: event for event in repeated.published}
    assert all(distinct[event.revision] == event for event in repeated.published), "a revision has one content"


async def test_not_dialled_alone_opens_nothing(world: Any, attempt: Any) -> None:
    await world.take(attempt.not_dialled(), 1.0)
    for seconds in (60.0, 600.0):
        await world.tick(seconds)
    assert not world.published
    assert not world.outbox


@pytest.mark.parametrize("redeemed_first", [True, False])
async def test_not_dialled_with_redemption_is_not_charged(world: Any, attempt: Any, redeemed_first: bool) -> None:
    events = [attempt.closed(), attempt.not_dialled()]
    for event in events if redeemed_first else reversed(events):
        await world.take(event, 1.0)
    [said] = world.published
    assert (said.code, said.charged, said.rule_outcomes, said.reached) == (
        DispositionCode.NOT_DIALLED,
        False,
        (),
        False,
    )


@pytest.mark.parametrize("outcome", ["REFUSED", "LAPSED"])
async def test_an_offer_that_was_not_redeemed_is_no_attempt(world: Any, attempt: Any, outcome: str) -> None:
    await world.take(attempt.closed(outcome))
    assert not world.store.records


async def test_a_call_event_opens_the_attempt_before_its_redemption_is_known(world: Any, attempt: Any) -> None:
    await world.take(attempt.ended("BUSY", 0.4, sip_status=486, q850_cause=17), 1.0)
    [said] = world.published
    assert (said.code, said.rule_outcomes) == (DispositionCode.BUSY, (RuleOutcome.BUSY,))
    await world.take(attempt.closed(), 2.0)
    assert len(world.published) == 1, "the redemption changes nothing that anybody acts upon"


async def test_experiments_exposed_on_the_way_are_all_named(new_world: Callable[[], Any], attempt: Any) -> None:
    late = replace(attempt.ended("BUSY"), context=replace(attempt.same["context"], exposed=("greeting",)))
    for events in ([attempt.closed(), late], [late, attempt.closed()]):
        world = new_world()
        for event in events:
            await world.take(event, 1.0)
        assert world.store.records[attempt.attempt_id].head.context.exposed == ("greeting",)
