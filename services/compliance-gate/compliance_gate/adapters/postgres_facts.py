"""Facts that people and CRMs tell, on PostgreSQL: relations, declared emergencies, reassigned numbers."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from compliance_gate.domain.facts import Relation as KnownRelation
from compliance_gate.domain.facts import Suspension
from compliance_gate.fact_ports import AnswerImport
from outdial_contracts.events import ReassignedAnswer, ReassignedReply, Relation, SuspensionChanged

MERGE_RELATIONS = """
INSERT INTO relations AS r (person_key, seller_id, as_of, last_transaction_at, last_inquiry_at, contract_active)
SELECT DISTINCT ON (person_key, seller_id) *
FROM unnest($1::text[], $2::text[], $3::timestamptz[], $4::timestamptz[], $5::timestamptz[], $6::boolean[])
    AS told (person_key, seller_id, as_of, last_transaction_at, last_inquiry_at, contract_active)
ORDER BY person_key, seller_id, as_of DESC
ON CONFLICT (person_key, seller_id) DO UPDATE SET as_of = EXCLUDED.as_of,
    last_transaction_at = EXCLUDED.last_transaction_at, last_inquiry_at = EXCLUDED.last_inquiry_at,
    contract_active = EXCLUDED.contract_active
WHERE EXCLUDED.as_of > r.as_of"""
SET_SUSPENSION = """
INSERT INTO suspensions AS s (suspension_id, region, starts_at, ends_at, source, entered_by, changed_by, changed_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (suspension_id) DO UPDATE SET region = EXCLUDED.region, starts_at = EXCLUDED.starts_at,
    ends_at = EXCLUDED.ends_at, source = EXCLUDED.source, entered_by = EXCLUDED.entered_by,
    changed_by = EXCLUDED.changed_by, changed_at = EXCLUDED.changed_at
WHERE EXCLUDED.changed_at > s.changed_at"""
REPLACES = """(EXCLUDED.reply <> 'NO_DATA' AND (r.reply = 'NO_DATA' OR EXCLUDED.answered_at > r.answered_at
    OR (EXCLUDED.answered_at = r.answered_at AND EXCLUDED.reply = 'YES' AND r.reply <> 'YES')))
    OR (EXCLUDED.reply = 'NO_DATA' AND r.reply = 'NO_DATA' AND EXCLUDED.answered_at > r.answered_at)"""
"""compliance_gate.domain.reassigned.replaces, of rows."""
MERGE_REASSIGNED = f"""
INSERT INTO reassigned AS r (number_key, consent_date, reply, answered_at, announced)
SELECT * FROM unnest($1::text[], $2::date[], $3::text[], $4::timestamptz[], $5::boolean[]) ORDER BY 1, 2
ON CONFLICT (number_key, consent_date) DO UPDATE SET reply = EXCLUDED.reply, answered_at = EXCLUDED.answered_at,
    announced = EXCLUDED.announced
WHERE {REPLACES}
RETURNING number_key"""
TAKE_UNANNOUNCED = """
UPDATE reassigned r SET announced = true
FROM (SELECT number_key, consent_date FROM reassigned WHERE NOT announced
      ORDER BY number_key, consent_date LIMIT $1 FOR UPDATE SKIP LOCKED) AS taken
WHERE r.number_key = taken.number_key AND r.consent_date = taken.consent_date
RETURNING r.number_key, r.consent_date, r.reply, r.answered_at"""
TAKE_UNRECORDED = """
UPDATE reassigned_imports SET recorded = true
WHERE import_id IN (SELECT import_id FROM reassigned_imports WHERE NOT recorded FOR UPDATE SKIP LOCKED)
RETURNING import_id, file_sha256, replies, answered_at, imported_at"""
SUSPENSION_COLUMNS = "suspension_id, region, starts_at, ends_at, source, entered_by, changed_by, changed_at"


class FactsTransaction:
    """compliance_gate.fact_ports.ToldFacts; meanings stand there."""

    _db: Any

    async def merge_relations(self, told: Sequence[tuple[str, Relation]]) -> None:
        if not told:
            return
        rows = [
            (key, r.seller_id, r.as_of, r.last_transaction_at, r.last_inquiry_at, r.contract_active) for key, r in told
        ]
        await self._db.execute(MERGE_RELATIONS, *map(list, zip(*rows, strict=True)))

    async def relations(self, person_keys: Sequence[str]) -> Mapping[str, tuple[KnownRelation, ...]]:
        rows = await self._db.fetch(
            """SELECT person_key, seller_id, last_transaction_at, last_inquiry_at, contract_active
               FROM relations WHERE person_key = ANY($1) ORDER BY person_key, seller_id""",
            list(person_keys),
        )
        found: defaultdict[str, tuple[KnownRelation, ...]] = defaultdict(tuple)
        for row in rows:
            fields = dict(row)
            found[fields.pop("person_key")] += (KnownRelation(**fields),)
        return found

    async def suspensions(self, now: datetime) -> tuple[Suspension, ...]:
        query = "SELECT region, starts_at, ends_at FROM suspensions WHERE ends_at IS NULL OR ends_at > $1"
        return tuple(Suspension(**dict(row)) for row in await self._db.fetch(query, now))

    async def declared_suspensions(self, suspension_ids: Sequence[str] | None = None) -> Sequence[SuspensionChanged]:
        query = f"""SELECT {SUSPENSION_COLUMNS} FROM suspensions WHERE $1::text[] IS NULL OR suspension_id = ANY($1)
                    ORDER BY starts_at, suspension_id""" + ("" if suspension_ids is None else " FOR UPDATE")
        rows = await self._db.fetch(query, None if suspension_ids is None else list(suspension_ids))
        return [SuspensionChanged(**dict(row)) for row in rows]

    async def set_suspension(self, change: SuspensionChanged) -> SuspensionChanged:
        c = change
        times = (c.region, c.starts_at, c.ends_at)
        await self._db.execute(
            SET_SUSPENSION, c.suspension_id, *times, c.source, c.entered_by, c.changed_by, c.changed_at
        )
        return (await self.declared_suspensions([c.suspension_id]))[0]

    async def reassigned(self, number_keys: Sequence[str]) -> Mapping[str, tuple[ReassignedAnswer, ...]]:
        rows = await self._db.fetch(
            """SELECT number_key, consent_date, reply, answered_at FROM reassigned WHERE number_key = ANY($1)
               ORDER BY number_key, consent_date""",
            list(number_keys),
        )
        found: defaultdict[str, tuple[ReassignedAnswer, ...]] = defaultdict(tuple)
        for row in rows:
            found[row["number_key"]] += (_answer(row),)
        return found

    async def merge_reassigned(self, answers: Sequence[ReassignedAnswer]) -> int:
        return await merge_answers(self._db, answers, announced=True)

    async def take_unannounced(self, limit: int) -> Sequence[ReassignedAnswer]:
        return [_answer(row) for row in await self._db.fetch(TAKE_UNANNOUNCED, limit)]

    async def take_unrecorded_imports(self) -> Sequence[AnswerImport]:
        rows = await self._db.fetch(TAKE_UNRECORDED)
        return [AnswerImport(**{**dict(row), "replies": json.loads(row["replies"])}) for row in rows]


async def merge_answers(connection: Any, answers: Sequence[ReassignedAnswer], *, announced: bool) -> int:
    """Stores answers, one per number and date; returns how many changed something."""
    if not answers:
        return 0
    rows = [
        (a.number_key, date.fromisoformat(a.consent_date), a.reply.value, a.answered_at, announced) for a in answers
    ]
    return len(await connection.fetch(MERGE_REASSIGNED, *map(list, zip(*rows, strict=True))))


def _answer(row: Mapping[str, Any]) -> ReassignedAnswer:
    return ReassignedAnswer(
        number_key=row["number_key"],
        consent_date=row["consent_date"].isoformat(),
        reply=ReassignedReply(row["reply"]),
        answered_at=row["answered_at"],
    )
