"""Kafka behind the broker port (confluent-kafka, classic group protocol)."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Sequence
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, KafkaException
from confluent_kafka import Consumer as ConfluentConsumer
from confluent_kafka import TopicPartition as ConfluentPartition
from confluent_kafka.admin import AdminClient

from outdial_runtime.broker import BrokerError, Message, Offsets, Reading, TopicPartition
from outdial_runtime.kafka_consumer import KafkaConsumer, common_settings, end_of_partition, to_message
from outdial_runtime.kafka_producer import KafkaProducer, KafkaTransactions

METADATA_SECONDS = 15.0


class KafkaBroker:
    """outdial_runtime.broker.Broker on a cluster."""

    def __init__(self, bootstrap: str, prefix: str = "") -> None:
        self._bootstrap = bootstrap
        self._prefix = prefix

    def consumer(self, reading: Reading) -> KafkaConsumer:
        return KafkaConsumer(self._bootstrap, self._prefix, reading)

    def producer(self) -> KafkaProducer:
        return KafkaProducer(self._bootstrap, self._prefix)

    def transactional_producer(self, transactional_id: str) -> KafkaTransactions:
        return KafkaTransactions(self._bootstrap, self._prefix, transactional_id)

    async def partition_counts(self, topics: Sequence[str]) -> dict[str, int]:
        return await asyncio.to_thread(self._partition_counts, topics)

    async def read_partition(self, source: TopicPartition, from_offset: int, limit: int | None = None) -> list[Message]:
        return await asyncio.to_thread(self._read_partition, source, from_offset, limit)

    async def ends(self, sources: Sequence[TopicPartition]) -> Offsets:
        return await asyncio.to_thread(self._asked, f"{self._prefix}read-{uuid.uuid4()}", sources, self._end)

    async def committed(self, group: str, sources: Sequence[TopicPartition]) -> Offsets:
        return await asyncio.to_thread(self._asked, self._prefix + group, sources, self._committed)

    def _partition_counts(self, topics: Sequence[str]) -> dict[str, int]:
        try:
            known = AdminClient(common_settings(self._bootstrap)).list_topics(timeout=METADATA_SECONDS).topics
        except KafkaException as error:
            raise BrokerError(f"no metadata from Kafka: {error.args[0].name()}") from error
        return {t: len(known[self._prefix + t].partitions) for t in topics if self._prefix + t in known}

    def _asked(
        self, group: str, sources: Sequence[TopicPartition], ask: Callable[[Any, ConfluentPartition], int]
    ) -> dict[TopicPartition, int]:
        """What a consumer that joins no group is told of each partition."""
        if not sources:
            return {}
        consumer = ConfluentConsumer({**common_settings(self._bootstrap), "group.id": group})
        try:
            return {s: ask(consumer, ConfluentPartition(self._prefix + s.topic, s.partition)) for s in sources}
        except KafkaException as error:
            raise BrokerError(f"offsets of {len(sources)} partitions: {error.args[0].name()}") from error
        finally:
            consumer.close()

    @staticmethod
    def _end(consumer: Any, partition: ConfluentPartition) -> int:
        end: int = consumer.get_watermark_offsets(partition, timeout=METADATA_SECONDS)[1]
        return end

    @staticmethod
    def _committed(consumer: Any, partition: ConfluentPartition) -> int:
        [found] = consumer.committed([partition], timeout=METADATA_SECONDS)
        return max(int(found.offset), 0)

    def _read_partition(self, source: TopicPartition, from_offset: int, limit: int | None) -> list[Message]:
        consumer = ConfluentConsumer(
            {
                **common_settings(self._bootstrap),
                "group.id": f"{self._prefix}read-{uuid.uuid4()}",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "auto.offset.reset": "earliest",
                "fetch.wait.max.ms": 10,
            }
        )
        topic = self._prefix + source.topic
        try:
            consumer.list_topics(topic, timeout=METADATA_SECONDS)  # else the first fetch waits for a timer of 0.5 s
            consumer.assign([ConfluentPartition(topic, source.partition, from_offset or OFFSET_BEGINNING)])
            return self._until_end(consumer, limit)
        except KafkaException as error:
            raise BrokerError(f"{source.topic}[{source.partition}]: {error.args[0].name()}") from error
        finally:
            consumer.close()

    def _until_end(self, consumer: Any, limit: int | None) -> list[Message]:
        found: list[Message] = []
        while True:
            first = consumer.poll(0.2)
            if first is None:
                continue
            for raw in [first, *consumer.consume(500, 0)]:
                if end_of_partition(raw):
                    return found
                found.append(to_message(raw, self._prefix))
                if len(found) == limit:
                    return found
