"""The drop-rate ledger in memory; meanings stand in compliance_gate.budget_ports."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime

from compliance_gate.budget_ports import RARE_KINDS
from compliance_gate.domain.drop_budget import DropBook
from compliance_gate.domain.drop_counts import DropFact, Slot, Tally
from compliance_gate.domain.drop_limits import LegalCampaign
from compliance_gate.domain.drop_report import Request, Signed
from compliance_gate.domain.ledger import Checkpoint, Record
from outdial_contracts.events import AbandonBudget, SuppressionChanged


class BudgetMemory:
    """The part of compliance_gate.ports.Transaction that the drop-rate ledger needs: it adds up anew each time."""

    suppressed: dict[str, SuppressionChanged]
    signed_at: dict[Checkpoint, datetime]
    chain_records: dict[str, list[Record]]

    def __init__(self) -> None:
        super().__init__()
        self.drops: dict[str, DropFact] = {}
        self.budgets: dict[str, AbandonBudget] = {}

    async def count_drop(self, fact: DropFact) -> bool:
        known = self.drops.get(fact.attempt_id)
        if known is not None and known.revision >= fact.revision:
            return False
        self.drops[fact.attempt_id] = fact
        return True

    async def drop_books(self, campaigns: Sequence[LegalCampaign], since: date) -> Mapping[LegalCampaign, DropBook]:
        return {campaign: self._book(campaign, since) for campaign in campaigns}

    def _book(self, campaign: LegalCampaign, since: date) -> DropBook:
        book = DropBook(said=self.budgets.get(campaign.key))
        firsts: dict[str, date] = {}
        teams: dict[str, Tally] = {}
        facts = [fact for fact in self.drops.values() if fact.slot.campaign == campaign]
        for fact in facts:
            slot = fact.slot
            firsts[slot.jurisdiction] = min(slot.day, firsts.get(slot.jurisdiction, slot.day))
            teams[slot.team_id] = teams.get(slot.team_id, Tally()) + fact.tally
        days = _by_slot(fact for fact in facts if fact.slot.day >= since)
        return replace(book, firsts=firsts, days=days, teams=teams)

    async def publishing(self) -> bool:
        return True

    async def keep_budget(self, budget: AbandonBudget) -> None:
        self.budgets[budget.legal_campaign] = budget

    async def drop_days(self, seller_id: str, since: date, until: date) -> Mapping[Slot, Tally]:
        return _by_slot(
            fact
            for fact in self.drops.values()
            if fact.slot.campaign.seller_id == seller_id and since <= fact.slot.day < until
        )

    async def first_days(self, seller_id: str) -> Mapping[tuple[LegalCampaign, str], date]:
        firsts: dict[tuple[LegalCampaign, str], date] = {}
        for slot in (fact.slot for fact in self.drops.values() if fact.slot.campaign.seller_id == seller_id):
            key = slot.campaign, slot.jurisdiction
            firsts[key] = min(slot.day, firsts.get(key, slot.day))
        return firsts

    async def requests(self, seller_id: str, since: datetime, until: datetime) -> Sequence[Request]:
        found = [
            s for s in self.suppressed.values() if s.seller_id in (seller_id, "*") and since <= s.changed_at < until
        ]
        return [
            Request(source=s.source.value, requested_at=s.requested_at, in_force_at=s.changed_at)
            for s in sorted(found, key=lambda s: (s.changed_at, s.suppression_id))
        ]

    async def rare_records(self) -> Sequence[Record]:
        return [r for records in self.chain_records.values() for r in records if r.kind.value in RARE_KINDS]

    async def checkpointed(self, since: datetime, until: datetime) -> Sequence[Signed]:
        chains: dict[str, list[tuple[Checkpoint, datetime]]] = {}
        for checkpoint, at in self.signed_at.items():
            if since <= at < until:
                chains.setdefault(checkpoint.chain_id, []).append((checkpoint, at))
        return [_signed(chain_id, of) for chain_id, of in sorted(chains.items())]


def _signed(chain_id: str, of: Sequence[tuple[Checkpoint, datetime]]) -> Signed:
    last, last_at = max(of, key=lambda pair: pair[0].seq)
    return Signed(
        chain_id=chain_id,
        checkpoints=len(of),
        last_seq=last.seq,
        last_head=last.head,
        first_at=min(at for _, at in of),
        last_at=last_at,
    )


def _by_slot(facts: Iterable[DropFact]) -> dict[Slot, Tally]:
    summed: dict[Slot, Tally] = {}
    for fact in facts:
        summed[fact.slot] = summed.get(fact.slot, Tally()) + fact.tally
    return summed
