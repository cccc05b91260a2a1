"""Facts that people and CRMs tell, in memory: relations, declared emergencies, reassigned numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from compliance_gate.domain.facts import Relation as KnownRelation
from compliance_gate.domain.facts import Suspension
from compliance_gate.domain.reassigned import replaces
from compliance_gate.domain.suspensions import in_force
from compliance_gate.fact_ports import AnswerImport
from outdial_contracts.events import ReassignedAnswer, Relation, SuspensionChanged

FACT_CONTENTS = ("told_relations", "declared", "rnd_answers", "rnd_unannounced", "rnd_imports")


class FactsMemory:
    """compliance_gate.fact_ports.ToldFacts; meanings stand there."""

    def __init__(self) -> None:
        super().__init__()
        self.told_relations: dict[tuple[str, str], Relation] = {}
        self.declared: dict[str, SuspensionChanged] = {}
        self.rnd_answers: dict[tuple[str, str], ReassignedAnswer] = {}
        self.rnd_unannounced: set[tuple[str, str]] = set()
        self.rnd_imports: list[AnswerImport] = []
        """Not recorded yet."""

    async def merge_relations(self, told: Sequence[tuple[str, Relation]]) -> None:
        for key, relation in told:
            known = self.told_relations.get((key, relation.seller_id))
            if known is None or relation.as_of > known.as_of:
                self.told_relations[key, relation.seller_id] = relation

    async def relations(self, person_keys: Sequence[str]) -> Mapping[str, tuple[KnownRelation, ...]]:
        found: dict[str, tuple[KnownRelation, ...]] = {}
        for (key, seller_id), r in sorted(self.told_relations.items()):
            if key in person_keys:
                known = KnownRelation(
                    seller_id=seller_id,
                    last_transaction_at=r.last_transaction_at,
                    last_inquiry_at=r.last_inquiry_at,
                    contract_active=r.contract_active,
                )
                found[key] = (*found.get(key, ()), known)
        return found

    async def suspensions(self, now: datetime) -> tuple[Suspension, ...]:
        return tuple(in_force(s) for s in self.declared.values() if s.ends_at is None or s.ends_at > now)

    async def declared_suspensions(self, suspension_ids: Sequence[str] | None = None) -> Sequence[SuspensionChanged]:
        chosen = [s for s in self.declared.values() if suspension_ids is None or s.suspension_id in suspension_ids]
        return sorted(chosen, key=lambda s: (s.starts_at, s.suspension_id))

    async def set_suspension(self, change: SuspensionChanged) -> SuspensionChanged:
        known = self.declared.get(change.suspension_id)
        if known is None or change.changed_at > known.changed_at:
            self.declared[change.suspension_id] = change
        return self.declared[change.suspension_id]

    async def reassigned(self, number_keys: Sequence[str]) -> Mapping[str, tuple[ReassignedAnswer, ...]]:
        found: dict[str, tuple[ReassignedAnswer, ...]] = {}
        for (key, _), answer in sorted(self.rnd_answers.items()):
            if key in number_keys:
                found[key] = (*found.get(key, ()), answer)
        return found

    async def merge_reassigned(self, answers: Sequence[ReassignedAnswer]) -> int:
        changed = 0
        for answer in answers:
            key = (answer.number_key, answer.consent_date)
            known = self.rnd_answers.get(key)
            if known is None or replaces(answer, known):
                self.rnd_answers[key] = answer
                self.rnd_unannounced.discard(key)
                changed += 1
        return changed

    async def take_unannounced(self, limit: int) -> Sequence[ReassignedAnswer]:
        taken = sorted(self.rnd_unannounced)[:limit]
        self.rnd_unannounced.difference_update(taken)
        return [self.rnd_answers[key] for key in taken]

    async def take_unrecorded_imports(self) -> Sequence[AnswerImport]:
        taken, self.rnd_imports = self.rnd_imports, []
        return taken
