"""Where a service keeps its marks (past.py): the table topic_marks of its own database, which a restore sets back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from outdial_runtime.broker import Offsets, TopicPartition

SAVE = """
INSERT INTO topic_marks VALUES ($1, $2, $3) ON CONFLICT (topic, partition)
DO UPDATE SET next_offset = greatest(topic_marks.next_offset, excluded.next_offset)"""


class Marks(Protocol):
    """Before these offsets the database holds what the topics say."""

    async def marks(self) -> Offsets:
        """All of them."""

    async def save_marks(self, marks: Offsets) -> None:
        """A mark never goes back."""


class PoolMarks:
    """On an asyncpg pool, in the table that the service's own migration makes."""

    def __init__(self, pool: Any) -> None:
        self._pool = pool

    async def marks(self) -> Mapping[TopicPartition, int]:
        found = await self._pool.fetch("SELECT topic, partition, next_offset FROM topic_marks")
        return {TopicPartition(row["topic"], row["partition"]): row["next_offset"] for row in found}

    async def save_marks(self, marks: Offsets) -> None:
        rows = [(source.topic, source.partition, offset) for source, offset in sorted(marks.items())]
        await self._pool.executemany(SAVE, rows)


class MemoryMarks:
    """The same in memory, for tests and the deterministic world."""

    def __init__(self) -> None:
        self.kept: dict[TopicPartition, int] = {}

    async def marks(self) -> Mapping[TopicPartition, int]:
        return dict(self.kept)

    async def save_marks(self, marks: Offsets) -> None:
        for source, offset in marks.items():
            self.kept[source] = max(offset, self.kept.get(source, 0))
