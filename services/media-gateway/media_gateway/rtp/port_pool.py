"""Which UDP port the next media leg gets: even ports of one range, the longest unused first, none before it drained.

A peer keeps sending for a while after a call; a port reused at once would play the old call into the new one.
"""

from __future__ import annotations

from collections import deque


class NoMediaPort(RuntimeError):
    """Every port of the range is in use or still draining."""


class PortPool:
    """Hands out even ports of `first`..`last` (RFC 3550, section 11); `now` is monotonic seconds."""

    def __init__(self, *, first: int, last: int, drain_seconds: float = 10.0) -> None:
        ports = range(first + first % 2, last + 1, 2)
        if not ports:
            raise ValueError(f"no even port in {first}..{last}")
        self._free: deque[tuple[int, float]] = deque((port, float("-inf")) for port in ports)
        self._drain_seconds = drain_seconds
        self.capacity = len(ports)

    @property
    def in_use(self) -> int:
        """Ports taken and not given back; draining ones are not among them."""
        return self.capacity - len(self._free)

    def take(self, now: float) -> int:
        """Returns a port that has drained. Raises NoMediaPort."""
        if not self._free or self._free[0][1] > now:
            raise NoMediaPort(f"{self.in_use} of {self.capacity} ports in use, {len(self._free)} draining")
        return self._free.popleft()[0]

    def give_back(self, port: int, now: float) -> None:
        """Returns a port; it may be taken again after the drain time."""
        self._free.append((port, now + self._drain_seconds))
