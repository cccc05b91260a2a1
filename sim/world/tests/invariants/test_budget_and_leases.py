"""The drop budget and leases: each invariant on a tiny history that breaks it and on one that does not."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest
from outdial_world.invariants import Name

from compliance_gate.domain.clearance import State
from outdial_contracts.events import (
    DialMode,
    EndClass,
)

from .happenings import dial, team, verdict
from .making import GATEWAY, TEAM, at, good

NUMBER = "+12125550001"


# the drop budget


@pytest.mark.parametrize(("drops", "mode", "breaks"), [(2, "PREDICTIVE", False), (3, "PREDICTIVE", True)])
def test_spent_budget_stops_overdialling(drops: int, mode: str, breaks: bool) -> None:
    book = good()
    for n in range(drops):
        book.ended(f"d{n}", 2.0, end_class=EndClass.ABANDONED)
    book.say(dial("a1", 10.9, book, dial_mode=DialMode(mode)), 10.9)
    assert (Name.SPENT_BUDGET_STOPS_OVERDIALLING in book.broken()) is breaks


@pytest.mark.parametrize(("humans", "abandoned", "breaks"), [(1, 0, False), (0, 0, True), (1, 1, True)])
def test_pacer_counts_what_the_gateways_said(humans: int, abandoned: int, breaks: bool) -> None:
    book = good()
    verdict(book, "a1", 14.0)
    verdict(book, "a1", 14.5)
    book.history.final.teams[TEAM] = team(humans=humans, abandoned=abandoned)
    assert book.broken() == ({Name.PACER_COUNTS_THE_TRUTH} if breaks else set())


@pytest.mark.parametrize(
    ("end_class", "heard", "breaks"),
    [
        (EndClass.CONNECTED, 16.5, False),
        (EndClass.CONNECTED, 17.5, True),
        (EndClass.CONNECTED, None, True),
        (EndClass.ABANDONED, 16.0, True),
        (EndClass.ABANDONED, 18.0, False),
    ],
)
def test_drop_is_what_the_callee_heard(end_class: EndClass, heard: float | None, breaks: bool) -> None:
    book = good()
    [invite] = book.history.invites
    invite.answered_at, invite.greeted_at, invite.heard_at = at(13), at(15), at(heard) if heard else None
    book.history.records = [
        replace(r, event=replace(r.event, end_class=end_class)) if r.topic == "call.ended" else r  # type: ignore[type-var]
        for r in book.history.records
    ]
    assert book.broken() == ({Name.DROPS_ARE_WHAT_CALLEES_HEARD} if breaks else set())


# leases


def left(**changes: Any) -> SimpleNamespace:
    values: dict[str, Any] = {"open_ids": {}, "clearances": {}, "persons": {}, "offers": {}, "records": {}}
    return SimpleNamespace(**(values | changes))


@pytest.mark.parametrize(
    ("service", "store"),
    [
        ("compliance-gate", left(open_ids={"a1": None})),
        ("compliance-gate", left(clearances={"a1": SimpleNamespace(state=State.RESERVED)})),
        ("lead-router", left(persons={"p-1": "a1"})),
        ("disposition", left(records={"a1": SimpleNamespace(deadline_at=at(9))})),
    ],
)
def test_store_that_still_holds_something(service: str, store: SimpleNamespace) -> None:
    book = good()
    book.history.final.stores[service] = store
    assert book.broken() == {Name.LEASES_RETURN}
    book.history.final.stores[service] = {"its": store, "another": SimpleNamespace()}
    assert book.broken() == {Name.LEASES_RETURN}
    book.history.final.stores[service] = left()
    assert book.broken() == set()


def test_pacer_and_gateway_that_still_hold_something() -> None:
    book = good()
    book.history.final.teams[TEAM] = team(calls=1)
    assert book.broken() == {Name.LEASES_RETURN}
    book.history.final.teams[TEAM] = team()
    legs = SimpleNamespace(by_id={"l": SimpleNamespace(agent_id="a-1", attempt_id="a1")})
    book.history.final.standings[GATEWAY] = SimpleNamespace(calls={}, legs=legs, loads={})
    assert book.broken() == {Name.LEASES_RETURN}
    legs.by_id["l"].attempt_id = None
    assert book.broken() == set()
