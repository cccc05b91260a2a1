"""What a restored database is rebuilt by, on PostgreSQL: marks, the restore lock, staged offers, reopened attempts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from compliance_gate.adapters.rows import CLEARANCE_COLUMNS, CorruptRow, clearance_of, clearance_row
from compliance_gate.domain.clearance import State
from compliance_gate.domain.restore import RestoreLock
from compliance_gate.ports import Clearance, RestoredRedemption, StagedOffer
from outdial_contracts import codec
from outdial_contracts.events import ComplianceLedger, LeadReady
from outdial_runtime.broker import TopicPartition

SET_LOCK = """
INSERT INTO restore_lock (locked_at, reason, restored, unrestorable, accepted) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (one) DO UPDATE SET locked_at = excluded.locked_at, reason = excluded.reason,
    restored = excluded.restored, unrestorable = excluded.unrestorable, accepted = excluded.accepted"""
RESTORE_ATTEMPT = """
INSERT INTO attempts (attempt_id, at, person_key, number_key, seller_id, topic_id, purpose, mode, debt_id, charged,
    outcomes, revision)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, true, '{}', 0) ON CONFLICT (attempt_id) DO NOTHING"""
RESTORE_REDEMPTION = """
INSERT INTO redemptions (attempt_id, leg_no, nonce_hash, granted, reasons, rule_ids, record_name, answered_at)
VALUES ($1, 1, $2, true, '{}', '{}', $3, $4) ON CONFLICT DO NOTHING"""
REOPEN = """
INSERT INTO open_attempts (attempt_id, person_key, number_key)
SELECT attempt_id, person_key, number_key FROM attempts WHERE revision = 0 ORDER BY at DESC, attempt_id
ON CONFLICT DO NOTHING"""


class RestoringTransaction:
    """The part of compliance_gate.ports.Transaction that a restore needs; meanings stand there."""

    def __init__(self, connection: Any) -> None:
        self._db = connection

    async def marks(self) -> Mapping[TopicPartition, int]:
        rows = await self._db.fetch("SELECT topic, partition, next_offset FROM topic_marks")
        return {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in rows}

    async def save_marks(self, marks: Mapping[TopicPartition, int]) -> None:
        await self._db.executemany(
            """INSERT INTO topic_marks VALUES ($1, $2, $3) ON CONFLICT (topic, partition)
               DO UPDATE SET next_offset = greatest(topic_marks.next_offset, excluded.next_offset)""",
            [(source.topic, source.partition, offset) for source, offset in sorted(marks.items())],
        )

    async def forget_marks(self) -> None:
        await self._db.execute("DELETE FROM topic_marks WHERE topic <> $1", ComplianceLedger.TOPIC)

    async def restore_lock(self) -> RestoreLock | None:
        row = await self._db.fetchrow(
            "SELECT locked_at, reason, restored, unrestorable, accepted FROM restore_lock FOR SHARE"
        )
        return RestoreLock(**dict(row)) if row else None

    async def set_restore_lock(self, lock: RestoreLock | None) -> None:
        if lock is None:
            await self._db.execute("DELETE FROM restore_lock")
            return
        await self._db.execute(SET_LOCK, lock.locked_at, lock.reason, lock.restored, lock.unrestorable, lock.accepted)

    async def standings(self, attempt_ids: Sequence[str]) -> Mapping[str, State]:
        rows = await self._db.fetch(
            "SELECT attempt_id, state FROM clearances WHERE attempt_id = ANY($1)", list(attempt_ids)
        )
        return {row["attempt_id"]: State(row["state"]) for row in rows}

    async def stage(self, offers: Sequence[StagedOffer]) -> None:
        await self._db.executemany(
            "INSERT INTO staged_offers VALUES ($1, $2, $3) ON CONFLICT (attempt_id) DO NOTHING",
            [(staged.offer.attempt_id, staged.cause, codec.encode(staged.offer)) for staged in offers],
        )

    async def staged(self, attempt_ids: Sequence[str]) -> Mapping[str, StagedOffer]:
        rows = await self._db.fetch("SELECT * FROM staged_offers WHERE attempt_id = ANY($1)", list(attempt_ids))
        found = {}
        for row in rows:
            offer = codec.decode(row["offer"], LeadReady.TOPIC)
            if not isinstance(offer, LeadReady):
                raise CorruptRow("staged_offers")
            found[row["attempt_id"]] = StagedOffer(cause=row["cause"], offer=offer)
        return found

    async def unstage(self) -> None:
        await self._db.execute("DELETE FROM staged_offers")

    async def lock_clearances(self, attempt_ids: Sequence[str]) -> Mapping[str, Clearance]:
        query = "SELECT * FROM clearances WHERE attempt_id = ANY($1) ORDER BY attempt_id FOR UPDATE"
        rows = await self._db.fetch(query, list(attempt_ids))
        return {row["attempt_id"]: clearance_of(row) for row in rows}

    async def add_clearances(self, clearances: Sequence[Clearance]) -> None:
        if clearances:
            rows = list(map(clearance_row, clearances))
            await self._db.copy_records_to_table("clearances", records=rows, columns=CLEARANCE_COLUMNS)

    async def set_states(self, states: Sequence[tuple[str, State, datetime]]) -> None:
        await self._db.executemany(
            "UPDATE clearances SET state = $2, closed_at = $3 WHERE attempt_id = $1",
            [(attempt_id, state.value, closed_at) for attempt_id, state, closed_at in states],
        )

    async def restore_redemptions(self, restored: Sequence[RestoredRedemption]) -> None:
        await self.set_states([(r.clearance.offer.attempt_id, State.REDEEMED, r.at) for r in restored])
        await self._db.executemany(RESTORE_ATTEMPT, list(map(_attempt_row, restored)))
        await self._db.executemany(
            RESTORE_REDEMPTION,
            [(r.clearance.offer.attempt_id, r.answer.nonce_hash, r.record_name, r.at) for r in restored],
        )

    async def reopen_attempts(self) -> None:
        await self._db.execute(REOPEN)

    async def known_suppressions(self, suppression_ids: Sequence[str]) -> frozenset[str]:
        rows = await self._db.fetch(
            "SELECT suppression_id FROM suppressions WHERE suppression_id = ANY($1)", list(suppression_ids)
        )
        return frozenset(row["suppression_id"] for row in rows)


def _attempt_row(restored: RestoredRedemption) -> tuple[Any, ...]:
    """Parameters of RESTORE_ATTEMPT."""
    offer, keys = restored.clearance.offer, restored.clearance.keys
    kept = (offer.seller_id, offer.topic_id, offer.purpose.value, restored.mode.value, offer.debt_id)
    return (offer.attempt_id, restored.at, keys.person, keys.number, *kept)
