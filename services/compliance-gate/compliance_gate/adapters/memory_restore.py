"""What a restored store is rebuilt by, in memory: marks, the restore lock, staged offers, reopened attempts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from compliance_gate.domain.clearance import State
from compliance_gate.domain.restore import RestoreLock
from compliance_gate.ports import AttemptFact, Clearance, Keys, Redemption, RestoredRedemption, StagedOffer
from outdial_contracts.events import ComplianceLedger, SuppressionChanged
from outdial_runtime.broker import TopicPartition


class RestoringMemory:
    """The part of compliance_gate.ports.Transaction that a restore needs; meanings stand there."""

    clearances: dict[str, Clearance]
    answers: dict[str, list[Redemption]]
    open_ids: dict[str, Keys]
    facts: dict[str, AttemptFact]
    suppressed: dict[str, SuppressionChanged]

    def __init__(self) -> None:
        super().__init__()
        self.topic_marks: dict[TopicPartition, int] = {}
        self.lock_row: RestoreLock | None = None
        self.staged_offers: dict[str, StagedOffer] = {}

    async def marks(self) -> Mapping[TopicPartition, int]:
        return dict(self.topic_marks)

    async def save_marks(self, marks: Mapping[TopicPartition, int]) -> None:
        for source, offset in marks.items():
            self.topic_marks[source] = max(offset, self.topic_marks.get(source, 0))

    async def forget_marks(self) -> None:
        kept = {s: o for s, o in self.topic_marks.items() if s.topic == ComplianceLedger.TOPIC}
        self.topic_marks = kept

    async def restore_lock(self) -> RestoreLock | None:
        return self.lock_row

    async def set_restore_lock(self, lock: RestoreLock | None) -> None:
        self.lock_row = lock

    async def standings(self, attempt_ids: Sequence[str]) -> Mapping[str, State]:
        return {i: self.clearances[i].state for i in attempt_ids if i in self.clearances}

    async def stage(self, offers: Sequence[StagedOffer]) -> None:
        for staged in offers:
            self.staged_offers.setdefault(staged.offer.attempt_id, staged)

    async def staged(self, attempt_ids: Sequence[str]) -> Mapping[str, StagedOffer]:
        return {i: self.staged_offers[i] for i in attempt_ids if i in self.staged_offers}

    async def unstage(self) -> None:
        self.staged_offers.clear()

    async def lock_clearances(self, attempt_ids: Sequence[str]) -> Mapping[str, Clearance]:
        return {i: self.clearances[i] for i in attempt_ids if i in self.clearances}

    async def add_clearances(self, clearances: Sequence[Clearance]) -> None:
        self.clearances.update({clearance.offer.attempt_id: clearance for clearance in clearances})

    async def set_states(self, states: Sequence[tuple[str, State, datetime]]) -> None:
        for attempt_id, state, closed_at in states:
            self.clearances[attempt_id] = replace(self.clearances[attempt_id], state=state, closed_at=closed_at)

    async def restore_redemptions(self, restored: Sequence[RestoredRedemption]) -> None:
        for r in restored:
            attempt_id = r.clearance.offer.attempt_id
            await self.set_states([(attempt_id, State.REDEEMED, r.at)])
            fact = AttemptFact(mode=r.mode, at=r.at, charged=True, outcomes=(), revision=0)
            self.facts.setdefault(attempt_id, fact)
            self.answers.setdefault(attempt_id, [r.answer])

    async def reopen_attempts(self) -> None:
        for attempt_id, fact in self.facts.items():
            if fact.revision == 0:
                self.open_ids.setdefault(attempt_id, self.clearances[attempt_id].keys)

    async def known_suppressions(self, suppression_ids: Sequence[str]) -> frozenset[str]:
        return frozenset(i for i in suppression_ids if i in self.suppressed)
