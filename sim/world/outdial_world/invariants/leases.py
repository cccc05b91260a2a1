"""At the end every slot is free: nothing that held one is left, in any service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from compliance_gate.domain.clearance import State
from lead_router.domain.lifecycle import OfferState
from outdial_world.invariants.facts import Facts
from outdial_world.invariants.violation import Name, Violation
from pacer.domain.leases import held

UNUSED = "is still held"


def check(facts: Facts) -> Iterator[Violation]:
    """By what is left at the end."""
    final = facts.history.final
    for team_id, state in final.teams.items():
        yield from _team(team_id, state)
    for gateway, standing in final.standings.items():
        yield from _gateway(gateway, standing)
    for service, (table, look) in _STORES.items():
        for store in _stores(final.stores.get(service)):
            if hasattr(store, table):
                for detail, attempt_id in look(store):
                    yield Violation(name=Name.LEASES_RETURN, detail=detail, attempt_id=attempt_id)


def _team(team_id: str, state: Any) -> Iterator[Violation]:
    for what, number in held(state).items():
        if number:
            yield Violation(name=Name.LEASES_RETURN, detail=f"the pacer of {team_id} holds {number} {what}")
    for attempt_id in [*state.offers, *state.unwanted]:
        detail = f"an offer waits at the pacer of {team_id}"
        yield Violation(name=Name.LEASES_RETURN, detail=detail, attempt_id=attempt_id)


def _gateway(gateway: str, standing: Any) -> Iterator[Violation]:
    for attempt_id in standing.calls:
        detail = f"a call lives on {gateway}"
        yield Violation(name=Name.LEASES_RETURN, detail=detail, attempt_id=attempt_id)
    for leg in standing.legs.by_id.values():
        if leg.attempt_id is not None:
            detail = f"the leg of {leg.agent_id} on {gateway} {UNUSED}"
            yield Violation(name=Name.LEASES_RETURN, detail=detail, attempt_id=leg.attempt_id)
    busy = {trunk_id: load.live for trunk_id, load in standing.loads.items() if load.live}
    if busy:
        yield Violation(name=Name.LEASES_RETURN, detail=f"{gateway} counts live calls on trunks: {busy}")


def _gate(store: Any) -> Iterator[tuple[str, str]]:
    yield from (("the attempt is open at the gate", attempt_id) for attempt_id in store.open_ids)
    for attempt_id, clearance in store.clearances.items():
        if clearance.state is State.RESERVED:
            yield "the offer is reserved at the gate", attempt_id


def _lead_router(store: Any) -> Iterator[tuple[str, str]]:
    yield from (("a person is held by lead-router", held_by) for held_by in store.persons.values() if held_by)
    for attempt_id, offer in store.offers.items():
        if offer.state in (OfferState.OPEN, OfferState.REDEEMED):
            yield f"the offer is {offer.state.value} at lead-router", attempt_id


def _disposition(store: Any) -> Iterator[tuple[str, str]]:
    for attempt_id, record in store.records.items():
        if record.deadline_at is not None:
            yield "the attempt waits for its disposition", attempt_id


def _stores(found: Any) -> list[Any]:
    """A service's one store, or several by name, or none where it never began."""
    if found is None:
        return []
    return list(found.values()) if isinstance(found, dict) else [found]


_STORES: dict[str, tuple[str, Callable[[Any], Iterator[tuple[str, str]]]]] = {
    "compliance-gate": ("open_ids", _gate),
    "lead-router": ("offers", _lead_router),
    "disposition": ("records", _disposition),
}
"""Service -> a table that its store has, and what looks into it."""
