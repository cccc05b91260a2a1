"""Kafka headers of a record: CloudEvents 1.0 binary mode (ce_*) and W3C trace context (traceparent)."""

from __future__ import annotations

import re
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

CE_NAMESPACE = uuid.UUID("6b1c3c1e-4c0a-5b7e-9a52-6f7574646961")
TRACEPARENT = re.compile(r"00-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")
Headers = list[tuple[str, bytes]]


@dataclass(frozen=True, kw_only=True)
class EventHeaders:
    """What the headers say of an event."""

    id: str
    """ce_id: the same for every repeat of the event."""
    type: str
    """ce_type: the topic's name without a deployment's prefix."""
    source: str
    """ce_source: the service."""
    subject: str
    """ce_subject: the record key."""
    time: datetime
    """ce_time: event time, aware UTC, by the domain clock."""
    traceparent: str | None = None

    def to_kafka(self) -> Headers:
        """As Kafka headers."""
        pairs = {
            "ce_specversion": "1.0",
            "ce_id": self.id,
            "ce_type": self.type,
            "ce_source": self.source,
            "ce_subject": self.subject,
            "ce_time": self.time.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z"),
            "content-type": "application/avro",
        }
        if self.traceparent:
            pairs["traceparent"] = self.traceparent
        return [(name, value.encode()) for name, value in pairs.items()]


def read_headers(headers: Sequence[tuple[str, bytes | None]] | None) -> EventHeaders:
    """The headers of a consumed record.

    Raises:
        ValueError: a required ce_ header is absent or ce_time is no RFC 3339 time; the text names it.
    """
    values = {name: value.decode("utf-8", "replace") for name, value in headers or () if value is not None}
    missing = [n for n in ("ce_id", "ce_type", "ce_source", "ce_time") if not values.get(n)]
    if missing:
        raise ValueError(f"headers {missing} are absent")
    try:
        time = datetime.fromisoformat(values["ce_time"])
    except ValueError:
        raise ValueError("ce_time is not an RFC 3339 time") from None
    if time.tzinfo is None:
        raise ValueError("ce_time has no zone")
    traceparent = values.get("traceparent")
    return EventHeaders(
        id=values["ce_id"],
        type=values["ce_type"],
        source=values["ce_source"],
        subject=values.get("ce_subject", ""),
        time=time.astimezone(UTC),
        traceparent=traceparent if traceparent and TRACEPARENT.fullmatch(traceparent) else None,
    )


def event_id(cause: str, what: str, revision: int = 0) -> str:
    """ce_id = UUIDv5(cause, revision): a repeat of the same cause gives the same id.

    Args:
        cause: ce_id of the message, or the stable name of the tick, request or row, that made the event.
        what: topic and ordinal within the cause.
        revision: of a public record.
    """
    return str(uuid.uuid5(CE_NAMESPACE, f"{cause}|{what}|{revision}"))
