"""What a campaign's charged attempts came to since a moment: numerators and denominators for the day's rates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any


def totals_since(rows: Iterable[Mapping[str, Any]], since: datetime) -> dict[str, int]:
    """{attempts, human_answers, connects, abandoned} of the charged attempts redeemed (else ended) from `since` on.

    Drop rate = abandoned / human_answers and connect rate = connects / attempts (formats.md, Words).
    """
    counts = {"attempts": 0, "human_answers": 0, "connects": 0, "abandoned": 0}
    for row in rows:
        at = row["redeemed_at"] or row["ended_at"]
        if row["charged"] and at is not None and at >= since:
            counts["attempts"] += 1
            counts["human_answers"] += bool(row["human_answer"])
            counts["connects"] += bool(row["connected"])
            counts["abandoned"] += bool(row["abandoned"])
    return counts
