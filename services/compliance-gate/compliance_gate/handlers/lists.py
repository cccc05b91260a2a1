"""External lists: taken up while the gate runs, recorded in the ledger, and told to whoever asks."""

from __future__ import annotations

from collections.abc import Mapping

from compliance_gate.domain.facts import ListInForce
from compliance_gate.domain.ledger import Chain, Entry, RecordKind
from compliance_gate.ports import Deps
from outdial_runtime.outcome import NOTHING, Outcome
from outdial_runtime.service import Answer, HttpReply, Request, TickInput


async def take_up(tick: TickInput, deps: Deps) -> Outcome:
    """Swaps in the copies that were loaded since; the ledger says from when on which copy was asked."""
    swapped = await deps.lists.refresh()
    if swapped:
        entries = [Entry(kind=RecordKind.LIST, body=body(name, one)) for name, one in sorted(swapped.items())]
        async with deps.store.transaction() as tx:
            await tx.append(Chain.DECISIONS, entries)
    return NOTHING


async def get_lists(request: Request, deps: Deps) -> Answer:
    """The copies in force."""
    return Answer(reply=HttpReply(body={"lists": listed(deps.lists.in_force())}))


def listed(in_force: Mapping[str, ListInForce]) -> dict[str, dict[str, object]]:
    """List id -> what a person wants to know of its copy."""
    return {name: body(name, one) for name, one in sorted(in_force.items())}


def body(name: str, one: ListInForce) -> dict[str, object]:
    """A copy as JSON."""
    return {
        "list": name,
        "as_of": one.as_of.isoformat(),
        "numbers": one.numbers,
        "sha256": one.sha256,
        "source": one.source,
    }
