"""What the same Kafka client can do without our runtime: the ceiling of one hop."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from confluent_kafka import Consumer, Producer, TopicPartition

from bench.hop_service import state_of
from outdial_contracts.codec import decode, encode
from outdial_contracts.events import LeadSubmitted

BATCH = 200
"""As the runtime's loop polls."""
WAIT_SECONDS = 30.0
Rate = float


@dataclass(frozen=True, kw_only=True)
class Raw:
    """Messages per second without decoding anything."""

    batches: Rate
    """Poll a batch, produce it, wait for the acknowledgements, commit: what at_least_once must do."""
    transactions: Rate
    """The same as one Kafka transaction per batch: what exactly_once must do."""
    stream: Rate
    """Produce as it comes, acknowledgements at the end, no commit: no guarantee to speak of."""


def raw_rates(bootstrap: str, source: str, target: str, count: int) -> Raw:
    """Copies `count` records from topic to topic three times, bytes untouched."""
    return Raw(
        batches=_copy(bootstrap, "raw-batches", source, target, count, _acknowledged),
        transactions=_copy(bootstrap, "raw-transactions", source, target, count, _transaction, transactional=True),
        stream=_copy(bootstrap, "raw-stream", source, target, count, _unacknowledged),
    )


def codec_rate(values: Sequence[bytes]) -> Rate:
    """Decode one event and encode the answer, no Kafka."""
    started = time.perf_counter()
    for value in values:
        event = decode(value, LeadSubmitted.TOPIC)
        assert isinstance(event, LeadSubmitted)
        encode(state_of(event))
    return len(values) / (time.perf_counter() - started)


def _acknowledged(consumer: Consumer, producer: Producer) -> None:
    producer.flush(WAIT_SECONDS)
    consumer.commit(offsets=_positions(consumer), asynchronous=False)


def _unacknowledged(_consumer: Consumer, producer: Producer) -> None:
    producer.poll(0)


def _transaction(consumer: Consumer, producer: Producer) -> None:
    producer.send_offsets_to_transaction(_positions(consumer), consumer.consumer_group_metadata())
    producer.commit_transaction()
    producer.begin_transaction()


def _positions(consumer: Consumer) -> list[TopicPartition]:
    return [p for p in consumer.position(consumer.assignment()) if p.offset >= 0]


def _copy(
    bootstrap: str,
    group: str,
    source: str,
    target: str,
    count: int,
    after_batch: Callable[[Consumer, Producer], None],
    *,
    transactional: bool = False,
) -> Rate:
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "log_level": 2,
            "group.id": group,
            "enable.auto.commit": False,
            "auto.offset.reset": "earliest",
            "isolation.level": "read_committed",
            "fetch.wait.max.ms": 100,
        }
    )
    producer = Producer(producer_settings(bootstrap, group if transactional else None))
    try:
        if transactional:
            producer.init_transactions(WAIT_SECONDS)
            producer.begin_transaction()
        partitions = consumer.list_topics(source, timeout=WAIT_SECONDS).topics[source].partitions
        consumer.assign([TopicPartition(source, p, 0) for p in partitions])
        return _timed(consumer, producer, target, count, after_batch)
    finally:
        if transactional:
            producer.abort_transaction()
        consumer.close()


def _timed(
    consumer: Consumer, producer: Producer, target: str, count: int, after_batch: Callable[[Consumer, Producer], None]
) -> Rate:
    """Seconds run from the first batch, so that joining and the first fetch do not count."""
    copied, first = 0, 0
    started = 0.0
    while copied < count:
        batch = consumer.consume(BATCH, 1.0)
        if not batch:
            continue
        if not started:
            started, first = time.perf_counter(), len(batch)
        _produce(producer, target, batch)
        after_batch(consumer, producer)
        copied += len(batch)
    if producer.flush(WAIT_SECONDS):
        raise RuntimeError("the broker did not acknowledge every record of the raw copy")
    return (count - first) / (time.perf_counter() - started)


def _produce(producer: Producer, target: str, batch: Sequence[Any]) -> None:
    for message in batch:
        while True:
            try:
                producer.produce(target, value=message.value(), key=message.key(), headers=message.headers())
                break
            except BufferError:
                producer.poll(0.01)


def producer_settings(bootstrap: str, transactional_id: str | None) -> dict[str, Any]:
    """Those of the runtime's producer."""
    settings: dict[str, Any] = {
        "bootstrap.servers": bootstrap,
        "log_level": 2,
        "acks": "all",
        "enable.idempotence": True,
        "partitioner": "murmur2_random",
        "linger.ms": 2,
    }
    return settings if transactional_id is None else {**settings, "transactional.id": transactional_id}
