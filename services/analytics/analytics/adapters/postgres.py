"""The fact tables in PostgreSQL."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import asyncpg

from analytics.domain.facts import AttemptFact

_COLUMNS = tuple(AttemptFact.__dataclass_fields__)
_PUT = f"""
INSERT INTO attempt_facts ({", ".join(_COLUMNS)}) VALUES ({", ".join(f"${n + 1}" for n in range(len(_COLUMNS)))})
ON CONFLICT (attempt_id) DO UPDATE SET {", ".join(f"{c} = excluded.{c}" for c in _COLUMNS[1:])}
WHERE attempt_facts.revision < excluded.revision
RETURNING attempt_id
"""
_PUT_OFFER = """
INSERT INTO offer_ends (attempt_id, campaign_id, outcome, reasons, ended_at) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (attempt_id) DO NOTHING
"""
_OF_CAMPAIGN = "SELECT * FROM attempt_facts WHERE campaign_id = $1 ORDER BY redeemed_at NULLS LAST, attempt_id"
_OFFER_ENDS = "SELECT outcome, count(*) AS n FROM offer_ends WHERE campaign_id = $1 GROUP BY outcome"


class PostgresFacts:
    """Implements ports.Facts."""

    def __init__(self, pool: asyncpg.Pool) -> None:
        self._pool = pool

    async def put(self, fact: AttemptFact) -> bool:
        """Inserts or replaces by a newer revision."""
        return await self._pool.fetchval(_PUT, *(getattr(fact, c) for c in _COLUMNS)) is not None

    async def put_offer_end(
        self, attempt_id: str, campaign_id: str, outcome: str, reasons: Sequence[str], at: datetime
    ) -> None:
        """The first word counts: a repeat changes nothing."""
        await self._pool.execute(_PUT_OFFER, attempt_id, campaign_id, outcome, list(reasons), at)

    async def of_campaign(self, campaign_id: str) -> list[Mapping[str, Any]]:
        """Rows in order of redemption."""
        return [dict(row) for row in await self._pool.fetch(_OF_CAMPAIGN, campaign_id)]

    async def offer_ends(self, campaign_id: str) -> dict[str, int]:
        """Counts."""
        return {row["outcome"]: row["n"] for row in await self._pool.fetch(_OFFER_ENDS, campaign_id)}
