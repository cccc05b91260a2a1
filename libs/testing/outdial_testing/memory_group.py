"""A consumer group in memory: range assignment, and no partition in two hands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from outdial_runtime.broker import CommitRejected, Offsets, Rebalance, TopicPartition


class MemoryGroup:
    """Members take over a partition only after the one before them let go (in its poll) or left."""

    def __init__(self, partitions: Mapping[str, int]) -> None:
        self._partitions = partitions
        self._members: dict[int, Sequence[str]] = {}
        self._owners: dict[TopicPartition, int] = {}
        self._target: dict[TopicPartition, int] = {}
        self._told: set[int] = set()
        self._set_back: set[int] = set()
        self.committed: dict[TopicPartition, int] = {}
        self.generation = 0
        """Grows whenever a member may have something to learn at its poll."""

    def join(self, member: int, topics: Sequence[str]) -> None:
        """A member subscribes."""
        self._members[member] = topics
        self._assign()

    def leave(self, member: int) -> None:
        """A member closed or died."""
        self._members.pop(member, None)
        self._owners = {source: owner for source, owner in self._owners.items() if owner != member}
        self._assign()

    def sync(self, member: int) -> list[Rebalance]:
        """What changes for a member at its poll."""
        target = {source for source, wanted in self._target.items() if wanted == member}
        held = {source for source, owner in self._owners.items() if owner == member}
        changes = []
        if gone := held if member in self._set_back else held - target:
            changes.append(Rebalance(False, frozenset(gone)))
        for source in gone:
            del self._owners[source]
        self.generation += bool(gone)
        self._set_back.discard(member)
        gained = {source for source in target if source not in self._owners}
        self._owners.update(dict.fromkeys(gained, member))
        if gained or (member not in self._told and not target):
            changes.append(Rebalance(True, frozenset(gained)))
            self._told.add(member)
        return changes

    def commit(self, member: int, offsets: Offsets) -> None:
        """Raises CommitRejected unless the member owns every partition."""
        lost = [source for source in offsets if self._owners.get(source) != member]
        if lost:
            raise CommitRejected(f"{len(lost)} partitions are not ours")
        self.committed.update(offsets)

    def set_back(self, member: int, records: int) -> int:
        """The member's last commits are lost: it gets its partitions anew, so many records before. Returns the sum."""
        held = [source for source, owner in self._owners.items() if owner == member]
        lost = 0
        for source in held:
            committed = self.committed.get(source, 0)
            self.committed[source] = max(committed - records, 0)
            lost += committed - self.committed[source]
        self._set_back.add(member)
        self.generation += 1
        return lost

    def _assign(self) -> None:
        """Kafka's range assignor: per topic, members in order get neighbouring partitions."""
        self.generation += 1
        self._target = {}
        for topic in sorted({t for topics in self._members.values() for t in topics}):
            members = sorted(m for m, topics in self._members.items() if topic in topics)
            share, more = divmod(self._partitions[topic], len(members))
            numbers = iter(range(self._partitions[topic]))
            for index, member in enumerate(members):
                for _ in range(share + (index < more)):
                    self._target[TopicPartition(topic, next(numbers))] = member
