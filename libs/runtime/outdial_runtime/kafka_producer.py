"""Kafka producers: delivery reports come on a thread of their own and wake the event loop once per batch."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Sequence
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka import Producer as ConfluentProducer

from outdial_runtime.bounded_calls import BoundedCalls, CallHangs
from outdial_runtime.broker import BrokerError, CommitRejected, Consumer, Fenced, Offsets, Record
from outdial_runtime.kafka_consumer import KafkaConsumer, common_settings

DELIVERY_TIMEOUT_MS = 120000
"""How long a broker may be away before whoever waits for it ends; a gateway's calls live on meanwhile."""
TRANSACTION_TIMEOUT_MS = 10000
INIT_SECONDS = 30.0
TRANSACTION_SECONDS = 10.0
"""Longer than its own time-out no transaction lives: stop and start anew."""
HANGING_SECONDS = 3.0
"""On top, for librdkafka may forget a time-out after a broker crash (seen in send_offsets_to_transaction)."""
QUEUE_FULL_SECONDS = 0.005


class KafkaProducer:
    """outdial_runtime.broker.Producer."""

    def __init__(
        self,
        bootstrap: str,
        prefix: str,
        settings: dict[str, Any] | None = None,
        delivery_timeout_ms: int = DELIVERY_TIMEOUT_MS,
    ) -> None:
        self._prefix = prefix
        self._limit_seconds = delivery_timeout_ms / 1000 + HANGING_SECONDS
        self._fault: str | None = None
        self.client = ConfluentProducer(
            {
                **common_settings(bootstrap),
                "acks": "all",
                "enable.idempotence": True,
                "partitioner": "murmur2_random",
                "linger.ms": 2,
                "delivery.timeout.ms": delivery_timeout_ms,
                **(settings or {}),
            }
        )
        self._closed = threading.Event()
        self._poller = threading.Thread(target=self._poll, name="kafka-delivery", daemon=True)
        self._poller.start()

    async def produce(self, records: Sequence[Record]) -> list[int]:
        if not records:
            return []
        if self._fault is not None:
            raise BrokerError(f"producer: {self._fault}")
        delivery = _Delivery(asyncio.get_running_loop(), len(records))
        try:
            async with asyncio.timeout(self._limit_seconds):
                for index, record in enumerate(records):
                    await self._send(record, delivery.report(index))
                return await delivery.done
        except TimeoutError as error:
            raise BrokerError(f"{len(records)} records: no report within {self._limit_seconds:g} s") from error

    async def close(self) -> None:
        self._closed.set()
        await asyncio.to_thread(self._poller.join)

    async def _send(self, record: Record, report: Callable[[Any, Any], None]) -> None:
        options: dict[str, Any] = {} if record.partition is None else {"partition": record.partition}
        headers: list[Any] = list(record.headers)
        while True:
            try:
                self.client.produce(
                    self._prefix + record.topic,
                    value=record.value,
                    key=record.key,
                    headers=headers,
                    on_delivery=report,
                    **options,
                )
                return
            except BufferError:
                await asyncio.sleep(QUEUE_FULL_SECONDS)
            except KafkaException as error:
                raise BrokerError(f"produce to {record.topic}: {error.args[0].name()}") from error

    def _poll(self) -> None:
        while not self._closed.is_set():
            self._report(lambda: self.client.poll(0.1))
        self._report(lambda: self.client.flush(5.0))

    def _report(self, call: Callable[[], Any]) -> None:
        """A fatal error is raised in whatever call serves reports; those of its victims come by the next call."""
        try:
            call()
        except KafkaException as error:
            self._fault = str(error.args[0].name())
            self._closed.wait(0.1)


class _Delivery:
    """Counts a batch's delivery reports; `done` gives the offsets in order."""

    def __init__(self, loop: asyncio.AbstractEventLoop, count: int) -> None:
        self.done: asyncio.Future[list[int]] = loop.create_future()
        self._loop = loop
        self._offsets = [-1] * count
        self._missing = count
        self._failure: str | None = None

    def report(self, index: int) -> Callable[[Any, Any], None]:
        def on_delivery(error: Any, message: Any) -> None:
            if error is None:
                self._offsets[index] = message.offset()
            else:
                self._failure = str(error.name())
            self._missing -= 1
            if not self._missing:
                self._loop.call_soon_threadsafe(self._finish)

        return on_delivery

    def _finish(self) -> None:
        if self.done.done():
            return
        if self._failure is None:
            self.done.set_result(self._offsets)
        else:
            self.done.set_exception(BrokerError(f"a record was not delivered: {self._failure}"))


class KafkaTransactions:
    """outdial_runtime.broker.TransactionalProducer."""

    def __init__(self, bootstrap: str, prefix: str, transactional_id: str) -> None:
        settings = {
            "transactional.id": prefix + transactional_id,
            "transaction.timeout.ms": TRANSACTION_TIMEOUT_MS,
        }
        self._producer = KafkaProducer(bootstrap, prefix, settings, TRANSACTION_TIMEOUT_MS)
        self._client = self._producer.client
        self._calls = BoundedCalls("kafka-transaction")

    async def start(self) -> None:
        await self._call(lambda: self._client.init_transactions(INIT_SECONDS), INIT_SECONDS)

    async def begin(self) -> None:
        await self._call(self._client.begin_transaction)

    async def produce(self, records: Sequence[Record]) -> list[int]:
        return await self._producer.produce(records)

    async def commit(self, offsets: Offsets, consumer: Consumer) -> None:
        if offsets:
            if not isinstance(consumer, KafkaConsumer):
                raise TypeError("a Kafka transaction commits a Kafka consumer's offsets")
            metadata = await consumer.group_metadata()
            positions = consumer.confluent_offsets(offsets)
            await self._call(lambda: self._client.send_offsets_to_transaction(positions, metadata, TRANSACTION_SECONDS))
        await self._call(lambda: self._client.commit_transaction(TRANSACTION_SECONDS))

    async def abort(self) -> None:
        await self._call(lambda: self._client.abort_transaction(TRANSACTION_SECONDS))

    async def close(self) -> None:
        self._calls.close()
        await self._producer.close()

    async def _call(self, call: Callable[[], Any], seconds: float = TRANSACTION_SECONDS) -> None:
        try:
            await self._calls.run(call, seconds + HANGING_SECONDS)
        except CallHangs as error:
            raise BrokerError(f"transaction: a call hangs longer than its {seconds:g} s") from error
        except KafkaException as error:
            raise _transaction_error(error.args[0]) from error


def _transaction_error(error: Any) -> BrokerError:
    if error.fatal():
        return Fenced(f"transaction: {error.name()}")
    if error.txn_requires_abort():
        return CommitRejected(f"transaction: {error.name()}")
    return BrokerError(f"transaction: {error.name()}")
