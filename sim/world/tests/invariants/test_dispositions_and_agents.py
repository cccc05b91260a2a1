"""Dispositions and agents: each invariant on a tiny history that breaks it and on one that does not."""

from __future__ import annotations

import pytest
from outdial_world.history import Rpc, WorldEvent
from outdial_world.invariants import Name

from outdial_contracts.events import (
    AgentAvailability,
    AgentState,
    TeamOwner,
)
from outdial_contracts.rpc import outdial_pb2 as pb

from .happenings import dial
from .making import GATEWAY, TEAM, Book, at, good

NUMBER = "+12125550001"


# dispositions


def test_attempt_without_disposition_and_with_two_first_ones() -> None:
    none, two, gap = good(), good(), good()
    none.history.records = [r for r in none.history.records if r.topic != "call.disposition"]
    two.disposed("a1", 31.0)
    gap.disposed("a1", 31.0, revision=3)
    for book in (none, two, gap):
        assert book.broken() == {Name.ONE_DISPOSITION}


def test_later_revision_is_no_second_disposition() -> None:
    book = good()
    book.disposed("a1", 31.0, revision=2)
    assert book.broken() == set()


def test_disposition_of_what_was_never_redeemed() -> None:
    book = good()
    book.disposed("a9", 31.0)
    assert book.broken() == {Name.ONE_DISPOSITION}


@pytest.mark.parametrize(("seconds", "breaks"), [(60.0, False), (300.0, True)])
def test_attempt_without_news_is_closed_by_a_deadline_from_its_redemption(seconds: float, breaks: bool) -> None:
    book = good()
    book.history.records = [r for r in book.history.records if r.topic not in ("call.disposition", "call.ended")]
    book.disposed("a1", seconds)
    assert (Name.DISPOSITION_IN_TIME in book.broken()) is breaks


def test_call_at_the_carrier_counts_in_the_caps() -> None:
    book = good()
    book.disposed("a1", 31.0, revision=2, charged=False)
    assert book.broken() == {Name.DIALLED_IS_CHARGED}


# agents


def word(book: Book, seconds: float, seen: str | None, said: AgentAvailability = AgentAvailability.AVAILABLE) -> None:
    event = AgentState(
        agent_id="a-1",
        team_id=TEAM,
        availability=said,
        valid_until=at(seconds + 10),
        at=at(seconds),
        last_assignment_seen=seen,
    )
    book.say(event, seconds)


def talked(second_at: float, word_at: float = 22.0, seen: str | None = "a-0-1") -> Book:
    """Two calls of one agent; the first lasts from 12 to 20 s."""
    book = good()
    book.assigned("a1", 12.0, lease="a-0-1")
    book.history.invites[0].ended_at = at(20)
    word(book, word_at, seen)
    book.assigned("a1b", second_at, lease="a-0-2")
    return book


def test_agent_with_a_second_call_before_the_first_is_over() -> None:
    assert Name.ONE_CALL_PER_AGENT in talked(15.0).broken()
    assert Name.ONE_CALL_PER_AGENT not in talked(25.0).broken()


@pytest.mark.parametrize(
    ("word_at", "seen", "breaks"), [(22.0, "a-0-1", False), (22.0, None, True), (41.0, None, False)]
)
def test_agent_is_freed_by_a_word_that_saw_his_last_call(word_at: float, seen: str | None, breaks: bool) -> None:
    assert (Name.AGENT_FREED_BY_HIS_WORD in talked(45.0, word_at, seen).broken()) is breaks


@pytest.mark.parametrize(("back_at", "breaks"), [(50.0, True), (11.0, False)])
def test_agent_who_left_gets_no_call(back_at: float, breaks: bool) -> None:
    book = good()
    for seconds, what in ((5.0, "left"), (back_at, "phone up")):
        book.history.people.append(WorldEvent(seq=book.seq, at=at(seconds), who="agent a-1", what=what))
    book.assigned("a1", 12.0)
    assert (Name.ABSENT_AGENT_GETS_NO_CALL in book.broken()) is breaks


def gave(book: Book, attempt_id: str, epoch: int, lease: str) -> None:
    assigned = pb.Assigned(agent_id="a-1", epoch=epoch, lease_id=lease)
    rpc = Rpc(
        seq=book.seq,
        method="AgentRouter.Assign",
        caller=GATEWAY,
        callee="pacer-0",
        asked_at=at(11),
        request=pb.AssignRequest(attempt_id=attempt_id),
        answered_at=at(11),
        reply=pb.AssignReply(assigned=assigned),
        received_at=at(11),
    )
    book.history.rpcs.append(rpc)


def test_older_epoch_gives_no_call_to_a_leg_that_a_newer_one_claimed() -> None:
    book = talked(25.0)
    gave(book, "a1", 7, "a-0-1")
    gave(book, "a1b", 3, "a-0-2")
    assert Name.STALE_OWNER_ASSIGNS_NOTHING in book.broken()
    book.history.rpcs[-1].reply.assigned.epoch = 7
    assert Name.STALE_OWNER_ASSIGNS_NOTHING not in book.broken()


@pytest.mark.parametrize(("taken_over", "breaks"), [(-20.0, True), (10.0, False)])
def test_owner_that_was_replaced_gives_nobody_a_call(taken_over: float, breaks: bool) -> None:
    book = good()
    owner = TeamOwner(team_id=TEAM, epoch=5, owner_id="pacer-1", address="pacer-1:7000", at=at(taken_over))
    book.say(owner, taken_over)
    book.assigned("a1", 12.0, lease="a-0-1")
    gave(book, "a1", 0, "a-0-1")
    assert (Name.STALE_OWNER_ASSIGNS_NOTHING in book.broken()) is breaks


def test_agent_whose_word_lapsed_is_free_by_the_next() -> None:
    book = good()
    book.history.invites[0].ended_at = at(20)
    book.assigned("a1", 12.0, lease="a-0-1")
    word(book, 13.0, "a-0-1", AgentAvailability.WRAPUP)
    word(book, 31.0, None)
    book.assigned("a1b", 32.0, lease="a-0-2")
    assert Name.AGENT_FREED_BY_HIS_WORD not in book.broken()


@pytest.mark.parametrize(("taken_over", "breaks"), [(-20.0, True), (10.0, False)])
def test_nothing_is_dialled_for_an_owner_that_was_replaced(taken_over: float, breaks: bool) -> None:
    book = good()
    owner = TeamOwner(team_id=TEAM, epoch=5, owner_id="pacer-1", address="pacer-1:7000", at=at(taken_over))
    book.say(owner, taken_over)
    book.say(dial("a1", 10.9, book), 10.9)
    assert (Name.STALE_OWNER_ASSIGNS_NOTHING in book.broken()) is breaks
