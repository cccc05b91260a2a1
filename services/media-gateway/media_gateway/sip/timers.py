"""The timer constants of RFC 3261 table 4 and a queue of deadlines, both in seconds of a monotonic clock."""

import heapq
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Generic, TypeVar

KeyT = TypeVar("KeyT", bound=Hashable)


@dataclass(frozen=True, kw_only=True)
class Timing:
    """T1 (round trip), T2 (longest retransmission interval), T4 (a message's life in the network), timer D."""

    t1_seconds: float = 0.5
    t2_seconds: float = 4.0
    t4_seconds: float = 5.0
    timer_d_seconds: float = 32.0

    @property
    def timeout_seconds(self) -> float:
        """64 × T1: timers B, F, H, J, L and M."""
        return 64 * self.t1_seconds


class TimerQueue(Generic[KeyT]):
    """One deadline per key; a heap with lazy deletion, as nearly every SIP timer is cancelled before it is due."""

    def __init__(self) -> None:
        self._deadlines: dict[KeyT, float] = {}
        self._heap: list[tuple[float, int, KeyT]] = []
        self._sequence = 0

    def schedule(self, key: KeyT, deadline: float | None) -> None:
        """Move a key's deadline, or forget it with None."""
        if deadline is None:
            self._deadlines.pop(key, None)
        elif self._deadlines.get(key) != deadline:
            self._deadlines[key] = deadline
            self._sequence += 1
            heapq.heappush(self._heap, (deadline, self._sequence, key))

    def next_deadline(self) -> float | None:
        """The earliest deadline, None when nothing waits."""
        while self._heap and self._deadlines.get(self._heap[0][2]) != self._heap[0][0]:
            heapq.heappop(self._heap)
        return self._heap[0][0] if self._heap else None

    def pop_due(self, now: float) -> KeyT | None:
        """Take out one key whose deadline is not after now."""
        deadline = self.next_deadline()
        if deadline is None or deadline > now:
            return None
        key = heapq.heappop(self._heap)[2]
        del self._deadlines[key]
        return key
