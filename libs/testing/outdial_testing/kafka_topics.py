"""Topics of the contract on a real cluster, under a prefix of their own."""

from __future__ import annotations

import asyncio
import uuid

from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from outdial_contracts.topics import TOPICS


async def create_topics(bootstrap: str, *names: str) -> str:
    """Creates these topics and their dead-letter topics; returns the fresh prefix they stand under."""
    prefix = f"test-{uuid.uuid4().hex[:12]}."
    wanted = {name: TOPICS[name].partitions for name in names}
    wanted |= {dead: 1 for name in names if (dead := TOPICS[name].dead_letter) is not None}
    await asyncio.to_thread(_create, bootstrap, {prefix + name: count for name, count in wanted.items()})
    return prefix


def _create(bootstrap: str, wanted: dict[str, int]) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    topics = [NewTopic(name, num_partitions=count, replication_factor=1) for name, count in wanted.items()]
    for future in admin.create_topics(topics, operation_timeout=30).values():
        future.result(30)
