"""Offers, clearances and caps: each invariant on a tiny history that breaks it and on one that does not."""

from __future__ import annotations

from dataclasses import replace

import pytest
from outdial_world.invariants import Name

from outdial_contracts.events import (
    BlockReason,
    ComplianceBlocked,
)

from .happenings import changed, team
from .making import TEAM, Book, at, good

NUMBER = "+12125550001"


# offers and caps


def test_offer_without_a_decision_and_with_two() -> None:
    none, two = good(), good()
    none.offered("a2", 30.0, "p-2", "+12125550002")
    two.cleared("a1", 11.0)
    assert none.broken() == {Name.OFFER_DECIDED_ONCE}
    assert two.broken() == {Name.OFFER_DECIDED_ONCE}


def test_repeat_under_the_same_ce_id_counts_once() -> None:
    book = good()
    for record in list(book.history.records):
        book.say(record.event, 50.0, ce_id=record.ce_id)
    assert book.broken() == set()


def test_clearance_that_is_never_closed_and_one_closed_twice() -> None:
    never, twice = good(), good()
    never.offered("a2", 30.0, "p-2", "+12125550002")
    never.cleared("a2", 31.0, "p-2")
    twice.closed("a1", 12.0)
    assert never.broken() == {Name.CLEARANCE_CLOSED_ONCE}
    assert twice.broken() == {Name.CLEARANCE_CLOSED_ONCE}


def test_leg_granted_to_two_nonces() -> None:
    book = good()
    book.grant("a1", 11.02, nonce="n2")
    assert book.broken() == {Name.REDEEMED_ONCE}


@pytest.mark.parametrize(
    ("person", "number", "name"),
    [("p-1", "+12125550009", Name.OPEN_ATTEMPT_PER_PERSON), ("p-9", NUMBER, Name.OPEN_ATTEMPT_PER_NUMBER)],
)
def test_second_attempt_while_one_is_open(person: str, number: str, name: Name) -> None:
    book = good()
    book.attempt("a2", 15.0, person, number)
    later = good()
    later.attempt("a2", 40.0, person, number)
    assert name in book.broken()
    assert name not in later.broken()


@pytest.mark.parametrize(("attempts", "breaks"), [(3, False), (4, True)])
def test_retry_budget_is_one_per_person_over_all_leads(attempts: int, breaks: bool) -> None:
    book = Book()
    for n in range(attempts):
        book.attempt(f"a{n}", 30.0 * (n + 1), "p-1", f"+1212555{n:04d}")
    assert (Name.RETRY_BUDGET_PER_PERSON in book.broken()) is breaks


def test_person_whose_budget_is_spent_is_not_even_offered() -> None:
    book = Book()
    for n in range(3):
        book.attempt(f"a{n}", 30.0 * (n + 1))
    book.lead_state(120.0, attempts=3)
    assert book.broken() == set()
    book.offered("a4", 125.0)
    blocked(book, "a4", 126.0, BlockReason.ATTEMPT_CAP)
    assert book.broken() == {Name.RETRY_BUDGET_PER_PERSON}


def test_attempt_that_was_not_dialled_counts_in_no_cap() -> None:
    book = Book()
    book.history.person_cap = 3
    for n in range(4):
        book.attempt(f"a{n}", 30.0 * (n + 1))
    assert Name.LEGAL_CAP_PER_PERSON in book.broken()
    book.history.records = [
        replace(r, event=replace(r.event, charged=False)) if r.topic == "call.disposition" else r  # type: ignore[type-var]
        for r in book.history.records
    ]
    assert not {Name.LEGAL_CAP_PER_PERSON, Name.RETRY_BUDGET_PER_PERSON} & book.broken()


def blocked(book: Book, attempt_id: str, seconds: float, *reasons: BlockReason) -> None:
    head = book.head(attempt_id)
    event = ComplianceBlocked(**head, epoch=0, rule_pack="r", blocked_at=at(seconds), reasons=reasons)
    book.say(event, seconds)


def test_cap_that_others_have_not_reached_refuses_nobody() -> None:
    book = good()
    book.history.person_cap = 1
    book.offered("a2", 40.0)
    blocked(book, "a2", 41.0, BlockReason.ATTEMPT_CAP)
    assert book.broken() == set()
    book.history.person_cap = 2
    assert book.broken() == {Name.REFUSED_FOR_CAUSE}


def test_suppression_that_nobody_asked_for_refuses_nobody() -> None:
    book = good()
    book.offered("a2", 40.0)
    blocked(book, "a2", 41.0, BlockReason.INTERNAL_DNC)
    assert book.broken() == {Name.REFUSED_FOR_CAUSE}
    changed(book, 39.0)
    assert book.broken() == set()


def test_more_offers_than_were_wanted() -> None:
    book = good()
    book.history.records = [
        replace(r, event=replace(r.event, wanted_total=0)) if r.topic == "pacing.demand" else r  # type: ignore[type-var]
        for r in book.history.records
    ]
    assert book.broken() == {Name.SUPPLY_WITHIN_DEMAND}


@pytest.mark.parametrize(("counted", "breaks"), [(1, False), (2, True), (0, True)])
def test_pacer_counts_each_clearance_once(counted: int, breaks: bool) -> None:
    book = good()
    book.history.final.teams[TEAM] = team(cleared_total=counted)
    assert book.broken() == ({Name.CLEARED_COUNTED_ONCE} if breaks else set())


def test_lead_router_counts_redemptions() -> None:
    book = good()
    book.lead_state(50.0, attempts=2, revision=2)
    assert book.broken() == {Name.ATTEMPTS_COUNTED}


@pytest.mark.parametrize(("came", "breaks"), [(0.5, False), (-30.0, True)])
def test_lead_lost_with_its_offer_by_a_restore_may_count_one_less(came: float, breaks: bool) -> None:
    book = Book()
    book.lead_state(came, attempts=0)
    book.attempt("a1", 10.0)
    book.history.restores.append(("lead-router", at(40.0), at(0.0)))
    book.lead_state(50.0, attempts=0, revision=2)
    assert book.broken() == ({Name.ATTEMPTS_COUNTED} if breaks else set())
