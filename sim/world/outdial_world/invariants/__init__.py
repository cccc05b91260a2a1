"""What must hold in every history: architecture.md's invariants, as docs/invariants.md lists them. Pure functions."""

from __future__ import annotations

from outdial_world.history import History
from outdial_world.invariants import (
    agents,
    budget,
    caps,
    delivery,
    dialling,
    dispositions,
    leases,
    offers,
    suppression,
)
from outdial_world.invariants.facts import Facts
from outdial_world.invariants.violation import Name, Violation

__all__ = ["FAMILIES", "Name", "Violation", "check"]

FAMILIES = (
    dialling.check,
    suppression.check,
    offers.check,
    caps.check,
    dispositions.check,
    agents.check,
    budget.check,
    leases.check,
    delivery.check,
)


def check(history: History) -> list[Violation]:
    """Everything that does not hold, in the order of the families."""
    facts = Facts(history)
    return [violation for family in FAMILIES for violation in family(facts)]
