"""What a restored store is rebuilt by, in memory: marks, the restore lock, staged offers, reopened attempts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime

from compliance_gate.domain.clearance import State
from compliance_gate.domain.restore import RestoreLock
from compliance_gate.ports import AttemptFact, Clearance, Keys, StagedOffer
from outdial_contracts.events import CallMode, ComplianceLedger, SuppressionChanged
from outdial_runtime.broker import TopicPartition


class RestoringMemory:
    """The part of compliance_gate.ports.Transaction that a restore needs; meanings stand there."""

    clearances: dict[str, Clearance]
    open_ids: dict[str, Keys]
    facts: dict[str, AttemptFact]
    suppressed: dict[str, SuppressionChanged]

    def __init__(self) -> None:
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

    async def restore_attempt(self, clearance: Clearance, mode: CallMode, at: datetime) -> None:
        fact = AttemptFact(mode=mode, at=at, charged=True, outcomes=(), revision=0)
        self.facts.setdefault(clearance.offer.attempt_id, fact)

    async def reopen_attempts(self) -> None:
        for attempt_id, fact in self.facts.items():
            if fact.revision == 0:
                self.open_ids.setdefault(attempt_id, self.clearances[attempt_id].keys)

    async def known_suppressions(self, suppression_ids: Sequence[str]) -> frozenset[str]:
        return frozenset(i for i in suppression_ids if i in self.suppressed)
