"""What the handlers need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from analytics.domain.facts import AttemptFact


class Facts(Protocol):
    """The fact tables."""

    async def put(self, fact: AttemptFact) -> bool:
        """Keeps the row unless a newer revision is there; False when it is."""

    async def put_offer_end(
        self, attempt_id: str, campaign_id: str, outcome: str, reasons: Sequence[str], at: datetime
    ) -> None:
        """Keeps how an offer ended that is no attempt."""

    async def of_campaign(self, campaign_id: str) -> list[Mapping[str, Any]]:
        """All rows of a campaign."""

    async def offer_ends(self, campaign_id: str) -> dict[str, int]:
        """Outcome -> number of offers."""


@dataclass(frozen=True, kw_only=True)
class Deps:
    """Given to every handler."""

    facts: Facts
