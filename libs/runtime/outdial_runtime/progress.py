"""Whether a consumer still moves. A client that is stuck says nothing: its polls just bring no messages, for ever.

Theory of operation. While messages come, nothing is asked. When none came for a while, the adapter tells what lies
there unread, and as of where: marks such as "call.ended[1]@17". A mark that stands unchanged for STUCK_SECONDS, with
not a message in between, is no slow broker: the client has lost its way, and only a new process finds it again. Pure:
monotonic seconds come in as arguments.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from outdial_runtime.broker import BrokerError, Offsets

ASK_SECONDS = 5.0
"""Quiet for so long: ask, and ask again."""
STUCK_SECONDS = 30.0
"""Longer than a rebalance, a transaction of another producer and its end by time-out, or a pause of the broker."""


class Stuck(BrokerError):
    """Records lie unread and none of them comes, though the broker answers."""


class Progress:
    """What one consumer has not moved past, and since when."""

    def __init__(self, now: float, stuck_seconds: float = STUCK_SECONDS, ask_seconds: float = ASK_SECONDS) -> None:
        self._stuck_seconds = stuck_seconds
        self._ask_seconds = ask_seconds
        self._heard_at = now
        self._since: dict[str, float] = {}

    def moved(self, now: float) -> None:
        """A message came, or partitions came or went."""
        self._heard_at = now
        self._since.clear()

    def must_ask(self, now: float) -> bool:
        """Whether it is quiet for so long that `seen` should be told."""
        return now - self._heard_at >= self._ask_seconds

    def seen(self, marks: Collection[str], now: float) -> None:
        """What lies there unread; nothing when all is read, or when the broker does not answer.

        Raises:
            Stuck: one of them stands for too long.
        """
        self._heard_at = now
        self._since = {mark: self._since.get(mark, now) for mark in marks}
        old = sorted(mark for mark, since in self._since.items() if now - since >= self._stuck_seconds)
        if old:
            raise Stuck(f"consumer: no message for {self._stuck_seconds:g} s while {len(old)} wait, first {old[0]}")

    def doubt(self, now: float) -> str | None:
        """Why it may be stuck: a mark outlived one question more. None while it moves or has nothing to read."""
        since = min(self._since.values(), default=now)
        return "records lie unread and none comes" if now - since >= self._ask_seconds else None


def unread(statistics: Mapping[str, Any], topics: Mapping[str, str], ends: Offsets, grouped: bool) -> set[str]:
    """Marks of what librdkafka has not fetched, from its statistics (STATISTICS.md) and the ends the broker tells.

    Args:
        statistics: the last report.
        topics: our names of topics to the cluster's.
        ends: of the partitions that should be read: where their committed records end.
        grouped: whether a group assigns them.
    """
    marks = set()
    for source, end in ends.items():
        partitions = statistics.get("topics", {}).get(topics[source.topic], {}).get("partitions", {})
        fetched = int(partitions.get(str(source.partition), {}).get("next_offset", -1))
        # Negative: not even where to begin is known, as while the offsets of a group can't be fetched.
        if fetched < end and end > 0:
            marks.add(f"{source.topic}[{source.partition}]@{fetched}")
    state = statistics.get("cgrp", {}).get("join_state", "steady")
    if grouped and state != "steady":
        marks.add(f"group {state}")
    return marks
