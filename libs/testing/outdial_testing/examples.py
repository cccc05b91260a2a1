"""The examples of schemas/examples as events: typical, minimal, and every symbol of every enum."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from outdial_contracts.base import Event
from outdial_contracts.events import EVENTS
from outdial_contracts.registry import SCHEMAS

EXAMPLES = Path(__file__).resolve().parents[3] / "schemas" / "examples"
"""The repository's; this package is only installed from it."""


def load_examples(topic: str, folder: Path = EXAMPLES) -> list[Event]:
    """Every example of a topic. A file is an object or an array of objects; times are ISO strings, bytes base64.

    Raises:
        ValueError: an example has a field that the schema does not know.
    """
    schema, types = newest_schema(topic), dict[str, Any]()
    return [EVENTS[topic].from_record(_native(record, schema, types)) for record in _records(folder / topic)]


def newest_schema(topic: str) -> dict[str, Any]:
    """The newest released schema of a topic as JSON."""
    newest = max((s for s in SCHEMAS.values() if s.topic == topic), key=lambda s: s.version)
    schema: dict[str, Any] = json.loads(newest.schema)
    return schema


def _records(folder: Path) -> Iterator[dict[str, Any]]:
    for file in sorted(folder.glob("*.json")):
        content = json.loads(file.read_text())
        yield from content if isinstance(content, list) else [content]


def _native(value: Any, schema: Any, types: dict[str, Any]) -> Any:
    """JSON as what an Avro reader gives; `types` collects named types as they are met."""
    if isinstance(schema, list):
        return None if value is None else _native(value, next(s for s in schema if s != "null"), types)
    if isinstance(schema, str):
        if schema in types:
            return _native(value, types[schema], types)
        return base64.b64decode(value, validate=True) if schema == "bytes" else value
    if "name" in schema and schema["type"] in ("record", "enum"):
        types[f"{schema.get('namespace', 'outdial.types')}.{schema['name']}"] = types[schema["name"]] = schema
    match schema["type"]:
        case "record":
            return _record(value, schema, types)
        case "array":
            return [_native(item, schema["items"], types) for item in value]
        case "map":
            return {key: _native(item, schema["values"], types) for key, item in value.items()}
        case "long" if schema.get("logicalType") == "timestamp-micros":
            return datetime.fromisoformat(value)
        case _:
            return value


def _record(value: dict[str, Any], schema: dict[str, Any], types: dict[str, Any]) -> dict[str, Any]:
    fields = {field["name"]: field for field in schema["fields"]}
    if unknown := sorted(set(value) - set(fields)):
        raise ValueError(f"{schema['name']}: the schema knows no {unknown}")
    return {
        name: _native(value[name] if name in value else field["default"], field["type"], types)
        for name, field in fields.items()
    }
