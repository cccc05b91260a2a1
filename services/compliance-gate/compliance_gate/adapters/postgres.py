"""The gate's store on PostgreSQL (asyncpg). A driver error is StoreUnavailable: no answer means no call.

Only a value that PostgreSQL can never hold (class 22, such as a NUL in a text) is Unstorable: it would fail forever.
"""

from __future__ import annotations

import hashlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from typing import Any

import asyncpg

from compliance_gate.adapters.postgres_facts import FactsTransaction
from compliance_gate.adapters.postgres_restore import RestoringTransaction
from compliance_gate.adapters.rows import (
    attempt_of,
    checkpoint_of,
    clearance_of,
    consent_of,
    consent_row,
    page_items,
    record_columns,
    record_of,
    redemption_of,
)
from compliance_gate.domain.clearance import State
from compliance_gate.domain.facts import Attempt, Suppression
from compliance_gate.domain.ledger import GENESIS_PREVIOUS, Chain, Checkpoint, Entry, Record, RecordKind, follow, link
from compliance_gate.ports import (
    PAGE_RECORDS,
    AttemptFact,
    Clearance,
    Keys,
    Redemption,
    StoreTorn,
    StoreUnavailable,
    Unstorable,
)
from outdial_contracts.events import CallMode, Consent, RuleOutcome, SuppressionChanged, SuppressionSource
from outdial_runtime.outcome import Emit
from outdial_runtime.service import TableOutbox

CONSENT_COLUMNS = """consent_id, seller_id, purpose, channel, level, granted_at, expires_at, revoked_at, source,
captured_at, ip, text_sha256, signature_ref"""
UPSERT_CONSENTS = f"""
INSERT INTO consents AS c ({CONSENT_COLUMNS})
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[],
                     $8::timestamptz[], $9::text[], $10::timestamptz[], $11::text[], $12::text[], $13::text[])
ORDER BY 1
ON CONFLICT (consent_id) DO UPDATE SET
    seller_id = EXCLUDED.seller_id, purpose = EXCLUDED.purpose, channel = EXCLUDED.channel, level = EXCLUDED.level,
    granted_at = EXCLUDED.granted_at, expires_at = EXCLUDED.expires_at, source = EXCLUDED.source,
    captured_at = EXCLUDED.captured_at, ip = EXCLUDED.ip, text_sha256 = EXCLUDED.text_sha256,
    signature_ref = EXCLUDED.signature_ref,
    revoked_at = least(c.revoked_at, EXCLUDED.revoked_at)
RETURNING {CONSENT_COLUMNS}"""
ATTEMPTS = """
SELECT person_key, number_key, attempt_id, at, seller_id, topic_id, purpose, mode, outcomes,
    NULL::timestamptz AS counts_until, debt_id
FROM attempts WHERE charged AND (person_key = ANY($1) OR number_key = ANY($2)) AND at > $3
UNION ALL
SELECT person_key, number_key, attempt_id, decided_at, seller_id, topic_id, purpose, 'UNKNOWN', '{}'::text[],
    expires_at, debt_id
FROM clearances WHERE state = 'RESERVED' AND (person_key = ANY($1) OR number_key = ANY($2)) AND expires_at > $4
"""
SUPPRESSIONS = """
SELECT token, seller_id, requested_at
FROM suppressions JOIN suppression_tokens USING (suppression_id) WHERE token = ANY($1)"""
APPEND = """
WITH linked AS (
    INSERT INTO ledger_records (chain_id, seq, previous, kind, body, hash, attempt_id)
    SELECT $1, $2 + n, previous, kind, body, hash, attempt_id
    FROM unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[]) WITH ORDINALITY
        AS new (previous, kind, body, hash, attempt_id, n)
)
UPDATE ledger_chains SET seq = $2 + cardinality($3::text[]), head = $8 WHERE chain_id = $1"""
"""$2: the chain's length before. Arrays of text only: for others asyncpg asks the catalogue, once per connection."""
EXPIRED = """
SELECT * FROM clearances WHERE state = 'RESERVED' AND expires_at <= $1
ORDER BY expires_at LIMIT $2 FOR UPDATE SKIP LOCKED"""
SUPPRESSED = """
INSERT INTO suppressions (suppression_id, seller_id, source, requested_at, changed_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (suppression_id) DO UPDATE SET suppression_id = EXCLUDED.suppression_id RETURNING *"""
PAGE = """
SELECT r.*, k.head AS signed_head, k.root, k.signature
FROM ledger_records r LEFT JOIN checkpoints k ON k.chain_id = r.chain_id AND k.seq = r.seq
WHERE r.chain_id = $1 AND r.seq > $2 AND r.seq <= $3 ORDER BY r.seq"""
COUNTS = """
SELECT 'offers_' || lower(state) AS what, count(*) AS n FROM clearances GROUP BY state
UNION ALL SELECT 'open_attempts', count(*) FROM open_attempts
UNION ALL SELECT 'suppressions', count(*) FROM suppressions
UNION ALL SELECT 'ledger_records', count(*) FROM ledger_records"""

UNANSWERED = (asyncpg.PostgresError, asyncpg.InterfaceError, asyncpg.InternalClientError, OSError, TimeoutError)
"""InternalClientError is no PostgresError: asyncpg raises it on a connection in a state that it did not expect."""


def lock_key(token: str) -> int:
    """The advisory lock of a token: 64 signed bits of its SHA-256."""
    return int.from_bytes(hashlib.sha256(token.encode()).digest()[:8], "big", signed=True)


@contextmanager
def fail_closed() -> Iterator[None]:
    """Turns whatever the driver raises into Unstorable or StoreUnavailable; the text carries no parameter values."""
    try:
        yield
    except asyncpg.DataError as error:
        raise Unstorable(type(error).__name__) from None
    except UNANSWERED as error:
        raise StoreUnavailable(type(error).__name__) from error


class PostgresStore:
    """Store on an asyncpg pool; `chains` are this boot's chain ids, opened by `open_chain` before any handler runs."""

    def __init__(self, pool: asyncpg.Pool[Any], outbox: TableOutbox, chains: Mapping[Chain, str]) -> None:
        self._pool = pool
        self._outbox = outbox
        self._chains = chains
        self._lengths: dict[str, int] = {}
        """Of this boot's chains, as this process, their one writer, committed them."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[PostgresTransaction]:
        """A READ COMMITTED transaction: what is read after the locks is what others committed before them."""
        with fail_closed():
            async with self._pool.acquire() as connection:
                async with connection.transaction():
                    made = PostgresTransaction(connection, self._outbox, self._chains, self._lengths)
                    yield made
                for chain_id, length in made.appended.items():
                    self._lengths[chain_id] = max(length, self._lengths.get(chain_id, 0))

    async def open_chain(self, chain: Chain, boot: Mapping[str, Any]) -> None:
        chain_id = self._chains[chain]
        with fail_closed():
            async with self._pool.acquire() as connection, connection.transaction():
                await connection.execute("SELECT pg_advisory_xact_lock($1)", lock_key(f"chain:{chain.value}"))
                before = await connection.fetchrow(
                    "SELECT chain_id, seq, head FROM ledger_chains WHERE chain = $1 ORDER BY opened_no DESC LIMIT 1",
                    chain.value,
                )
                entry = Entry(kind=RecordKind.GENESIS, body={**boot, "predecessor": dict(before) if before else None})
                record = link(chain_id, 1, GENESIS_PREVIOUS, entry)
                await connection.execute(
                    "INSERT INTO ledger_chains (chain_id, chain, seq, head) VALUES ($1, $2, 1, $3)",
                    chain_id,
                    chain.value,
                    record.hash,
                )
                columns = ([value] for value in record_columns(record, entry))
                await connection.execute(APPEND, chain_id, 0, *columns, record.hash)

    async def records(self, chain_id: str | None = None, after_seq: int = 0) -> Sequence[Record]:
        query = """SELECT r.* FROM ledger_records r JOIN ledger_chains c USING (chain_id)
                   WHERE ($1::text IS NULL OR r.chain_id = $1) AND r.seq > $2 ORDER BY c.opened_no, r.seq"""
        return [record_of(row) for row in await self._fetch(query, chain_id, after_seq)]

    async def chain_lengths(self) -> Sequence[tuple[str, int]]:
        rows = await self._fetch("SELECT chain_id, seq FROM ledger_chains ORDER BY opened_no")
        return [(row["chain_id"], row["seq"]) for row in rows]

    async def page(self, chain_id: str, after_seq: int, up_to_seq: int) -> Sequence[Record | Checkpoint]:
        rows = await self._fetch(PAGE, chain_id, after_seq, min(up_to_seq, after_seq + PAGE_RECORDS))
        return [item for row in rows for item in page_items(row)]

    async def hashes(self, chain_id: str, after_seq: int, up_to_seq: int) -> Sequence[str]:
        query = "SELECT hash FROM ledger_records WHERE chain_id = $1 AND seq > $2 AND seq <= $3 ORDER BY seq"
        last = min(up_to_seq, after_seq + PAGE_RECORDS)
        return [row["hash"] for row in await self._fetch(query, chain_id, after_seq, last)]

    async def covering(self, chain_id: str, seq: int) -> Checkpoint | None:
        query = "SELECT * FROM checkpoints WHERE chain_id = $1 AND seq >= $2 ORDER BY seq LIMIT 1"
        rows = await self._fetch(query, chain_id, seq)
        return checkpoint_of(rows[0]) if rows else None

    async def records_of(self, attempt_id: str) -> Sequence[Record]:
        query = "SELECT * FROM ledger_records WHERE attempt_id = $1 ORDER BY chain_id, seq"
        return [record_of(row) for row in await self._fetch(query, attempt_id)]

    async def checkpoints(self, chain_ids: Sequence[str] | None = None) -> Sequence[Checkpoint]:
        query = "SELECT * FROM checkpoints WHERE $1::text[] IS NULL OR chain_id = ANY($1) ORDER BY chain_id, seq"
        return [checkpoint_of(row) for row in await self._fetch(query, chain_ids)]

    async def add_checkpoint(self, checkpoint: Checkpoint, at: datetime) -> None:
        await self._fetch(
            "INSERT INTO checkpoints (chain_id, seq, head, root, signature, at) VALUES ($1, $2, $3, $4, $5, $6)",
            checkpoint.chain_id,
            checkpoint.seq,
            checkpoint.head,
            checkpoint.root,
            checkpoint.signature,
            at,
        )

    async def counts(self) -> Mapping[str, int]:
        return {row["what"]: row["n"] for row in await self._fetch(COUNTS)}

    async def _fetch(self, query: str, *args: Any) -> Sequence[Any]:
        with fail_closed():
            return await self._pool.fetch(query, *args)


class PostgresTransaction(RestoringTransaction, FactsTransaction):
    """Transaction on one connection."""

    def __init__(
        self, connection: Any, outbox: TableOutbox, chains: Mapping[Chain, str], lengths: Mapping[str, int]
    ) -> None:
        super().__init__(connection)
        self._outbox = outbox
        self._chains = chains
        self._lengths = lengths
        self.appended: dict[str, int] = {}
        """Lengths of the chains once this transaction is committed."""

    async def lock(self, tokens: Sequence[str]) -> None:
        keys = sorted({lock_key(token) for token in tokens})
        await self._db.execute("SELECT pg_advisory_xact_lock(k) FROM unnest($1::bigint[]) AS k", keys)

    async def clearance(self, attempt_id: str, *, lock: bool = False) -> Clearance | None:
        query = "SELECT * FROM clearances WHERE attempt_id = $1" + (" FOR UPDATE" if lock else "")
        row = await self._db.fetchrow(query, attempt_id)
        return clearance_of(row) if row else None

    async def known_clearances(self, attempt_ids: Sequence[str]) -> Mapping[str, Clearance]:
        rows = await self._db.fetch("SELECT * FROM clearances WHERE attempt_id = ANY($1)", list(attempt_ids))
        return {row["attempt_id"]: clearance_of(row) for row in rows}

    async def set_state(self, attempt_id: str, state: State, closed_at: datetime) -> None:
        query = "UPDATE clearances SET state = $2, closed_at = $3 WHERE attempt_id = $1"
        await self._db.execute(query, attempt_id, state.value, closed_at)

    async def expired(self, now: datetime, limit: int) -> Sequence[Clearance]:
        return [clearance_of(row) for row in await self._db.fetch(EXPIRED, now, limit)]

    async def merge_consents(self, consents: Sequence[Consent]) -> tuple[Consent, ...]:
        if not consents:
            return ()
        columns = zip(*(consent_row(c) for c in consents), strict=True)
        return tuple(consent_of(row) for row in await self._db.fetch(UPSERT_CONSENTS, *map(list, columns)))

    async def consents(self, consent_ids: Sequence[str]) -> tuple[Consent, ...]:
        query = f"SELECT {CONSENT_COLUMNS} FROM consents WHERE consent_id = ANY($1) ORDER BY consent_id"
        return tuple(consent_of(row) for row in await self._db.fetch(query, list(consent_ids)))

    async def suppressions(self, tokens: Sequence[str]) -> Sequence[tuple[str, Suppression]]:
        rows = await self._db.fetch(SUPPRESSIONS, list(tokens))
        return [(r["token"], Suppression(seller_id=r["seller_id"], requested_at=r["requested_at"])) for r in rows]

    async def attempts(self, keys: Sequence[Keys], since: datetime, now: datetime) -> Sequence[tuple[Keys, Attempt]]:
        persons, numbers = sorted({k.person for k in keys}), sorted({k.number for k in keys})
        rows = await self._db.fetch(ATTEMPTS, persons, numbers, since, now)
        return [(Keys(person=row["person_key"], number=row["number_key"]), attempt_of(row)) for row in rows]

    async def redemptions(self, attempt_id: str) -> Sequence[Redemption]:
        rows = await self._db.fetch("SELECT * FROM redemptions WHERE attempt_id = $1 ORDER BY leg_no", attempt_id)
        return [redemption_of(row) for row in rows]

    async def add_redemption(self, attempt_id: str, redemption: Redemption) -> None:
        await self._db.execute(
            """INSERT INTO redemptions (attempt_id, leg_no, nonce_hash, granted, reasons, rule_ids, next_allowed_at,
               record_name, answered_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)""",
            attempt_id,
            redemption.leg_no,
            redemption.nonce_hash,
            redemption.granted,
            [reason.value for reason in redemption.reasons],
            list(redemption.rule_ids),
            redemption.next_allowed_at,
            redemption.record_name,
            redemption.answered_at,
        )

    async def open_attempts(self, keys: Keys) -> frozenset[str]:
        query = "SELECT attempt_id FROM open_attempts WHERE person_key = $1 OR number_key = $2"
        return frozenset(row["attempt_id"] for row in await self._db.fetch(query, keys.person, keys.number))

    async def open_attempt(self, clearance: Clearance, mode: CallMode, at: datetime) -> None:
        offer, keys = clearance.offer, clearance.keys
        await self._db.execute(
            "INSERT INTO open_attempts (attempt_id, person_key, number_key) VALUES ($1, $2, $3)",
            offer.attempt_id,
            keys.person,
            keys.number,
        )
        await self._db.execute(
            """INSERT INTO attempts (attempt_id, at, person_key, number_key, seller_id, topic_id, purpose, mode,
               debt_id, charged, outcomes, revision) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, true, '{}', 0)""",
            offer.attempt_id,
            at,
            keys.person,
            keys.number,
            offer.seller_id,
            offer.topic_id,
            offer.purpose.value,
            mode.value,
            offer.debt_id,
        )

    async def dispose(self, attempt_id: str, charged: bool, outcomes: Sequence[RuleOutcome], revision: int) -> bool:
        changed = await self._db.fetchval(
            """UPDATE attempts SET charged = $2, outcomes = $3, revision = $4
               WHERE attempt_id = $1 AND revision < $4 RETURNING attempt_id""",
            attempt_id,
            charged,
            [outcome.value for outcome in outcomes],
            revision,
        )
        if changed is not None:
            await self._db.execute("DELETE FROM open_attempts WHERE attempt_id = $1", attempt_id)
        return changed is not None

    async def attempt_fact(self, attempt_id: str) -> AttemptFact | None:
        row = await self._db.fetchrow("SELECT * FROM attempts WHERE attempt_id = $1", attempt_id)
        if row is None:
            return None
        return AttemptFact(
            mode=CallMode(row["mode"]),
            at=row["at"],
            charged=row["charged"],
            outcomes=tuple(RuleOutcome(o) for o in row["outcomes"]),
            revision=row["revision"],
        )

    async def suppress(self, suppression: SuppressionChanged) -> SuppressionChanged:
        s = suppression
        row = await self._db.fetchrow(
            SUPPRESSED, s.suppression_id, s.seller_id, s.source.value, s.requested_at, s.changed_at
        )
        tokens = [*((t, s.suppression_id, True) for t in s.person_tokens)]
        tokens += [(t, s.suppression_id, False) for t in s.callee_tokens]
        await self._db.executemany(
            """INSERT INTO suppression_tokens (token, suppression_id, is_person) VALUES ($1, $2, $3)
               ON CONFLICT DO NOTHING""",
            tokens,
        )
        stored = await self._db.fetch(
            "SELECT token, is_person FROM suppression_tokens WHERE suppression_id = $1 ORDER BY token", s.suppression_id
        )
        return SuppressionChanged(
            suppression_id=s.suppression_id,
            seller_id=row["seller_id"],
            source=SuppressionSource(row["source"]),
            requested_at=row["requested_at"],
            changed_at=row["changed_at"],
            callee_tokens=tuple(r["token"] for r in stored if not r["is_person"]),
            person_tokens=tuple(r["token"] for r in stored if r["is_person"]),
        )

    async def append(self, chain: Chain, entries: Sequence[Entry]) -> list[Record]:
        if not entries:
            return []
        chain_id = self._chains[chain]
        row = await self._db.fetchrow("SELECT seq, head FROM ledger_chains WHERE chain_id = $1 FOR UPDATE", chain_id)
        if row is None or row["seq"] < self._lengths.get(chain_id, 0):
            raise StoreTorn(chain_id)
        records = follow(chain_id, row["seq"], row["head"], entries)
        columns = zip(*map(record_columns, records, entries), strict=True)
        await self._db.execute(APPEND, chain_id, row["seq"], *map(list, columns), records[-1].hash)
        self.appended[chain_id] = records[-1].seq
        return records

    async def announce(self, events: Sequence[Emit]) -> None:
        await self._outbox.write(self._db, events)
