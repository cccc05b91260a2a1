"""Bytes on Kafka: Confluent wire format (magic 0, 4-byte schema id, Avro binary) around the released schemas."""

from __future__ import annotations

import io
import json
import re
from functools import cache
from typing import Any

import fastavro

from outdial_contracts.base import Event
from outdial_contracts.events import EVENTS
from outdial_contracts.registry import SCHEMAS

MAGIC = 0
UUID_FIELDS = frozenset({"attempt_id", "lead_id"})
"""UUIDv5 by the contract (identity.py); the trace id is made of them, and stores keep them as such."""
UUID = re.compile(r"[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}")


class CodecError(Exception):
    """The bytes are not an event of the contract; `reason` is the dead-letter reason."""

    reason = "MALFORMED"


class UnknownSchema(CodecError):
    """The schema id was never released."""

    reason = "SCHEMA_UNKNOWN"


class WrongTopic(CodecError):
    """The bytes are a good event of another topic."""

    reason = "WRONG_TOPIC"


def encode(event: Event) -> bytes:
    """The event in the wire format, under the newest released schema of its topic.

    Raises:
        CodecError: a field has the wrong type; the text names topic and field type, never the value.
    """
    schema_id, schema = _writer(event.TOPIC)
    out = io.BytesIO()
    out.write(bytes([MAGIC]) + schema_id.to_bytes(4, "big"))
    try:
        fastavro.schemaless_writer(out, schema, event.to_record())
    except (TypeError, ValueError, AttributeError) as error:
        raise CodecError(f"{event.TOPIC}: a field does not fit its schema ({type(error).__name__})") from error
    return out.getvalue()


def decode(data: bytes, topic: str) -> Event:
    """The event in `data`, read with today's schema whatever released version wrote it.

    Raises:
        UnknownSchema: the id is not in the registry.
        WrongTopic: the id belongs to another topic.
        CodecError: not the wire format, truncated, trailing bytes, a NUL in a text, or an id that is no UUID.
    """
    if len(data) < 5 or data[0] != MAGIC:
        raise CodecError(f"not the wire format: {len(data)} bytes")
    schema_id = int.from_bytes(data[1:5], "big")
    if schema_id not in SCHEMAS:
        raise UnknownSchema(f"schema id {schema_id} was never released")
    if SCHEMAS[schema_id].topic != topic:
        raise WrongTopic(f"schema id {schema_id} belongs to {SCHEMAS[schema_id].topic}, not {topic}")
    return EVENTS[topic].from_record(_read(data, schema_id, topic))


def _read(data: bytes, schema_id: int, topic: str) -> dict[str, Any]:
    body = io.BytesIO(data[5:])
    newest_id, newest = _writer(topic)
    reader = None if newest_id == schema_id else newest
    try:
        record = fastavro.schemaless_reader(body, _parsed(schema_id), reader)
    except Exception as error:  # fastavro raises what it meets in damaged bytes: EOFError, IndexError, ValueError, ...
        raise CodecError(f"{topic}: {type(error).__name__} while reading {len(data)} bytes") from error
    if body.read(1) or not isinstance(record, dict):
        raise CodecError(f"{topic}: bytes after the record")
    if _holds_nul(record):
        raise CodecError(f"{topic}: a text holds a NUL")
    for name in UUID_FIELDS & record.keys():
        if not UUID.fullmatch(record[name]):
            raise CodecError(f"{topic}: {name} is no UUID but {len(record[name])} characters")
    return record


def _holds_nul(value: object) -> bool:
    """Avro allows U+0000 in a text, PostgreSQL does not: such an event would stop every consumer that stores it."""
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        for name, item in value.items():  # spelt out: every message of every service goes through here
            if type(item) is str:
                if "\x00" in item:
                    return True
            elif (type(item) is dict or type(item) is list) and _holds_nul(item):
                return True
            if "\x00" in name:
                return True
        return False
    return isinstance(value, list) and any(map(_holds_nul, value))


@cache
def _writer(topic: str) -> tuple[int, Any]:
    newest = max((s for s in SCHEMAS.values() if s.topic == topic), key=lambda s: s.version)
    return newest.id, _parsed(newest.id)


@cache
def _parsed(schema_id: int) -> Any:
    return fastavro.parse_schema(json.loads(SCHEMAS[schema_id].schema))
