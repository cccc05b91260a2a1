"""What the drop-rate ledger and the month's report need of a transaction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Protocol

from compliance_gate.domain.drop_budget import DropBook
from compliance_gate.domain.drop_counts import DropFact, Slot, Tally
from compliance_gate.domain.drop_limits import LegalCampaign
from compliance_gate.domain.drop_report import Request, Signed
from compliance_gate.domain.ledger import Record
from outdial_contracts.events import AbandonBudget

RARE_KINDS = (
    *("GENESIS", "PACK", "LIST", "STATE", "STOP", "KEY"),
    *("SUSPENSION", "DROP_LIMIT", "RESTORE_LOCK", "RESTORE_UNLOCK"),
)
"""Kinds of ledger records of which there are few; the month's report reads them all."""


class DropLedger(Protocol):
    """Counting, publishing and reporting drops."""

    async def count_drop(self, fact: DropFact) -> bool:
        """Counts an attempt in place of what was counted of it before; False when this or a later revision is there."""

    async def drop_books(self, campaigns: Sequence[LegalCampaign], since: date) -> Mapping[LegalCampaign, DropBook]:
        """What is counted of each, the days from `since` on."""

    async def publishing(self) -> bool:
        """Whether this transaction may publish budgets; False while another replica's does."""

    async def keep_budget(self, budget: AbandonBudget) -> None:
        """As it is announced with this transaction."""

    async def drop_days(self, seller_id: str, since: date, until: date) -> Mapping[Slot, Tally]:
        """All days of a seller from `since` to the day before `until`."""

    async def first_days(self, seller_id: str) -> Mapping[tuple[LegalCampaign, str], date]:
        """By legal campaign and jurisdiction, the day of its first call."""

    async def requests(self, seller_id: str, since: datetime, until: datetime) -> Sequence[Request]:
        """Do-not-call requests for a seller (or for every one) that came into force in that time."""

    async def rare_records(self) -> Sequence[Record]:
        """Ledger records of RARE_KINDS, chain by chain in the order they were opened."""

    async def checkpointed(self, since: datetime, until: datetime) -> Sequence[Signed]:
        """Checkpoints of that time, by chain."""
