"""Produces a stream and reads whole topics with the plain client, under a prefix."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Producer, TopicPartition

from tests.integration.windows.recount import Published, Windows, published, read, reader, recount
from tests.integration.windows.stream import Wire

WAIT_SECONDS = 30.0
INPUTS = ("call.ended", "call.disposition")
OUTPUT = "connect-rate.window"
PARTITIONS = 2


@dataclass(kw_only=True)
class Topics:
    """One run's topics."""

    bootstrap: str
    prefix: str
    _schemas: dict[int, Any] = field(default_factory=reader)

    def produce(self, wires: Sequence[Wire]) -> None:
        """Returns once all are acknowledged."""
        producer = Producer({"bootstrap.servers": self.bootstrap, "partitioner": "murmur2_random", "log_level": 2})
        for wire in wires:
            headers: list[Any] = list(wire.headers)
            producer.produce(self.prefix + wire.topic, value=wire.value, key=wire.key, headers=headers)
            producer.poll(0)
        assert producer.flush(WAIT_SECONDS) == 0

    def size(self, topic: str) -> int:
        """How many records were written to it."""
        consumer = self._consumer()
        try:
            sources = [TopicPartition(self.prefix + topic, number) for number in range(PARTITIONS)]
            return sum(consumer.get_watermark_offsets(source, timeout=WAIT_SECONDS)[1] for source in sources)
        finally:
            consumer.close()

    def expected(self) -> Windows:
        """A recount of the inputs as they lie in the topics."""
        ends, dispositions = (list(self._records(topic)) for topic in INPUTS)
        return recount(ends, dispositions)

    def published(self) -> Published:
        """What stands in the output."""
        return published(self._records(OUTPUT))

    def settle(self, seconds: float) -> tuple[Windows, Published]:
        """The recount and what is published, as soon as both are the same, or once `seconds` have passed."""
        deadline, expected = time.monotonic() + seconds, self.expected()
        while (found := self.published()).windows != expected and time.monotonic() < deadline:
            time.sleep(0.5)
        return expected, found

    def _records(self, topic: str) -> Iterator[dict[str, Any]]:
        consumer = self._consumer()
        try:
            sources = [TopicPartition(self.prefix + topic, number, OFFSET_BEGINNING) for number in range(PARTITIONS)]
            consumer.assign(sources)
            ended = 0
            while ended < len(sources):
                message = consumer.poll(WAIT_SECONDS)
                assert message is not None, f"{topic} could not be read"
                value, error = message.value(), message.error()
                if error is None and value is not None:
                    yield read(value, self._schemas)
                else:
                    assert error is not None, f"{topic} holds a record without a value"
                    assert error.code() == KafkaError._PARTITION_EOF, error
                    ended += 1
        finally:
            consumer.close()

    def _consumer(self) -> Consumer:
        return Consumer(
            {
                "bootstrap.servers": self.bootstrap,
                "group.id": f"{self.prefix}stranger",
                "enable.auto.commit": False,
                "enable.partition.eof": True,
                "isolation.level": "read_committed",
                "log_level": 2,
            }
        )
