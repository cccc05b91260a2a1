"""A consumer whose client is stuck ends its process with a word, is not ready meanwhile, and its successor reads on."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Callable
from typing import Any, cast

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka import TopicPartition as ConfluentPartition

from outdial_contracts.events import PacingDemand
from outdial_runtime.broker import Batch, BrokerError, Reading, Record, TopicPartition
from outdial_runtime.health import Health
from outdial_runtime.kafka import KafkaBroker
from outdial_runtime.kafka_consumer import KafkaConsumer, Limits
from outdial_runtime.progress import Stuck
from outdial_runtime.service import Read
from outdial_testing.bench import Bench
from outdial_testing.contract_service import demand
from outdial_testing.kafka_topics import create_topics

TOPIC = PacingDemand.TOPIC
READING = Reading(read=Read.GROUP, topics=(TOPIC,), group="sample")
QUICK = Limits(call_seconds=0.1, close_seconds=0.1, stuck_seconds=0.0)


class DumbClient:
    """librdkafka that has lost its way: what is asked of the broker is answered, the rest is not."""

    def __init__(self, release: threading.Event, end: int = 3) -> None:
        self._release, self._end = release, end

    def poll(self, timeout: float) -> None:
        self._release.wait(timeout)

    def assignment(self) -> list[Any]:
        return [ConfluentPartition(TOPIC, 0)]

    def get_watermark_offsets(self, partition: Any, timeout: float) -> tuple[int, int]:
        return 0, self._end

    def commit(self, offsets: list[Any], asynchronous: bool) -> None:
        self._release.wait(20)

    def close(self) -> None:
        self._release.wait(20)


@pytest.fixture
def release() -> Any:
    event = threading.Event()
    yield event
    event.set()


def consumer_of(client: DumbClient, limits: Limits = QUICK) -> KafkaConsumer:
    consumer = KafkaConsumer("127.0.0.1:1", "", READING, limits)
    cast(Any, consumer)._client = client
    partitions = {"0": {"next_offset": -1001}}
    consumer.note_statistics(
        json.dumps({"topics": {TOPIC: {"partitions": partitions}}, "cgrp": {"join_state": "steady"}})
    )
    return consumer


async def poll_until(consumer: KafkaConsumer, wanted: Callable[[Batch], Any]) -> Batch:
    async with asyncio.timeout(60):
        while True:
            batch = await consumer.poll(10, 0.1)
            if wanted(batch):
                return batch


async def test_commit_that_is_never_answered_ends_the_consumer_and_its_close_is_not_waited_for(
    release: threading.Event,
) -> None:
    consumer = consumer_of(DumbClient(release))
    with pytest.raises(BrokerError, match=r"commit hangs for 0.1 s"):
        await asyncio.wait_for(consumer.commit({TopicPartition(TOPIC, 0): 1}), 10)
    await asyncio.wait_for(consumer.close(), 10)


async def test_polls_that_bring_nothing_while_records_lie_there_end_the_consumer(release: threading.Event) -> None:
    consumer = consumer_of(DumbClient(release))
    with pytest.raises(Stuck, match=r"pacing.demand\[0\]@-1001"):
        await poll_until(consumer, lambda batch: False)
    await consumer.close()


async def test_polls_that_bring_nothing_of_an_empty_topic_are_nothing_to_worry_about(release: threading.Event) -> None:
    consumer = consumer_of(DumbClient(release, end=0))
    async with asyncio.timeout(20):
        for _ in range(70):
            assert (await consumer.poll(10, 0.1)).doubt is None
    await consumer.close()


def test_process_in_doubt_is_not_ready() -> None:
    health = Health(lambda deps: None)
    health.built(None)
    health.caught_up = health.joined = lambda: True
    assert health.not_ready() is None
    health.doubt = lambda: "records lie unread and none comes"
    assert health.not_ready() == "records lie unread and none comes"


@pytest.mark.stack
@pytest.mark.slow
async def test_offsets_pending_in_a_hanging_transaction_end_the_consumer_and_the_next_one_reads_on(
    kafka_bootstrap: str,
) -> None:
    """The broker answers OffsetFetch with UNSTABLE_OFFSET_COMMIT until the transaction ends: a real stall."""
    prefix = await create_topics(kafka_bootstrap, TOPIC)
    bench = Bench(KafkaBroker(kafka_bootstrap, prefix))
    await bench.publish(demand("one"))
    hanging = await asyncio.to_thread(hang, kafka_bootstrap, prefix)
    consumer = KafkaConsumer(kafka_bootstrap, prefix, READING, Limits(stuck_seconds=6.0))
    await consumer.start()
    await poll_until(consumer, lambda batch: batch.rebalances)
    assert await poll_until(consumer, lambda batch: batch.doubt)
    with pytest.raises(Stuck, match=r"no message for 6 s"):
        await poll_until(consumer, lambda batch: batch.messages)
    await consumer.close()
    await asyncio.to_thread(hanging.abort_transaction, 10)
    successor = KafkaConsumer(kafka_bootstrap, prefix, READING)
    await successor.start()
    assert len((await poll_until(successor, lambda batch: batch.messages)).messages) == 1
    await successor.close()
    await bench.close()


@pytest.mark.stack
@pytest.mark.slow
async def test_quiet_topic_that_ends_with_the_mark_of_a_transaction_is_read_to_its_end(kafka_bootstrap: str) -> None:
    """No message lies at the last offset, so a consumer's position never reaches it; what was fetched does."""
    prefix = await create_topics(kafka_bootstrap, TOPIC)
    broker = KafkaBroker(kafka_bootstrap, prefix)
    transactions = broker.transactional_producer("writer")
    await transactions.start()
    consumer = KafkaConsumer(kafka_bootstrap, prefix, READING, Limits(stuck_seconds=8.0))
    await consumer.start()
    await poll_until(consumer, lambda batch: batch.rebalances)
    await transactions.begin()
    await transactions.produce([Record(topic=TOPIC, key=b"one", value=None, headers=[])])
    await transactions.commit({}, consumer)
    await poll_until(consumer, lambda batch: batch.messages)
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(poll_until(consumer, lambda batch: batch.doubt), 20)
    await consumer.close()
    await transactions.close()


def hang(bootstrap: str, prefix: str) -> Any:
    """A transaction that commits offsets of the group and stays open for as long as a minute."""
    producer = Producer(
        {"bootstrap.servers": bootstrap, "transactional.id": f"{prefix}other", "transaction.timeout.ms": 60000}
    )
    producer.init_transactions(30)
    producer.begin_transaction()
    group = Consumer({"bootstrap.servers": bootstrap, "group.id": f"{prefix}sample"})
    partitions = [ConfluentPartition(prefix + TOPIC, number, 0) for number in range(2)]
    producer.send_offsets_to_transaction(partitions, group.consumer_group_metadata(), 30)
    group.close()
    return producer
