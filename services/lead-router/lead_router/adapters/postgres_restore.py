"""What a restored database is brought up to date by, on PostgreSQL: marks, floors, persons in flight."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lead_router.domain.floors import Floor
from outdial_contracts.events import DispositionCode, LeadStatus
from outdial_runtime.broker import TopicPartition

SAVE_MARK = """
INSERT INTO topic_marks VALUES ($1, $2, $3) ON CONFLICT (topic, partition)
DO UPDATE SET next_offset = greatest(topic_marks.next_offset, excluded.next_offset)"""
SAVE_FLOOR = """
INSERT INTO lead_floors (lead_id, offers, revision, status, attempts, last_code, due_at)
VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT (lead_id) DO UPDATE SET offers = excluded.offers,
    revision = excluded.revision, status = excluded.status, attempts = excluded.attempts,
    last_code = excluded.last_code, due_at = excluded.due_at"""
HOLD_AGAIN = """
UPDATE persons SET open_attempt_id = flying.attempt_id
FROM (SELECT DISTINCT ON (person_id) person_id, attempt_id FROM offers WHERE state IN ('OPEN', 'REDEEMED')
      ORDER BY person_id, state DESC, offered_at DESC) AS flying
WHERE flying.person_id = persons.person_id"""
"""A redeemed offer before an open one: REDEEMED sorts after OPEN."""


class RestoringWork:
    """The part of lead_router.ports.Work that a restore needs; meanings stand there."""

    def __init__(self, connection: Any) -> None:
        self._db = connection

    async def marks(self) -> Mapping[TopicPartition, int]:
        found = await self._db.fetch("SELECT topic, partition, next_offset FROM topic_marks")
        return {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in found}

    async def save_marks(self, marks: Mapping[TopicPartition, int]) -> None:
        values = [(source.topic, source.partition, offset) for source, offset in sorted(marks.items())]
        await self._db.executemany(SAVE_MARK, values)

    async def floor(self, lead_id: str) -> Floor | None:
        row = await self._db.fetchrow("SELECT * FROM lead_floors WHERE lead_id = $1", lead_id)
        return _floor(row) if row else None

    async def floors(self, lead_ids: list[str]) -> Mapping[str, Floor]:
        found = await self._db.fetch("SELECT * FROM lead_floors WHERE lead_id = ANY($1)", lead_ids)
        return {row["lead_id"]: _floor(row) for row in found}

    async def save_floor(self, floor: Floor) -> None:
        f = floor
        code = f.last_code.value if f.last_code else None
        status = f.status.value if f.status else None
        await self._db.execute(SAVE_FLOOR, f.lead_id, f.offers, f.revision, status, f.attempts, code, f.due_at)

    async def hold_again(self) -> None:
        await self._db.execute(HOLD_AGAIN)


def _floor(row: Mapping[str, Any]) -> Floor:
    return Floor(
        lead_id=row["lead_id"],
        offers=row["offers"],
        revision=row["revision"],
        status=LeadStatus(row["status"]) if row["status"] else None,
        attempts=row["attempts"],
        last_code=DispositionCode(row["last_code"]) if row["last_code"] else None,
        due_at=row["due_at"],
    )
