"""What the handlers need."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from analytics.domain.facts import AttemptFact
from analytics.domain.windows import Contribution, WindowState
from outdial_runtime.reading_back import Guard, Source


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
class Share:
    """Which slices are meant: those of one partition's owner, so that one replica issues a window at a time."""

    index: int
    of: int


class Windows(Protocol):
    """The latest word on each attempt and the windows that are their sums, kept as one."""

    async def put(self, contribution: Contribution, now: datetime) -> bool:
        """Keeps it and changes its windows in one transaction; False when it is no later word than the known one."""

    async def unissued(self, share: Share, limit: int) -> list[WindowState]:
        """Windows that changed since they were issued, the longest waiting first."""

    async def mark_issued(self, states: Sequence[WindowState]) -> None:
        """Kafka has these revisions; a greater one stays unissued."""

    async def waiting_since(self) -> datetime | None:
        """The oldest change that is not issued."""

    async def of_campaign(self, campaign_id: str, seconds: int, since: datetime, limit: int) -> list[WindowState]:
        """The newest `limit` windows of one size that start at or after `since`, in order of start and hour."""

    async def forget(self, before: datetime) -> None:
        """Deletes attempts that began and windows that started before."""


@dataclass(frozen=True, kw_only=True)
class Deps:
    """Given to every handler."""

    facts: Facts
    windows: Windows
    issuing: dict[int, Sequence[WindowState]] = field(default_factory=dict)
    """Partition -> what its last tick published: acknowledged once the next tick comes."""
    source: Source | None = None
    """None where nothing is read back, as in tests of a single handler."""
    guard: Guard = field(default_factory=Guard)
