"""Delivery: each invariant on a tiny history that breaks it and on one that does not; and all of them by name."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from outdial_world.history import Rpc
from outdial_world.invariants import Name
from outdial_world.invariants.violation import Violation

from outdial_contracts.events import (
    CloseOutcome,
    StopChanged,
)
from outdial_runtime.service import HttpReply

from .making import Book, at, good

NUMBER = "+12125550001"


def test_attempt_as_it_should_be_breaks_nothing() -> None:
    assert good().broken() == set()


# delivery


def second_run(book: Book) -> None:
    book.history.second_run.append("disposition: attempt a1 differs")


def undrained(book: Book) -> None:
    book.history.drained = False


def undelivered(book: Book) -> None:
    book.history.final.undelivered["pacer/call.ended"] = 2


def unrelayed(book: Book) -> None:
    book.history.final.outboxes["compliance-gate"] = 1


def forgotten_lead(book: Book) -> None:
    rpc = Rpc(
        seq=book.seq,
        method="POST /v1/leads",
        caller="crm",
        callee="lead-router-0",
        asked_at=at(1),
        request={"source": "crm", "lead_id": "L-unknown"},
        answered_at=at(2),
        reply=HttpReply(status=201),
    )
    book.history.rpcs.append(rpc)


def other_words(book: Book) -> None:
    record = book.history.records[-1]
    event: Any = record.event
    book.say(replace(event, attempts=9, revision=0), 60.0, ce_id=record.ce_id)


def leak(book: Book) -> None:
    event = StopChanged(scope="none", stopped=False, reason=f"call {NUMBER}", changed_at=at(2), changed_by="ops")
    book.say(event, 2.0)


def dead(book: Book) -> None:
    book.say(book.history.records[-1].event, 60.0, dead=True, source="lead-router")


@pytest.mark.parametrize(
    ("break_it", "name"),
    [
        (second_run, Name.SAME_ON_SECOND_RUN),
        (undrained, Name.WORLD_COMES_TO_REST),
        (undelivered, Name.NOTHING_LOST),
        (unrelayed, Name.NOTHING_LOST),
        (forgotten_lead, Name.NOTHING_LOST),
        (other_words, Name.CE_ID_NAMES_ONE_EVENT),
        (leak, Name.NUMBERS_STAY_RESTRICTED),
        (dead, Name.DEAD_LETTERS_ONLY_FOR_BAD),
    ],
)
def test_delivery(break_it: Callable[[Book], None], name: Name) -> None:
    book = good()
    break_it(book)
    assert book.broken() == {name}


def test_heartbeats_may_be_under_way_and_bad_messages_of_the_world_may_die() -> None:
    book = good()
    book.history.final.undelivered["pacer/agent.state"] = 2
    book.say(book.history.records[-1].event, 60.0, dead=True, source="world")
    assert book.broken() == set()


def test_violation_reads_as_one_line() -> None:
    violation = Violation(name=Name.REDEEMED_ONCE, detail="twice", attempt_id="a1", at=at(1.5))
    assert str(violation) == "redeemed-once: twice at 15:00:01.500 (attempt a1)"


def test_refused_offer_is_no_attempt() -> None:
    book = good()
    book.offered("a2", 30.0, "p-2", "+12125550002")
    book.cleared("a2", 31.0, "p-2")
    book.closed("a2", 32.0, "p-2", CloseOutcome.REFUSED)
    assert book.broken() == set()


def test_every_invariant_is_named_here() -> None:
    text = "".join(file.read_text("utf-8") for file in Path(__file__).parent.glob("test_*.py"))
    assert [name.name for name in Name if f"Name.{name.name}" not in text] == []
