"""The judge of races finds what it is there to find: one broken thing at a time in a history that was clean."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from tests.integration.races.history import (
    Answer,
    Closed,
    Disposed,
    History,
    Invited,
    Offered,
    OptOut,
    Race,
    Redemption,
    Result,
)
from tests.integration.races.judge import judge
from tests.integration.stranger import broken

CAP = 2


def offered(attempt: str, race: Race, person: str, number: str) -> Offered:
    return Offered(
        attempt_id=attempt,
        race=race,
        campaign_id="c",
        seller_id="S1",
        topic_id="T1",
        person=person,
        number=number,
        cap=CAP,
    )


def answer(attempt: str, at: float, result: Result = Result.GRANTED, nonce: str = "n0", record: str = "") -> Answer:
    return Answer(attempt_id=attempt, nonce=nonce, asked_at=at - 0.1, answered_at=at, result=result, record=record)


def row(attempt: str, at: float) -> Redemption:
    return Redemption(attempt_id=attempt, granted=True, record=f"chain:{attempt}", at=at)


def opt_out(at: float | None, *, persons: str = "", numbers: str = "") -> OptOut:
    return OptOut(
        suppression_id="s",
        how="grpc",
        persons=frozenset(filter(None, [persons])),
        numbers=frozenset(filter(None, [numbers])),
        asked_at=1.0,
        acknowledged_at=at,
    )


def clean() -> History:
    """f: fifty redeemers. a, b: one person, two numbers. d: dialled, then opted out. l: lapsed. x: blocked."""
    return History(
        offered={
            "f": offered("f", Race.FIFTY, "p0", "n0"),
            "a": offered("a", Race.CAMPAIGNS, "p1", "n1"),
            "b": offered("b", Race.CAMPAIGNS, "p1", "n2"),
            "x": offered("x", Race.CAMPAIGNS, "p1", "n1"),
            "l": offered("l", Race.CAMPAIGNS, "p2", "n3"),
            "d": offered("d", Race.OPT_OUTS, "p3", "n4"),
        },
        answers=[
            answer("f", 1.0, record="chain:f"),
            answer("f", 1.1, Result.ALREADY_REDEEMED, nonce="n1"),
            answer("f", 1.2, record="chain:f"),
            answer("a", 2.0, record="chain:a"),
            answer("b", 4.0, record="chain:b"),
            answer("d", 5.0),
        ],
        invited=[Invited(attempt_id="d", at=5.1)],
        opt_outs=[opt_out(6.0, persons="p3", numbers="n4")],
        disposed=[Disposed(attempt_id=a, at=at, charged=True) for a, at in (("a", 3.0), ("b", 5.0), ("d", 5.5))],
        states={"f": "REDEEMED", "a": "REDEEMED", "b": "REDEEMED", "d": "REDEEMED", "l": "LAPSED", "x": "BLOCKED"},
        redemptions=[row("f", 0.9), row("a", 1.9), row("b", 3.9), row("d", 4.9)],
        charged={"f": True, "a": True, "b": True, "d": True},
        suppressions=frozenset({"s"}),
        ledger={f"chain:{a}": a for a in "fabd"},
        cleared=frozenset("fabdl"),
        blocked=frozenset("x"),
        closed=[
            *(Closed(attempt_id=a, outcome="REDEEMED", ce_id=f"e{a}") for a in "fabd"),
            Closed(attempt_id="l", outcome="LAPSED", ce_id="el"),
            # The outbox may say it again.
            Closed(attempt_id="l", outcome="LAPSED", ce_id="el"),
        ],
    )


def test_a_clean_history_breaks_nothing() -> None:
    counts = judge(clean())
    assert broken(counts) == []
    assert (counts["granted"], counts["invited"], counts["opt-outs acknowledged"]) == (4, 1, 1)


def test_calls_of_one_person_that_follow_each_other_are_two_for_the_cap_and_never_open_together() -> None:
    seen = clean()
    seen.disposed[0] = Disposed(attempt_id="a", at=3.85, charged=True)
    assert broken(judge(seen)) == []


def granted_to_another_nonce(seen: History) -> None:
    seen.answers.append(answer("f", 1.3, nonce="n2", record="chain:f"))


def nobody_was_granted(seen: History) -> None:
    seen.answers[0] = answer("f", 1.0, Result.REFUSED)
    seen.answers[2] = answer("f", 1.2, Result.REFUSED)


def another_answer_for_the_same_nonce(seen: History) -> None:
    seen.answers[2] = answer("f", 1.2, Result.ALREADY_REDEEMED)


def another_record_for_the_same_nonce(seen: History) -> None:
    seen.answers[2] = answer("f", 1.2, record="chain:other")


def never_answered(seen: History) -> None:
    seen.answers.append(answer("a", 2.5, Result.UNANSWERED, nonce="n9"))


def a_fault_of_the_gates_own(seen: History) -> None:
    seen.failed_inside.append("Redeem: INTERNAL")


def grant_lost_by_the_database(seen: History) -> None:
    del seen.redemptions[0]


def grant_that_its_client_never_learned(seen: History) -> None:
    del seen.answers[3]


def two_rows_for_one_attempt(seen: History) -> None:
    seen.redemptions.append(row("f", 1.0))


def grant_without_a_ledger_record(seen: History) -> None:
    seen.ledger = {record: attempt for record, attempt in seen.ledger.items() if attempt != "d"}


def ledger_record_of_another_attempt(seen: History) -> None:
    seen.ledger = {**seen.ledger, "chain:d": "a"}


def ledger_tells_of_a_lost_grant(seen: History) -> None:
    seen.ledger = {**seen.ledger, "chain:z": "l"}


def ledger_that_was_changed(seen: History) -> None:
    seen.ledger_failure = "chain: record 3 does not follow from record 2"


def next_grant_before_the_disposition(seen: History) -> None:
    seen.disposed[0] = Disposed(attempt_id="a", at=4.5, charged=True)


def two_open_in_the_tables_only(seen: History) -> None:
    seen.redemptions[2] = row("b", 2.95)


def never_disposed(seen: History) -> None:
    del seen.disposed[0]


def two_open_on_one_number_of_two_people(seen: History) -> None:
    seen.offered["d"] = replace(seen.offered["d"], number="n2")


def one_grant_too_many(seen: History) -> None:
    seen.offered["d"] = replace(seen.offered["d"], person="p1")


def third_by_person_or_number(seen: History) -> None:
    """d shares its person with one and its number with another: neither alone is over its cap."""
    seen.offered["a"] = replace(seen.offered["a"], person="p3")
    seen.offered["b"] = replace(seen.offered["b"], number="n4")


def charge_that_was_lost(seen: History) -> None:
    seen.charged = {**seen.charged, "a": False}


def invited_too_late(seen: History) -> None:
    seen.opt_outs[0] = opt_out(5.05, persons="p3")


def another_number_of_the_person_invited_too_late(seen: History) -> None:
    seen.opt_outs[0] = opt_out(5.05, persons="p3", numbers="n99")


def the_number_invited_too_late(seen: History) -> None:
    seen.opt_outs[0] = opt_out(5.05, numbers="n4")


def invited_without_a_grant(seen: History) -> None:
    seen.invited.append(Invited(attempt_id="l", at=2.0))


def invited_twice(seen: History) -> None:
    seen.invited.append(Invited(attempt_id="d", at=5.2))


def never_acknowledged(seen: History) -> None:
    seen.opt_outs[0] = opt_out(None, persons="p3")


def suppression_lost(seen: History) -> None:
    seen.suppressions = frozenset()


def offer_lost(seen: History) -> None:
    seen.blocked = frozenset()


def decided_twice(seen: History) -> None:
    seen.blocked = frozenset("xa")


def never_closed(seen: History) -> None:
    seen.closed = seen.closed[1:]


def closed_twice(seen: History) -> None:
    seen.closed.append(Closed(attempt_id="l", outcome="LAPSED", ce_id="another"))


def closed_another_way_under_the_same_id(seen: History) -> None:
    seen.closed.append(Closed(attempt_id="l", outcome="REDEEMED", ce_id="el"))


def blocked_offer_closed(seen: History) -> None:
    seen.closed.append(Closed(attempt_id="x", outcome="BLOCKED", ce_id="ex"))


def table_says_otherwise(seen: History) -> None:
    seen.states = {**seen.states, "l": "REFUSED"}


def left_open(seen: History) -> None:
    seen.states = {**seen.states, "l": "RESERVED"}


BREAKS: list[tuple[Callable[[History], None], str]] = [
    (granted_to_another_nonce, "granted_to_two"),
    (nobody_was_granted, "never_granted"),
    (another_answer_for_the_same_nonce, "same_nonce_another_answer"),
    (another_record_for_the_same_nonce, "same_nonce_another_answer"),
    (never_answered, "unanswered"),
    (a_fault_of_the_gates_own, "failed_inside"),
    (grant_lost_by_the_database, "granted_but_not_in_the_database"),
    (grant_that_its_client_never_learned, "granted_in_the_database_to_nobody"),
    (two_rows_for_one_attempt, "granted_twice_in_the_database"),
    (grant_without_a_ledger_record, "grant_not_in_the_ledger"),
    (ledger_record_of_another_attempt, "grant_not_in_the_ledger"),
    (ledger_tells_of_a_lost_grant, "redemption_in_the_ledger_only"),
    (ledger_that_was_changed, "ledger_does_not_hold"),
    (next_grant_before_the_disposition, "two_open_by_clients"),
    (two_open_in_the_tables_only, "two_open_by_database"),
    (never_disposed, "two_open_by_clients"),
    (two_open_on_one_number_of_two_people, "two_open_by_database"),
    (one_grant_too_many, "over_cap_by_clients"),
    (third_by_person_or_number, "over_cap_by_database"),
    (charge_that_was_lost, "charged_otherwise_than_told"),
    (invited_too_late, "invited_after_the_acknowledgement"),
    (another_number_of_the_person_invited_too_late, "invited_after_the_acknowledgement"),
    (the_number_invited_too_late, "invited_after_the_acknowledgement"),
    (invited_without_a_grant, "invited_without_a_grant"),
    (invited_twice, "invited_twice"),
    (never_acknowledged, "never_acknowledged"),
    (suppression_lost, "acknowledged_but_not_in_the_database"),
    (offer_lost, "never_decided"),
    (decided_twice, "cleared_and_blocked"),
    (never_closed, "cleared_without_closed"),
    (closed_twice, "closed_twice"),
    (closed_another_way_under_the_same_id, "closed_twice"),
    (blocked_offer_closed, "closed_but_never_cleared"),
    (table_says_otherwise, "closed_otherwise_than_the_database"),
    (left_open, "still_reserved"),
]


@pytest.mark.parametrize(("breaks", "name"), BREAKS, ids=[breaks.__name__ for breaks, _ in BREAKS])
def test_what_is_broken_is_named(breaks: Callable[[History], None], name: str) -> None:
    seen = clean()
    breaks(seen)
    assert name in broken(judge(seen))


def test_every_invariant_can_break() -> None:
    lists = {name for name, value in judge(clean()).items() if isinstance(value, list)}
    assert lists == {name for _, name in BREAKS}
