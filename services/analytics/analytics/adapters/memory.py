"""The tables in memory, for tests and the deterministic world; tests/test_store.py holds it to what PostgreSQL does."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any
from zlib import crc32

from analytics.domain.facts import AttemptFact
from analytics.domain.windows import Contribution, Counts, Window, WindowState, changes, next_revision
from analytics.ports import Share


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


class MemoryWindows:
    """Implements ports.Windows."""

    def __init__(self) -> None:
        self.attempts: dict[str, Contribution] = {}
        self.states: dict[Window, WindowState] = {}
        self._changed_at: dict[Window, datetime] = {}
        """Of those that are not issued."""

    async def put(self, contribution: Contribution, now: datetime) -> bool:
        """All or nothing: nobody else runs in between."""
        known = self.attempts.get(contribution.attempt_id)
        if not contribution.replaces(known):
            return False
        self.attempts[contribution.attempt_id] = contribution
        for window, counts in changes(known, contribution).items():
            state = self.states.get(window, WindowState(window=window, revision=0, counts=Counts()))
            revision = next_revision(state.revision, now)
            self.states[window] = replace(state, revision=revision, counts=state.counts.plus(counts))
            self._changed_at.setdefault(window, now)
        return True

    async def unissued(self, share: Share, limit: int) -> list[WindowState]:
        """By the time of their first change that is not issued."""
        mine = [w for w in self._changed_at if crc32(w.slice.encode()) % share.of == share.index]
        mine.sort(key=lambda window: (self._changed_at[window], window.window_id))
        return [self.states[window] for window in mine[:limit]]

    async def mark_issued(self, states: Sequence[WindowState]) -> None:
        """What changed meanwhile stays."""
        for state in states:
            if (known := self.states.get(state.window)) is not None and known.revision <= state.revision:
                self._changed_at.pop(state.window, None)

    async def waiting_since(self) -> datetime | None:
        """The oldest change that is not issued."""
        return min(self._changed_at.values(), default=None)

    async def of_campaign(self, campaign_id: str, seconds: int, since: datetime, limit: int) -> list[WindowState]:
        """Oldest first."""
        found = [
            state
            for window, state in self.states.items()
            if (window.campaign_id, window.seconds) == (campaign_id, seconds) and window.start >= since
        ]
        found.sort(key=lambda s: (s.window.start, s.window.local_hour is None, s.window.local_hour))
        return found[-limit:]

    async def forget(self, before: datetime) -> None:
        """Attempts and windows."""
        self.attempts = {key: one for key, one in self.attempts.items() if one.began_at >= before}
        self.states = {window: state for window, state in self.states.items() if window.start >= before}
        self._changed_at = {window: at for window, at in self._changed_at.items() if window in self.states}
