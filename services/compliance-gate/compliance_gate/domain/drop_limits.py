"""What the law or the house lets a legal campaign drop, and the window it is measured over (RULES.md section 7)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta

ANY = "*"
"""Every country without a row."""


@dataclass(frozen=True, kw_only=True)
class LegalCampaign:
    """Seller and offer: splitting it by warmth or experiment does not split the denominator."""

    seller_id: str
    topic_id: str

    @property
    def key(self) -> str:
        """seller_id/topic_id."""
        return f"{self.seller_id}/{self.topic_id}"


@dataclass(frozen=True, kw_only=True)
class Window:
    """A legal window in whole days of UTC."""

    first: date
    after: date
    """The first day that is not in it."""

    @property
    def starts_at(self) -> datetime:
        """First instant."""
        return datetime.combine(self.first, time(), UTC)

    @property
    def ends_at(self) -> datetime:
        """First instant after it."""
        return datetime.combine(self.after, time(), UTC)

    def holds(self, day: date) -> bool:
        """Whether the day is in it."""
        return self.first <= day < self.after


@dataclass(frozen=True, kw_only=True)
class DropLimit:
    """One jurisdiction's row."""

    jurisdiction: str
    limit: float
    """Share of the people who answered, 0..1."""
    days: int | None
    """Length of the successive periods; None: calendar months."""
    citation: str = ""

    def window(self, first: date, day: date) -> Window:
        """The window that `day` is in, of a legal campaign whose first call was on `first`."""
        if self.days is None:
            month = day.replace(day=1)
            return Window(first=month, after=(month + timedelta(days=31)).replace(day=1))
        start = first + timedelta(days=(day - first).days // self.days * self.days)
        return Window(first=start, after=start + timedelta(days=self.days))


HOUSE = DropLimit(jurisdiction=ANY, limit=0.03, days=1, citation="the house holds 3 % over 24 hours")


@dataclass(frozen=True, kw_only=True)
class DropLimits:
    """All rows; a country without one has the row of ANY."""

    version: str = "house"
    rows: Mapping[str, DropLimit] = field(default_factory=lambda: {ANY: HOUSE})

    def of(self, jurisdiction: str) -> DropLimit:
        """The row that holds there."""
        return self.rows.get(jurisdiction) or self.rows[ANY]

    @property
    def lowest(self) -> float:
        """The lowest limit of all: in force while nobody knows whom a campaign calls."""
        return min(row.limit for row in self.rows.values())

    @property
    def longest_days(self) -> int:
        """No window is longer."""
        return max(31, *(row.days or 31 for row in self.rows.values()))
