"""The tables in memory, for tests and the deterministic world; tests/test_store.py holds it to what PostgreSQL does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from analytics.domain.facts import AttemptFact


class MemoryFacts:
    """Implements ports.Facts."""

    def __init__(self) -> None:
        self.facts: dict[str, AttemptFact] = {}
        self.ends: dict[str, tuple[str, str, tuple[str, ...]]] = {}
        """attempt_id -> campaign, outcome, reasons."""

    async def put(self, fact: AttemptFact) -> bool:
        """Inserts or replaces by a newer revision."""
        known = self.facts.get(fact.attempt_id)
        if known is not None and known.revision >= fact.revision:
            return False
        self.facts[fact.attempt_id] = fact
        return True

    async def put_offer_end(
        self, attempt_id: str, campaign_id: str, outcome: str, reasons: Sequence[str], at: datetime
    ) -> None:
        """The first word counts: a repeat changes nothing."""
        self.ends.setdefault(attempt_id, (campaign_id, outcome, tuple(reasons)))

    async def of_campaign(self, campaign_id: str) -> list[Mapping[str, Any]]:
        """Rows in order of redemption, those without one last."""
        facts = [fact for fact in self.facts.values() if fact.campaign_id == campaign_id]
        facts.sort(key=lambda f: (f.redeemed_at is None, f.redeemed_at and f.redeemed_at.timestamp(), f.attempt_id))
        return [asdict(fact) for fact in facts]

    async def offer_ends(self, campaign_id: str) -> dict[str, int]:
        """Counts."""
        return dict(Counter(outcome for campaign, outcome, _ in self.ends.values() if campaign == campaign_id))
