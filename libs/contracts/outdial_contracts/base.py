"""What every event, topic and schema of the contract has in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self


class Event:
    """Base of the generated event types: frozen, keyword-only, one per topic."""

    __slots__ = ()
    TOPIC: ClassVar[str]

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Self:
        """Builds the event from a decoded Avro record; `cls` itself is abstract."""
        raise TypeError(f"{cls.__name__} is not an event of the contract")

    def to_record(self) -> dict[str, Any]:
        """The event as a record fit for an Avro writer."""
        raise TypeError(f"{type(self).__name__} is not an event of the contract")


@dataclass(frozen=True, kw_only=True)
class Topic:
    """One schemas/topics/*.yaml: how an event travels."""

    name: str
    key: str
    """Format string over the event's fields, for example {campaign_id}/{slot}."""
    partitions: int
    cleanup: str
    """delete or compact."""
    retention_ms: int
    """-1 keeps forever."""
    producers: tuple[str, ...]
    consumers: tuple[str, ...]
    dead_letter: str | None
    partition_field: str | None
    """Field that names the partition, where the key does not decide it."""
    restricted: bool
    """Holds callees' numbers."""

    def key_of(self, event: Event) -> str:
        """The record key of an event of this topic."""
        return self.key.format_map(_Fields(event))

    def partition_of(self, event: Event) -> int | None:
        """The explicit partition, or None when the key decides (murmur2_random)."""
        return None if self.partition_field is None else int(getattr(event, self.partition_field))


@dataclass(frozen=True, kw_only=True)
class WriterSchema:
    """A released schema under its fixed id (Confluent wire format)."""

    id: int
    topic: str
    version: int
    schema: str
    """Avro JSON, every named type written out."""


class _Fields(dict[str, Any]):
    def __init__(self, event: Event) -> None:
        super().__init__()
        self._event = event

    def __missing__(self, name: str) -> Any:
        return getattr(self._event, name)
