"""What the store keeps of facts that people and CRMs tell the gate; every function takes many at once."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from compliance_gate.domain.facts import Relation as KnownRelation
from compliance_gate.domain.facts import Suspension
from outdial_contracts.events import ReassignedAnswer, Relation, SuspensionChanged


@dataclass(frozen=True, kw_only=True)
class AnswerImport:
    """A file of the Reassigned Numbers Database's answers that was imported."""

    import_id: str
    file_sha256: str
    replies: Mapping[str, int]
    """YES, NO, NO_DATA -> lines."""
    answered_at: datetime
    imported_at: datetime


class ToldFacts(Protocol):
    """Part of compliance_gate.ports.Transaction."""

    async def merge_relations(self, told: Sequence[tuple[str, Relation]]) -> None:
        """(person key, relation): of a person and a seller the one with the latest as_of holds."""

    async def relations(self, person_keys: Sequence[str]) -> Mapping[str, tuple[KnownRelation, ...]]:
        """Person key -> relations; a person without any is absent."""

    async def suspensions(self, now: datetime) -> tuple[Suspension, ...]:
        """Every declared emergency that is not over at `now`."""

    async def declared_suspensions(self, suspension_ids: Sequence[str] | None = None) -> Sequence[SuspensionChanged]:
        """Those, locked; or all that were ever declared, in the order of their beginnings."""

    async def set_suspension(self, change: SuspensionChanged) -> SuspensionChanged:
        """Stores it unless a later change is there, and returns what is in force."""

    async def reassigned(self, number_keys: Sequence[str]) -> Mapping[str, tuple[ReassignedAnswer, ...]]:
        """Number key -> answers; a number without any is absent."""

    async def merge_reassigned(self, answers: Sequence[ReassignedAnswer]) -> int:
        """Takes answers that were announced already; returns how many of them changed something."""

    async def take_unannounced(self, limit: int) -> Sequence[ReassignedAnswer]:
        """At most `limit` answers that were not announced, marked as announced now; replicas share them."""

    async def take_unrecorded_imports(self) -> Sequence[AnswerImport]:
        """Imports that the ledger does not know, marked as known now."""
