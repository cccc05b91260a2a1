"""The drop-rate ledger on PostgreSQL; meanings stand in compliance_gate.budget_ports."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, replace
from datetime import date, datetime
from typing import Any

from compliance_gate.adapters.rows import record_of
from compliance_gate.budget_ports import RARE_KINDS
from compliance_gate.domain.drop_budget import DropBook
from compliance_gate.domain.drop_counts import COUNTED, DropFact, Slot, Tally
from compliance_gate.domain.drop_limits import LegalCampaign
from compliance_gate.domain.drop_report import Request, Signed
from compliance_gate.domain.ledger import Record
from outdial_contracts import codec
from outdial_contracts.events import AbandonBudget

PUBLISHING_LOCK = 0x61626E64
"""Of all publishing transactions; tokens' locks are 64 bits of a hash, so that it is as good as alone."""
COLUMNS = ", ".join(COUNTED)
SLOT = "seller_id, topic_id, jurisdiction, day, team_id"
PLACES = ", ".join(f"${n}" for n in range(1, 8 + len(COUNTED)))
KEEP = f"""
INSERT INTO drop_attempts (attempt_id, revision, {SLOT}, {COLUMNS}) VALUES ({PLACES})
ON CONFLICT (attempt_id) DO UPDATE SET revision = EXCLUDED.revision,
    {", ".join(f"{name} = EXCLUDED.{name}" for name in (*SLOT.split(", "), *COUNTED))}"""
ADD = f"""
INSERT INTO drop_days AS d ({SLOT}, {COLUMNS}) VALUES ({", ".join(f"${n}" for n in range(1, 6 + len(COUNTED)))})
ON CONFLICT (seller_id, topic_id, day, jurisdiction, team_id) DO UPDATE SET
    {", ".join(f"{name} = d.{name} + EXCLUDED.{name}" for name in COUNTED)}"""
ADD_EVER = """
INSERT INTO drop_teams AS t (seller_id, topic_id, jurisdiction, team_id, first_day, humans, seen_abandoned)
VALUES ($1, $2, $3, $4, $5, $6, $7)
ON CONFLICT (seller_id, topic_id, jurisdiction, team_id) DO UPDATE SET
    first_day = least(t.first_day, EXCLUDED.first_day), humans = t.humans + EXCLUDED.humans,
    seen_abandoned = t.seen_abandoned + EXCLUDED.seen_abandoned"""
OF_THESE = "JOIN unnest($1::text[], $2::text[]) AS c (seller_id, topic_id) USING (seller_id, topic_id)"
KEEP_BUDGET = """
INSERT INTO drop_budgets (seller_id, topic_id, budget) VALUES ($1, $2, $3)
ON CONFLICT (seller_id, topic_id) DO UPDATE SET budget = EXCLUDED.budget"""
REQUESTS = """
SELECT source, requested_at, changed_at FROM suppressions
WHERE (seller_id = $1 OR seller_id = '*') AND changed_at >= $2 AND changed_at < $3
ORDER BY changed_at, suppression_id"""
RARE = f"""
SELECT r.* FROM ledger_records r JOIN ledger_chains c USING (chain_id)
WHERE r.kind IN ({", ".join(f"'{kind}'" for kind in RARE_KINDS)}) ORDER BY c.opened_no, r.seq"""
SIGNED = """
SELECT DISTINCT ON (chain_id) chain_id, seq, head, at, count(*) OVER w AS n, min(at) OVER w AS first_at
FROM checkpoints WHERE at >= $1 AND at < $2 WINDOW w AS (PARTITION BY chain_id) ORDER BY chain_id, seq DESC"""


class BudgetTransaction:
    """The part of compliance_gate.ports.Transaction that the drop-rate ledger needs."""

    _db: Any

    async def count_drop(self, fact: DropFact) -> bool:
        row = await self._db.fetchrow("SELECT * FROM drop_attempts WHERE attempt_id = $1", fact.attempt_id)
        if row is not None and row["revision"] >= fact.revision:
            return False
        await self._db.execute(KEEP, fact.attempt_id, fact.revision, *_slot_row(fact.slot), *astuple(fact.tally))
        change = {fact.slot: fact.tally}
        if row is not None:
            change[_slot(row)] = change.get(_slot(row), Tally()) + -_tally(row)
        for slot, tally in change.items():
            await self._db.execute(ADD, *_slot_row(slot), *astuple(tally))
            named = (slot.campaign.seller_id, slot.campaign.topic_id, slot.jurisdiction, slot.team_id, slot.day)
            await self._db.execute(ADD_EVER, *named, tally.humans, tally.seen_abandoned)
        return True

    async def drop_books(self, campaigns: Sequence[LegalCampaign], since: date) -> Mapping[LegalCampaign, DropBook]:
        named = [c.seller_id for c in campaigns], [c.topic_id for c in campaigns]
        days = await self._db.fetch(f"SELECT d.* FROM drop_days d {OF_THESE} WHERE d.day >= $3", *named, since)
        teams = await self._db.fetch(f"SELECT t.* FROM drop_teams t {OF_THESE}", *named)
        said = await self._db.fetch(f"SELECT b.* FROM drop_budgets b {OF_THESE}", *named)
        books = {campaign: DropBook() for campaign in campaigns}
        for row in days:
            slot = _slot(row)
            books[slot.campaign] = _with_day(books[slot.campaign], slot, _tally(row))
        for row in teams:
            books[_campaign(row)] = _with_team(books[_campaign(row)], row)
        for row in said:
            event = codec.decode(row["budget"], AbandonBudget.TOPIC)
            if isinstance(event, AbandonBudget):
                books[_campaign(row)] = replace(books[_campaign(row)], said=event)
        return books

    async def publishing(self) -> bool:
        return bool(await self._db.fetchval("SELECT pg_try_advisory_xact_lock($1)", PUBLISHING_LOCK))

    async def keep_budget(self, budget: AbandonBudget) -> None:
        await self._db.execute(KEEP_BUDGET, budget.seller_id, budget.topic_id, codec.encode(budget))

    async def drop_days(self, seller_id: str, since: date, until: date) -> Mapping[Slot, Tally]:
        query = "SELECT * FROM drop_days WHERE seller_id = $1 AND day >= $2 AND day < $3"
        return {_slot(row): _tally(row) for row in await self._db.fetch(query, seller_id, since, until)}

    async def first_days(self, seller_id: str) -> Mapping[tuple[LegalCampaign, str], date]:
        query = """SELECT seller_id, topic_id, jurisdiction, min(first_day) AS first_day FROM drop_teams
                   WHERE seller_id = $1 GROUP BY seller_id, topic_id, jurisdiction"""
        rows = await self._db.fetch(query, seller_id)
        return {(_campaign(row), row["jurisdiction"]): row["first_day"] for row in rows}

    async def requests(self, seller_id: str, since: datetime, until: datetime) -> Sequence[Request]:
        rows = await self._db.fetch(REQUESTS, seller_id, since, until)
        return [Request(source=r["source"], requested_at=r["requested_at"], in_force_at=r["changed_at"]) for r in rows]

    async def rare_records(self) -> Sequence[Record]:
        return [record_of(row) for row in await self._db.fetch(RARE)]

    async def checkpointed(self, since: datetime, until: datetime) -> Sequence[Signed]:
        return [
            Signed(
                chain_id=row["chain_id"],
                checkpoints=row["n"],
                last_seq=row["seq"],
                last_head=row["head"],
                first_at=row["first_at"],
                last_at=row["at"],
            )
            for row in await self._db.fetch(SIGNED, since, until)
        ]


def _with_day(book: DropBook, slot: Slot, tally: Tally) -> DropBook:
    return replace(book, days={**book.days, slot: tally})


def _with_team(book: DropBook, row: Any) -> DropBook:
    team, country = row["team_id"], row["jurisdiction"]
    known = book.teams.get(team, Tally())
    tally = known + Tally(humans=row["humans"], seen_abandoned=row["seen_abandoned"])
    first = min(row["first_day"], book.firsts.get(country, row["first_day"]))
    return replace(book, teams={**book.teams, team: tally}, firsts={**book.firsts, country: first})


def _campaign(row: Any) -> LegalCampaign:
    return LegalCampaign(seller_id=row["seller_id"], topic_id=row["topic_id"])


def _slot(row: Any) -> Slot:
    return Slot(campaign=_campaign(row), jurisdiction=row["jurisdiction"], day=row["day"], team_id=row["team_id"])


def _slot_row(slot: Slot) -> tuple[Any, ...]:
    return slot.campaign.seller_id, slot.campaign.topic_id, slot.jurisdiction, slot.day, slot.team_id


def _tally(row: Any) -> Tally:
    return Tally(**{name: row[name] for name in COUNTED})
