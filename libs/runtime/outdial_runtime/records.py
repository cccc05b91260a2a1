"""Events as records: identity and headers on the way out, decoding and dead letters on the way in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from outdial_contracts.base import Event
from outdial_contracts.codec import CodecError, decode, encode
from outdial_contracts.headers import EventHeaders, Headers, event_id, read_headers
from outdial_contracts.topics import TOPICS
from outdial_runtime.broker import Message, Record
from outdial_runtime.outcome import DeadLetter, Drop, Emit


class Traces(Protocol):
    """Where produced events find their trace."""

    def publish(self, topic: str, attempt_id: str | None) -> str | None:
        """The traceparent of an event about to be produced; None outside of any trace."""


class Stamp:
    """Makes records of events within one cause; ordinals per topic keep ce_ids apart and stable over repeats."""

    def __init__(self, *, service: str, cause: str, now: datetime, traces: Traces) -> None:
        self._service = service
        self._cause = cause
        self._now = now
        self._traces = traces
        self._ordinals: Counter[tuple[str, str]] = Counter()

    def records(self, events: Iterable[Event | Emit], partition: int | None = None) -> list[Record]:
        """The records in order, in `partition` or where key or event say.

        Raises:
            CodecError: a field does not fit its schema.
        """
        return [self._record(e, partition) for e in events]

    def _record(self, item: Event | Emit, partition: int | None) -> Record:
        emit = item if isinstance(item, Emit) else Emit(event=item, cause=self._cause)
        event = emit.event
        topic = TOPICS[event.TOPIC]
        ordinal = self._ordinals[emit.cause, topic.name]
        self._ordinals[emit.cause, topic.name] += 1
        key = topic.key_of(event)
        headers = EventHeaders(
            id=event_id(emit.cause, f"{topic.name}#{ordinal}", emit.revision),
            type=topic.name,
            source=self._service,
            subject=key,
            time=self._now,
            traceparent=self._traces.publish(topic.name, attempt_of(event)),
        )
        return Record(
            topic=topic.name,
            key=key.encode(),
            value=encode(event),
            headers=headers.to_kafka(),
            partition=topic.partition_of(event) if partition is None else partition,
        )


def attempt_of(event: object) -> str | None:
    """The attempt an event, request or message belongs to."""
    return getattr(event, "attempt_id", None) or None


def parse(message: Message) -> tuple[Event, EventHeaders] | DeadLetter | Drop:
    """The event and its headers, or why there is none (BAD_HEADERS, MALFORMED, SCHEMA_UNKNOWN, WRONG_TOPIC)."""
    if message.value is None:
        if TOPICS[message.topic].cleanup == "compact":
            return Drop("TOMBSTONE")
        return DeadLetter("MALFORMED", "no value")
    try:
        event = decode(message.value, message.topic)
    except CodecError as error:
        return DeadLetter(error.reason, str(error))
    try:
        headers = read_headers(message.headers)
    except ValueError as error:
        return DeadLetter("BAD_HEADERS", str(error))
    if headers.type != message.topic:
        return DeadLetter("WRONG_TOPIC", "ce_type names another topic")
    return event, headers


def dead_record(message: Message, verdict: DeadLetter, service: str) -> Record:
    """The message with its original bytes and headers, and why it is dead.

    Raises:
        UndeadTopic: its topic has no dead-letter topic.
    """
    topic = TOPICS[message.topic].dead_letter
    if topic is None:
        raise UndeadTopic(f"{message.topic}[{message.partition}]@{message.offset}: {verdict.reason} {verdict.detail}")
    why: Headers = [
        ("dead_reason", verdict.reason.encode()),
        ("dead_detail", verdict.detail.encode()),
        ("dead_topic", message.topic.encode()),
        ("dead_partition", str(message.partition).encode()),
        ("dead_offset", str(message.offset).encode()),
        ("dead_service", service.encode()),
    ]
    kept = [(name, value) for name, value in message.headers if value is not None and not name.startswith("dead_")]
    return Record(topic=topic, key=message.key, value=message.value, headers=kept + why)


class UndeadTopic(Exception):
    """A topic without a dead-letter topic holds only what its one producer writes: a bad record there is a fault."""
