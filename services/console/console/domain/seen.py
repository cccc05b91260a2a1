"""What this console itself saw of the calls of late: stages by attempt, and counts by time.

Events come in any order and twice: an attempt's stage counts once, at the earliest time it was told.
"""

from __future__ import annotations

import heapq
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any

KEPT_ATTEMPTS = 5_000
BUCKET_SECONDS = 60
KEPT_BUCKETS = 15


class Stage(StrEnum):
    """A stage of an attempt in the order of a call that goes well."""

    READY = "ready"
    CLEARED = "cleared"
    BLOCKED = "blocked"
    DIAL = "dial"
    REDEEMED = "redeemed"
    REFUSED = "refused at last look"
    LAPSED = "lapsed"
    INVITED = "invited"
    ALERTING = "alerting"
    EARLY_MEDIA = "early media"
    ANSWERED = "answered"
    VERDICT = "verdict"
    ASSIGNED = "assigned"
    BRIDGED = "bridged"
    ENDED = "ended"
    WRAP_UP = "wrap-up"
    DISPOSITION = "disposition"


@dataclass(kw_only=True)
class SeenAttempt:
    """One attempt as call events told it."""

    attempt_id: str
    campaign_id: str
    lead_id: str
    stages: dict[Stage, datetime] = field(default_factory=dict)
    notes: dict[Stage, str] = field(default_factory=dict)
    """A word on a stage: the verdict, the agent, the class of the end."""

    @property
    def last(self) -> tuple[Stage, datetime]:
        """The newest stage."""
        return max(self.stages.items(), key=lambda pair: pair[1])


@dataclass(kw_only=True)
class SeenCalls:
    """All attempts that are remembered, oldest first."""

    attempts: OrderedDict[str, SeenAttempt] = field(default_factory=OrderedDict)

    def saw(self, attempt: SeenAttempt, stage: Stage, at: datetime, note: str = "") -> bool:
        """Notes a stage; True when it is news."""
        known = self.attempts.setdefault(attempt.attempt_id, attempt)
        if note:
            known.notes[stage] = note
        earlier = known.stages.get(stage)
        known.stages[stage] = at if earlier is None else min(earlier, at)
        while len(self.attempts) > KEPT_ATTEMPTS:
            self.attempts.popitem(last=False)
        return earlier is None

    def newest(self, limit: int, campaign_id: str | None = None) -> list[SeenAttempt]:
        """The attempts of which something was heard last, newest first."""
        found = [a for a in self.attempts.values() if campaign_id in (None, a.campaign_id)]
        return heapq.nlargest(limit, found, key=lambda attempt: attempt.last[1])


@dataclass(kw_only=True)
class Activity:
    """Calls, human answers and connects of a campaign, per minute."""

    buckets: dict[int, Counter[str]] = field(default_factory=dict)

    def count(self, what: str, at: datetime) -> None:
        """One more."""
        number = _bucket(at)
        self.buckets.setdefault(number, Counter())[what] += 1
        for old in [n for n in self.buckets if n <= number - KEPT_BUCKETS]:
            del self.buckets[old]

    def series(self, now: datetime) -> list[dict[str, Any]]:
        """The last 15 minutes, oldest first: {at, calls, answers, connects}, with zeros where nothing happened."""
        last = _bucket(now)
        empty: Counter[str] = Counter()
        return [
            {
                "at": datetime.fromtimestamp(number * BUCKET_SECONDS, UTC).isoformat(),
                **{what: self.buckets.get(number, empty)[what] for what in ("calls", "answers", "connects")},
            }
            for number in range(last - KEPT_BUCKETS + 1, last + 1)
        ]


def _bucket(at: datetime) -> int:
    return int(at.timestamp()) // BUCKET_SECONDS
